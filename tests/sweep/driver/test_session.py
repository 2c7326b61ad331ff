"""A session that is ended has ended when the function returns."""

import subprocess
import time

from processes import alive, started_by

from sweep.driver.session import end_session

N = 100


def test_no_process_of_the_session_runs_afterwards() -> None:
    script = f"for i in $(seq {N}); do sleep 1000 & done; wait"
    leader = subprocess.Popen(["bash", "-m", "-c", script], start_new_session=True)  # -m: each in a group of its own
    try:
        while len(members := started_by(leader.pid)) <= N:
            time.sleep(0.05)
        end_session(leader.pid)
        assert alive(members) == []
    finally:
        leader.kill()
        leader.wait()
