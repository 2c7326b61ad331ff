"""A report that is served while its sweep runs: on loopback, with a small file that tells what changed."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_results import fill_database

from reports.serve import serving, write_state
from sweep.storage import Storage

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
COUNTS = {"gan": {"COMPLETE": 3, "DIVERGED": 1, "WAITING": 4}, "ebgan": {"COMPLETE": 2, "FAILED": 1, "RUNNING": 5}}


def get(port: int, path: str, host: str | None = None) -> tuple[int, bytes, str]:
    """Status, body and the header about caches of a request, whose path goes to the server as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.getheader("Cache-Control", "")
    connection.close()
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A folder that is served, with a page in it and a secret file next to it; and the port."""
    folder = tmp_path / "report"
    (folder / "sheets").mkdir(parents=True)
    (folder / "index.html").write_text("the page")
    (tmp_path / "secret.txt").write_text("secret")
    with serving(folder, 0) as port:
        yield folder, port


def test_it_serves_the_page_and_the_state_and_nothing_is_kept(served: tuple[Path, int]) -> None:
    folder, port = served
    assert get(port, "/") == (200, b"the page", "no-store")
    assert get(port, "/state.json")[0] == 404
    write_state(folder, "then", "running", COUNTS)
    status, body, _ = get(port, "/state.json")
    assert status == 200
    assert json.loads(body) == {"made": "then", "state": "running", "ended": 7, "declared": 16, "counts": COUNTS}
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "sheets", "state.json"]


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/sheets/../../secret.txt", "/%2e%2e/secret.txt", "//../secret.txt"]
)
def test_nothing_outside_the_folder_is_served(served: tuple[Path, int], path: str) -> None:
    status, body, _ = get(served[1], path)
    assert status == 404 and b"secret\n" not in body and body != b"secret"


def test_folders_are_not_listed(served: tuple[Path, int]) -> None:
    assert get(served[1], "/sheets/")[0] == 404


@pytest.mark.parametrize(
    ("host", "status"), [("localhost:{}", 200), ("evil.example:{}", 403), ("127.0.0.1.evil:{}", 403)]
)
def test_only_names_of_this_machine_are_answered(served: tuple[Path, int], host: str, status: int) -> None:
    assert get(served[1], "/", host.format(served[1]))[0] == status


def test_it_listens_on_loopback_alone(served: tuple[Path, int]) -> None:
    others = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {
        "127.0.0.1"
    }
    for address in {"127.0.0.2", *others}:
        with socket.socket() as client, pytest.raises(OSError):
            client.connect((address, served[1]))


def test_the_state_goes_with_the_server(tmp_path: Path) -> None:
    with serving(tmp_path, 0) as port:
        write_state(tmp_path, "then", "running", COUNTS)
    assert list(tmp_path.iterdir()) == []
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", port))


class Watching:
    """`python -m reports watch --serve 0` on a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/results.db"
        fill_database(self.url, finished=100)
        command = [sys.executable, "-m", "reports", "watch", "--serve", "0", "--every", "0.2", "--db", self.url]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/", self.read_to("as soon as it is made"))[0])

    def read_to(self, words: str) -> str:
        assert self.process.stdout is not None
        return next(line for line in self.process.stdout if words in line)

    def change(self) -> None:
        storage = Storage(self.url)
        storage.retry()
        storage.close()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(get(self.port, "/state.json")[1])
        return found


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    started = Watching(tmp_path)
    try:
        started.read_to("watching; Ctrl-C ends it")
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; get it by: apt-get install chromium")
def test_an_open_page_loads_the_new_report_and_keeps_its_view(watching: Watching, tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright; get it by: pip install playwright")
    first = watching.state()
    assert (first["state"], first["ended"], first["declared"]) == ("running", 100, 7168)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(f"http://127.0.0.1:{watching.port}/#bins=50&families=gan")
        page.locator(".following", has_text="State of the sweep: running. 100 of 7168 trials have ended.").wait_for()
        page.locator("details.reading summary").click()
        page.evaluate("scrollTo(0, 1234)")
        watching.change()
        page.locator(f"html:not([data-made='{first['made']}'])").wait_for(state="attached", timeout=60_000)
        page.locator(".following", has_text=" 95 of 7168 ").wait_for()  # asked after the page was loaded
        assert page.evaluate("scrollY") == 1234
        assert page.evaluate("location.hash") == "#bins=50&families=gan"
        assert page.evaluate("document.querySelector('details.reading').open")
        assert watching.state()["made"] == page.evaluate("document.documentElement.dataset.made")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"file://{tmp_path}/report/index.html")
        page.wait_for_timeout(4000)  # longer than between two questions
        assert [url for url in asked if not url.endswith("index.html")] == [] and told == []
        assert page.locator(".following").is_hidden()
        browser.close()
    watching.process.send_signal(signal.SIGINT)
    watching.process.communicate(timeout=60)
    assert watching.process.returncode == 0
    assert not (tmp_path / "report" / "state.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--serve", "8000"], "--serve: goes with the command watch"),
        (["watch", "--serve", "70000"], "--serve: got 70000, allowed: 0 (any free port) to 65535"),
    ],
)
def test_a_wrong_port_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reports", *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "") and message in done.stderr


def test_a_port_that_is_taken_is_one_line(database: Path, served: tuple[Path, int]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reports", "watch", "--serve", str(served[1]), "--db", f"sqlite:///{database}"],
        cwd=served[0],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"error: --serve {served[1]}, --out ") and "in use" in done.stderr
