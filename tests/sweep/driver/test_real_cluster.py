"""A sweep on a Ray cluster of two nodes, one of which is killed on the way."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from made_trials import rows, write_space
from processes import workers_of

from data.mnist.dataset import ensure_mnist
from sweep.planning.machine import this_machine

PATIENCE_S = 240.0
LAYERS = (2, 3, 4)
STEPS = 6000
VALUES = "SELECT trial_id, state, score, frechet, coverage FROM results ORDER BY trial_id"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(this_machine().gpus), reason="made for the pace of a CPU"),
]
# The cluster lives in a process of its own, for Ray reads its settings once. It ends a node when it is told to.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.readline()
cluster.remove_node(second, allow_graceful=False)
print("killed", flush=True)
sys.stdin.readline()
cluster.shutdown()
"""


def run(space: str, file: Path, **environment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "sweep", "run", space, "--db", f"sqlite:///{file}", "--checkpoint-minutes", "0.01"]
    told = os.environ | environment
    return subprocess.Popen(command, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def under_way(file: Path) -> int:
    """Cohorts that have begun to train: each has a checkpoint until it ends."""
    return len({path.parent for path in file.with_name(f"{file.stem}-checkpoints").glob("*/*.safetensors")})


def test_a_node_is_killed_and_the_rest_goes_on(tmp_path: Path) -> None:
    """The workers stand still from when both train until one node is gone, which no machine is too fast for."""
    ensure_mnist()
    space = write_space(tmp_path / "grid.yaml", LAYERS, steps=STEPS)
    quiet, file = tmp_path / "quiet.db", tmp_path / "cluster.db"
    alone = run(space, quiet)
    output, _ = alone.communicate(timeout=PATIENCE_S)
    assert alone.returncode == 0, output

    pipe = subprocess.PIPE
    token = os.environ | {"RAY_AUTH_MODE": "token"}
    cluster = subprocess.Popen([sys.executable, "-c", CLUSTER], env=token, stdin=pipe, stdout=pipe, text=True)
    assert cluster.stdin
    assert cluster.stdout
    try:
        address = cluster.stdout.readline().strip()
        sweep = run(space, file, RAY_ADDRESS=address)
        end = time.monotonic() + PATIENCE_S
        while under_way(file) < 2:  # one on either node
            assert sweep.poll() is None, sweep.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        workers = workers_of(cluster.pid)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        print(file=cluster.stdin, flush=True)
        assert cluster.stdout.readline().strip() == "killed"
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
        output, _ = sweep.communicate(timeout=PATIENCE_S)
    finally:
        cluster.stdin.close()  # it ends, wherever it is
        cluster.wait(60)
    assert sweep.returncode == 0, output
    assert "2 workers" in output
    assert rows(file, VALUES) == rows(quiet, VALUES)
    outcomes = dict(rows(file, "SELECT outcome, count(*) FROM attempts GROUP BY outcome"))
    assert outcomes["COMPLETE"] == 2 * len(LAYERS)
    assert outcomes["LOST"] >= 2
