"""Starts Ray on this machine for a sweep, or joins the cluster that RAY_ADDRESS names; Ray prints nothing."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweep.driver.cluster import is_named
from sweep.planning.machine import Machine, this_machine
from sweep.planning.resources import PlanError, Resources
from sweep.worker.memory import ALLOCATOR

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # the monitor would end the sweep; workers handle a lack of memory themselves
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # they write files for each trial, and use ever more memory
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
for _name, _value in (_QUIET | ALLOCATOR).items():
    os.environ.setdefault(_name, _value)
if not is_named():
    # A token of our own: without one, Ray writes a token to a file that other users may be able to read.
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "5")  # here, a dead server stays dead

# Ray reads its settings when it is imported, so its imports come after them.
import ray  # noqa: E402
from ray._private import ray_constants  # noqa: E402
from ray._private import worker as ray_worker  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

# Ray prints nothing: the database, the event log and the display already report what goes wrong.
_SILENT: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
logging.getLogger("ray").setLevel(logging.CRITICAL)
ray_worker.print_to_stdstream = lambda *_, **__: None  # the settings above do not silence Ray's daemons

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def session(resources: Resources, scratch: str) -> Iterator[None]:
    """Run Ray during a sweep: on the cluster that RAY_ADDRESS names, or else on this machine.

    Args:
        scratch: path of a folder for Ray's own files, to which Ray lets all users write; it must be short.

    Raises:
        PlanError: the cluster can't be joined, or Ray can't be kept off the network.
    """
    if is_named():
        with _joined():
            yield
        return
    if not hasattr(ray_constants, "ENABLE_RAY_CLUSTER"):
        raise PlanError(f"Ray {ray.__version__} has no ray_constants.ENABLE_RAY_CLUSTER: see constraints.txt")
    ray_constants.ENABLE_RAY_CLUSTER = False  # Ray then listens on loopback alone, not on the network
    cores = int(resources.workers * resources.cores)
    try:
        ray.init("local", num_cpus=cores, include_dashboard=False, _temp_dir=scratch, **_SILENT)
        yield
    finally:
        ray.shutdown()
        ray_constants.ENABLE_RAY_CLUSTER = True


def check_cluster(resources: Resources) -> None:
    """Check that Ray has what a plan asks for: it would wait for ever for what no node has.

    Raises:
        PlanError: Ray has less.
    """
    has = ray.cluster_resources()
    for name, each in (("CPU", resources.cores), ("GPU", resources.gpus)):
        need = each * resources.workers
        if need > has.get(name, 0.0) + 1e-9:
            raise PlanError(
                f"--workers {resources.workers}: needs {need:g} {name}, the cluster has {has.get(name, 0):g}"
            )


def cluster_machines() -> list[Machine]:
    """Ask each machine of the cluster that RAY_ADDRESS names what it can compute on.

    Raises:
        PlanError: the cluster can't be joined.
    """
    with _joined():
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        ask = ray.remote(num_cpus=0)(this_machine)
        found = [ask.options(scheduling_strategy=on_node(node["NodeID"])).remote() for node in nodes]
        return [
            replace(machine, cores=int(node["Resources"]["CPU"]))
            for machine, node in zip(ray.get(found), nodes, strict=True)
        ]


def on_node(node_id: str) -> NodeAffinitySchedulingStrategy:
    """Schedules an actor or a task on this node, or elsewhere if the node is gone."""
    return NodeAffinitySchedulingStrategy(node_id, soft=True)


@contextmanager
def _joined() -> Iterator[None]:
    """Join the cluster; its machines get our code from here, and must have the libraries installed."""
    code = [str(ROOT / package) for package in ("data", "metrics", "models", "search_spaces", "sweep")]
    try:
        ray.init(runtime_env={"py_modules": code, "env_vars": dict(ALLOCATOR)}, **_SILENT)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise PlanError(f"RAY_ADDRESS: got {os.environ['RAY_ADDRESS']}, can't join it: {reason}") from None
    try:
        yield
    finally:
        ray.shutdown()
