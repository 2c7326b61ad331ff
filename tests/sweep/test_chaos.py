"""Nothing lost: the short form of `make chaos`, in which every kind of fault strikes once."""

from pathlib import Path

import pytest
from chaos import Chaos
from chaos_targets import File

from data.mnist.dataset import ensure_mnist
from sweep.planning.machine import this_machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU"),
]


def test_a_disturbed_sweep_ends_like_one_that_nobody_disturbed(tmp_path: Path) -> None:
    ensure_mnist()
    chaos = Chaos(tmp_path, seed=1, layers=4, steps=2000, between_s=1)
    chaos.leave_in_peace()
    file = File(tmp_path, locked_s=2, full_s=6)
    try:
        outcome = chaos.disturb(file, seconds=0)
    finally:
        file.close()
    print(outcome)
    assert (outcome.lost, outcome.duplicated, outcome.different) == (0, 0, 0)
    assert outcome.trials == 32
    assert outcome.kills >= 5
    assert outcome.restarts >= 1  # a driver may be killed before it has noticed that a helper was
    assert min(outcome.faults.values()) == 1, "the sweep was over too soon"
