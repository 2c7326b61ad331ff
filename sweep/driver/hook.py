"""Runs the user's --notify command when a sweep ends."""

import os
import subprocess

from sweep.command.console import warn
from sweep.storage import Storage, StorageError


def notify(command: str, state: str, storage: Storage, sweep_id: int) -> None:
    """Run a shell command; its environment tells what happened: SWEEP_STATE, SWEEP_ID, SWEEP_DB and SWEEP_COUNTS.

    Args:
        state: "done", "done with failures", "time limit", "stopped" or "failed".
    """
    try:
        counts = ", ".join(
            f"{family} {n} {state.lower()}"
            for family, states in storage.counts().items()
            for state, n in states.items()
            if n
        )
    except StorageError as error:
        counts = str(error)
    variables = {"SWEEP_STATE": state, "SWEEP_ID": str(sweep_id), "SWEEP_DB": storage.name, "SWEEP_COUNTS": counts}
    code = subprocess.run(command, shell=True, env=os.environ | variables, check=False).returncode
    if code:
        warn(f"--notify: the command ended with {code}")
