"""How machines are shared out among workers."""

import pytest

from sweep.planning.machine import Machine, this_machine
from sweep.planning.resources import PlanError, share_out

GIB = 2**30


def of_gib(cores: int, memory: int, *gpus: int) -> Machine:
    """A machine with so much memory, and with GPUs of so much memory, in GiB."""
    return Machine(cores, memory * GIB, tuple(("a GPU", size * GIB) for size in gpus))


def machine(cores: int = 16, gpus: int = 0) -> Machine:
    return of_gib(cores, 100, *[80] * gpus)


class TestOneMachine:
    @pytest.mark.parametrize(
        ("cores", "gpus", "workers", "each", "expected"),
        [
            (16, 0, None, None, (16, 1, 0.0)),
            (16, 0, 4, None, (4, 4, 0.0)),
            (16, 0, 3, 0.0, (3, 5, 0.0)),
            (16, 0, 9, None, (9, 1, 0.0)),
            (16, 1, None, None, (1, 16, 1.0)),
            (16, 1, 2, None, (2, 8, 0.5)),
            (16, 1, 3, None, (3, 5, 1 / 3)),
            (16, 1, None, 0.25, (4, 4, 0.25)),
            (16, 1, 4, 0.0, (4, 4, 0.0)),
            (16, 4, None, None, (4, 4, 1.0)),
            (16, 4, 3, None, (3, 5, 1.0)),
            (16, 4, 6, None, (6, 2, 0.5)),
            (16, 4, 8, None, (8, 2, 0.5)),
            (16, 4, None, 2.0, (2, 8, 2.0)),
            (16, 4, None, 0.4, (8, 2, 0.4)),
            (16, 8, None, None, (8, 2, 1.0)),
            (4, 8, None, None, (4, 1, 1.0)),
            (1, 0, None, None, (1, 1, 0.0)),
        ],
    )
    def test_division(
        self, cores: int, gpus: int, workers: int | None, each: float | None, expected: tuple[int, int, float]
    ) -> None:
        resources = share_out([machine(cores, gpus)], workers, each)
        assert (resources.workers, resources.cores, resources.gpus) == (expected[0], expected[1], expected[2])
        assert resources.workers * resources.cores <= cores
        assert resources.workers * resources.gpus <= gpus + 1e-9
        if not resources.gpus:
            assert resources.memory == int(0.7 * 100 * GIB / resources.workers)

    @pytest.mark.parametrize(
        ("cores", "gpus", "workers", "each", "message"),
        [
            (2, 0, 3, None, "--workers: got 3, allowed: 1 to 2 on this machine with 2 cores"),
            (2, 0, None, 1.0, "--gpus-per-worker: got 1, allowed: 0, for no CUDA device is found here"),
            (2, 0, 1, 0.1, "--gpus-per-worker: got 0.1, allowed: 0, for no CUDA device is found here"),
            (16, 1, 2, 1.0, "--workers: got 2, allowed: 1 to 1 on this machine with 16 cores and 1 CUDA devices"),
            (16, 1, None, 2.0, "--gpus-per-worker: got 2, allowed: 0 to 1, or a whole number up to 1"),
            (16, 4, None, 1.5, "--gpus-per-worker: got 1.5, allowed: 0 to 1, or a whole number up to 4"),
            (16, 4, 3, 2.0, "--workers: got 3, allowed: 1 to 2 on this machine with 16 cores and 4 CUDA devices"),
            (16, 4, 9, 0.4, "--workers: got 9, allowed: 1 to 8 on this machine with 16 cores and 4 CUDA devices"),
            (4, 8, 5, None, "--workers: got 5, allowed: 1 to 4 on this machine with 4 cores and 8 CUDA devices"),
            (16, 8, 17, 0.0, "--workers: got 17, allowed: 1 to 16 on this machine with 16 cores"),
        ],
    )
    def test_more_than_there_is(
        self, cores: int, gpus: int, workers: int | None, each: float | None, message: str
    ) -> None:
        with pytest.raises(PlanError) as caught:
            share_out([machine(cores, gpus)], workers, each)
        assert str(caught.value) == message

    def test_workers_divide_the_memory(self) -> None:
        one, four = share_out([machine()], 1), share_out([machine()], 4)
        assert one.memory < 100 * GIB
        assert four.memory == pytest.approx(one.memory / 4)
        whole, half = share_out([machine(gpus=1)]), share_out([machine(gpus=1)], 2)
        assert 70 * GIB < whole.memory < 80 * GIB
        assert half.memory == pytest.approx(whole.memory / 2)
        assert share_out([machine(gpus=2)], None, 2.0).memory == whole.memory  # a cohort lives on one device

    def test_this_machine_can_be_shared_out(self) -> None:
        here = this_machine()
        assert here.cores >= 1
        assert here.memory > GIB
        assert share_out([here]).workers >= 1


class TestCluster:
    def test_by_default_a_worker_a_core(self) -> None:
        found = share_out([of_gib(4, 64), of_gib(2, 8)])
        assert (found.workers, found.cores, found.gpus) == (6, 1, 0)
        assert found.memory == int(0.7 * 8 * GIB / 2)  # what the poorest can give

    def test_fewer_workers_get_more_cores(self) -> None:
        found = share_out([of_gib(4, 64), of_gib(2, 8)], 3)
        assert (found.workers, found.cores) == (3, 2)
        assert found.memory == int(0.7 * 8 * GIB)

    def test_by_default_a_worker_a_gpu_and_machines_without_one_rest(self) -> None:
        found = share_out([of_gib(16, 64, 80, 80), of_gib(8, 64, 24), of_gib(8, 64)])
        assert (found.workers, found.gpus) == (3, 1.0)
        assert found.memory == int(0.9 * 24 * GIB)

    def test_fractions_of_gpus(self) -> None:
        found = share_out([of_gib(16, 64, 80), of_gib(8, 64, 80)], None, 0.25)
        assert (found.workers, found.gpus, found.cores) == (8, 0.25, 2)
        assert found.memory == int(0.9 * 80 * GIB * 0.25)

    @pytest.mark.parametrize(("workers", "each"), [(7, None), (0, None)])
    def test_more_than_there_is(self, workers: int, each: float | None) -> None:
        with pytest.raises(PlanError, match=r"--workers: got [07], allowed: 1 to 6 on this cluster of 2 machines"):
            share_out([of_gib(4, 64), of_gib(2, 8)], workers, each)

    def test_no_machine_counts_for_more_workers_than_there_are(self) -> None:
        found = share_out([of_gib(16, 64), of_gib(16, 64), of_gib(1, 64)], 4)
        assert (found.workers, found.cores) == (4, 8)
        found = share_out([of_gib(16, 60), of_gib(1, 60)], 3)
        assert (found.cores, found.memory) == (5, int(0.7 * 60 * GIB / 3))

    def test_gpus_that_no_machine_has(self) -> None:
        with pytest.raises(PlanError, match="--gpus-per-worker: got 1, allowed: 0, for no CUDA device is found here"):
            share_out([of_gib(4, 64), of_gib(2, 8)], None, 1.0)
        with pytest.raises(PlanError, match="--gpus-per-worker: got 3, allowed: 0 to 1, or a whole number up to 2"):
            share_out([of_gib(16, 64, 80, 80), of_gib(16, 64, 80)], None, 3.0)  # a worker stays on one machine
