"""The command from end to end, tiny."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.throughput.__main__ import DOCUMENT, RESULTS, _options, main
from benchmarks.throughput.results import BenchmarkResults

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_tiny_run(tmp_path: Path) -> None:
    options = ["--grid", "laptop", "--shapes", "1", "--seconds", "0.01", "--repeats", "2", "--processes", "1"]
    baselines = ["--baselines", "loop", "vmap", "cohort", "--no-sweep", "--no-document", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.throughput", *options, *baselines],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.json")
    results = BenchmarkResults.read(file)
    (grid,) = results.grids
    assert grid.baselines == ["loop", "vmap", "cohort"]
    for baseline in grid.baselines:
        assert all(len(case.rates[baseline]) == 2 and min(case.rates[baseline]) > 0 for case in grid.cases)
        assert 0 < grid.roofline_fraction(baseline) < 1
        assert grid.memory[baseline] > 0
    assert len(grid.profile) == 2  # a GAN and an EBGAN
    for shares in grid.profile.values():
        assert sum(shares.values()) == pytest.approx(1, abs=0.01)
        assert shares["products"] > 0.1
        assert all(share > 0 for share in shares.values())
    assert "laptop: speed of cohort relative to loop" in done.stdout
    assert "laptop: speed of cohort relative to tune" in done.stdout
    assert "not measured" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--shapes", "0"], "a whole number from 1"),
        (["--shapes", "17"], "1 to 16"),
        (["--repeats", "-1"], "a whole number from 1"),
        (["--seconds", "nan"], "a number above 0"),
        (["--processes", "9999"], "on this machine"),
        (["--baselines", "tune"], "loop, vmap or cohort, with or without"),
        (["--baselines", "loops", "--processes", "1"], "loop, vmap or cohort, with or without"),
    ],
)
def test_bad_options_are_reported_before_anything_is_measured(
    arguments: list[str], allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert allowed in capsys.readouterr().err.splitlines()[-1]


def test_a_part_of_the_benchmark_is_not_the_record() -> None:
    part, whole = _options(["--shapes", "2"]), _options([])
    assert (part.out, part.document) == (None, None)
    assert (whole.out, whole.document) == (RESULTS, DOCUMENT)
    assert _options(["--no-document"]).document is None
