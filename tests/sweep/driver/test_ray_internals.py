"""Names of Ray that are private or undocumented, with the meaning in which we use them; a new Ray may lack them."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sweep.driver import ray_session  # makes Ray's settings, which Ray reads when it is imported
from sweep.planning.plan import PlanError, Resources

import ray  # isort: skip
from ray._private import ray_constants, services  # isort: skip
from ray._private import worker as ray_worker  # isort: skip
from ray.tune.experiment import Trial  # isort: skip
from ray.tune.search import Searcher, SearchGenerator  # isort: skip

ROOT = Path(__file__).parent.parent.parent.parent


@dataclass(frozen=True)
class Internal:
    """A name of Ray, the file that uses it, and a check of its meaning."""

    name: str
    user: str
    holds: Callable[[], bool]


class Finished(Searcher):
    """Has no configuration from the start."""

    def suggest(self, trial_id: str) -> Any:
        return Searcher.FINISHED


def keeps_to_this_machine() -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)
        return services.get_node_ip_address() == "127.0.0.1"


def prints_what_daemons_write() -> bool:
    # `ray_session` has replaced the function, so the source is asked: defined there, and called by its name.
    source = inspect.getsource(ray_worker)
    return "def print_to_stdstream(" in source and source.count("print_to_stdstream") > 1


def places_its_files() -> bool:
    return 'kwargs.pop("_temp_dir"' in inspect.getsource(ray.init)


def ends_a_search() -> bool:
    search = SearchGenerator(Finished())
    search._total_samples = 1
    before = search.is_finished()
    search.create_trial_if_possible({})
    return not before and search.is_finished()


INTERNALS = (
    Internal("ray_constants.ENABLE_RAY_CLUSTER", "sweep/driver/ray_session.py", keeps_to_this_machine),
    Internal("ray_worker.print_to_stdstream", "sweep/driver/ray_session.py", prints_what_daemons_write),
    Internal("_temp_dir", "sweep/driver/ray_session.py", places_its_files),
    Internal("Searcher.FINISHED", "sweep/driver/tune.py", ends_a_search),
    Internal("trial.config", "sweep/driver/tune.py", lambda: Trial("x", config={"a": 1}, stub=True).config == {"a": 1}),
    Internal(
        "trial.get_pickled_error",
        "sweep/driver/tune.py",
        lambda: Trial("x", stub=True).get_pickled_error() is None,  # as long as there was no error
    ),
)


def problem(internal: Internal) -> str | None:
    try:
        holds = internal.holds()
    except (AttributeError, ImportError, TypeError, OSError) as error:
        return f"Ray {ray.__version__} has no {internal.name}, which {internal.user} uses: {error}"
    return None if holds else f"Ray {ray.__version__}: {internal.name} no longer means what {internal.user} uses it for"


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: internal.name)
def test_ray_has_what_we_use(internal: Internal) -> None:
    assert problem(internal) is None


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: internal.name)
def test_we_use_it_where_the_message_says(internal: Internal) -> None:
    assert re.search(rf"\b{re.escape(internal.name)}\b", (ROOT / internal.user).read_text(encoding="utf-8"))


def test_a_name_that_is_gone_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Searcher, "FINISHED")
    monkeypatch.delattr(Trial, "get_pickled_error")
    monkeypatch.setattr(ray, "init", lambda: None)
    found = {internal.name: text for internal in INTERNALS if (text := problem(internal))}
    assert found.keys() == {"Searcher.FINISHED", "trial.get_pickled_error", "_temp_dir"}
    gone = f"Ray {ray.__version__} has no Searcher.FINISHED, which sweep/driver/tune.py uses: "
    assert found["Searcher.FINISHED"].startswith(gone)
    assert found["_temp_dir"].startswith(f"Ray {ray.__version__}: _temp_dir no longer means what ")


def test_a_ray_that_would_listen_on_the_network_is_not_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delattr(ray_constants, "ENABLE_RAY_CLUSTER")
    message = f"Ray {ray.__version__} has no ray_constants.ENABLE_RAY_CLUSTER"
    one_core = Resources(workers=1, cores=1, gpus=0, memory=2**30)
    with pytest.raises(PlanError, match=message), ray_session.session(one_core, str(tmp_path)):
        pass
