"""What a worker gets from the driver, on Ray: the cohort it runs, while it runs it."""

import gc
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from made_trials import IDENTITIES, rows, trials
from rich.console import Console

from search_spaces.trial import Trial
from sweep.driver import tune
from sweep.driver.dispatcher import Dispatcher, Settings
from sweep.driver.display import Display
from sweep.driver.event_log import EventLog
from sweep.driver.progress import Progress
from sweep.driver.scratch import scratch_folder
from sweep.planning.cohorts import Cohort
from sweep.planning.plan import Plan
from sweep.planning.resources import Resources
from sweep.records import Record
from sweep.storage import Storage

COHORTS, MEMBERS = 8, 3


class CountedStore(tune.CohortStore):
    def count(self) -> int:
        return len(self._cohorts)


class Witness(tune.CohortTrainable):
    """Trains nothing; its records tell what there is of the plan in the worker and in the store."""

    def step(self) -> dict[str, Any]:
        import ray  # reads its settings from what the driver sets when it is imported

        gc.collect()
        here = [thing.trial_id for thing in gc.get_objects() if isinstance(thing, Trial)]
        seen = json.dumps({"here": here, "in_store": ray.get(self._store.count.remote())})
        records = [Record(i, "FAILED", error=seen) for i in here]
        return {"records": records, "share": 1.0, "note": None, "stopped": False, "done": True}


@pytest.mark.slow
def test_a_worker_holds_the_cohort_it_runs_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tune.ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers can't import it
    monkeypatch.setattr(tune, "CohortTrainable", Witness)
    monkeypatch.setattr(tune, "CohortStore", CountedStore)
    cohorts = tuple(Cohort(tuple(trials(MEMBERS, size_g=size))) for size in range(8, 8 + COHORTS))
    grid = tuple(trial for cohort in cohorts for trial in cohort.trials)
    file = tmp_path / "results.db"
    storage = Storage(f"sqlite:///{file}", create=True)
    storage.add_trials(storage.declare("tiny", {}, {}, "1"), grid)
    plan = Plan((), grid, cohorts, Resources(workers=1, cores=1, gpus=0, memory=2**30))
    progress = Progress(storage.counts(), 1)
    display = Display(Console(file=io.StringIO()), progress)
    dispatcher = Dispatcher(plan, storage, 1, IDENTITIES, progress, display, EventLog(None), Settings())
    with scratch_folder() as folder:
        tune.run_cohorts(dispatcher, plan.resources, folder)
    assert dispatcher.failed == COHORTS * MEMBERS
    storage.close()
    seen = [json.loads(error) for (error,) in rows(file, "SELECT DISTINCT error FROM attempts ORDER BY attempt_id")]
    assert [sorted(one["here"]) for one in seen] == [sorted(cohort.trial_ids) for cohort in cohorts]
    assert max(one["in_store"] for one in seen) <= 2  # it, and one that Ray Tune has asked for in advance
