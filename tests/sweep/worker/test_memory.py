"""Memory: what is predicted is what a worker takes, what does not fit is halved, and plans stay within the device."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from search_spaces.space import expand
from search_spaces.space_file import load_space
from sweep.planning.costs import mnist_gan as cost
from sweep.planning.machine import Machine
from sweep.planning.plan import Plan, make_plan
from sweep.planning.resources import share_out
from sweep.worker.memory import ALLOCATOR

GIB = 2**30
ROOT = Path(__file__).parents[3]
THREE_GRIDS = ["paper/mnist_gan", "paper/mnist_ebgan", "paper/mnist_ebgan_pt"]


# Every tensor of a megabyte is memory of its own, so that what is left under a limit does not depend on gaps.
NO_GAPS = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}


def worker(*arguments: object, allocator: dict[str, str]) -> Any:
    """Answer of `measured_worker` with this environment of the C library."""
    environment = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
    environment |= allocator | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("measured_worker.py")), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spaces", "shape", "members"),
    [
        ("paper/mnist_gan", (3, 800, 3, 256), 24),
        ("paper/mnist_ebgan+paper/mnist_ebgan_pt", (4, 1600, 3, 1024), 4),
    ],
    ids=["gan", "ebgan"],
)
def test_a_worker_takes_what_is_predicted(spaces: str, shape: tuple[int, ...], members: int) -> None:
    found = worker(spaces, *shape, 2, 1000, allocator=ALLOCATOR)
    assert len(found["states"]) == 2 * members
    assert set(found["states"]) <= {"COMPLETE", "DIVERGED"}
    assert found["predicted"] > 2 * found["shared"]  # else a wrong count of the members could hide
    assert found["peak"] == pytest.approx(found["predicted"], rel=0.2)


@pytest.mark.slow
def test_a_cohort_that_memory_does_not_hold_is_halved_and_gets_the_same_scores() -> None:
    case = ("laptop/mnist_gan", 5, 400, 3, 128, 5, 500)
    halved, undisturbed = (worker(*case, share, allocator=NO_GAPS) for share in (0.66, 10))
    assert undisturbed["sizes"] == [24]
    assert halved["sizes"] == [24, 12, 12]
    assert halved["errors"] == undisturbed["errors"] == [None] * 24
    assert halved["scores"].keys() == undisturbed["scores"].keys()
    for trial_id, expected in undisturbed["scores"].items():
        assert halved["scores"][trial_id] == pytest.approx(expected, rel=1e-3, abs=1e-6, nan_ok=True)


@pytest.fixture(scope="module", params=[80, 24, 8])
def plan(request: pytest.FixtureRequest) -> Plan:
    """The paper's grids on a CUDA device of so many GB."""
    machine = Machine(16, 128 * GIB, (("a GPU", request.param * GIB),))
    spaces = [load_space(name) for name in THREE_GRIDS]
    return make_plan(spaces, expand(spaces), share_out([machine]))


class TestThePapersGridsOnADevice:
    def test_every_cell_is_in_exactly_one_cohort(self, plan: Plan) -> None:
        assert len(plan.trials) == 7168
        ids = Counter(trial_id for cohort in plan.cohorts for trial_id in cohort.trial_ids)
        assert ids == Counter(trial.trial_id for trial in plan.trials)
        assert set(ids.values()) == {1}

    def test_every_cohort_fits(self, plan: Plan) -> None:
        assert plan.resources.device == "cuda"
        assert max(cost.cohort_bytes(cohort.trials, "cuda") for cohort in plan.cohorts) <= plan.resources.memory

    def test_there_are_no_single_members_where_two_fit(self, plan: Plan) -> None:
        for cohort in plan.cohorts:
            pair = 2 * cost.largest_member_bytes(cohort.trials, "cuda") + cost.shared_bytes(cohort.trials[0], "cuda")
            assert len(cohort.trials) > 1 or pair > plan.resources.memory
        assert len(plan.cohorts) < 7168 / 4
