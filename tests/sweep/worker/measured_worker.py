"""A worker process that trains and scores cohorts and reports its memory: run by tests/sweep/worker/test_memory.py.

Arguments: names of search spaces, joined by "+"; n_layer_g, size_g, n_layer_d, size_d; steps; samples; and, if memory
is to be limited, what there is, as a share of what the cohort takes. Prints JSON.
"""

import json
import resource
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import sweep.driver.tune  # noqa: F401  (a worker has Ray in its process)
from search_spaces.space_file import load_space
from sweep.planning.cohorts import Cohort, partition
from sweep.planning.costs import mnist_gan as cost
from sweep.records import Record
from sweep.worker.recipes import mnist_gan
from sweep.worker.train import run_cohort


def cohort_of(spaces: str, shape: list[int], steps: int, n_samples: int) -> Cohort:
    """All trials of one shape, as a plan with enough memory has them."""
    trials = [
        replace(t, training=replace(t.training, steps=steps), scoring=replace(t.scoring, n_samples=n_samples))
        for name in spaces.split("+")
        for t in load_space(name).trials()
        if [t.settings.n_layer_g, t.settings.size_g, t.settings.n_layer_d, t.settings.size_d] == shape
    ]
    (cohort,) = partition(trials, 2**60)
    return cohort


def measured(cohort: Cohort) -> dict[str, Any]:
    """Predicted and measured bytes; the cohort runs twice, as one cohort follows another in a sweep."""
    states = [record.state for _ in range(2) for record in run_cohort(cohort)]
    shared = cost.shared_bytes(cohort.trials[0])
    return {
        "states": states,
        "shared": shared,
        "predicted": cost.cohort_bytes(cohort.trials),
        "peak": process_bytes("VmHWM"),
    }


def tight(cohort: Cohort, share: float) -> dict[str, Any]:
    """Sizes of the cohorts that are tried, and the scores, with this share of the memory it takes.

    Half of it runs before: what a process takes once, such as oneDNN's code, does not fail then.
    """
    run_cohort(cohort.halves()[0])
    members = cost.cohort_bytes(cohort.trials) - cost.shared_bytes(cohort.trials[0])
    limit = process_bytes("VmData") + int(share * members)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    sizes: list[int] = []
    new_training = mnist_gan.new_training

    def counted(part: Cohort, images: torch.Tensor) -> Any:
        sizes.append(len(part.trials))
        return new_training(part, images)

    mnist_gan.new_training = counted
    records = run_cohort(cohort)
    scores = {record.trial_id: dict(_by_name(record)) for record in records}
    return {"sizes": sizes, "scores": scores, "errors": [r.error for r in records]}


def _by_name(record: Record) -> Iterator[tuple[str, float]]:
    """Every score of a trial, by its classifier, step and name."""
    for identity, steps in record.scores.items():
        for step, values in steps.items():
            yield from ((f"{identity.classifier} {step} {name}", value) for name, value in values.items())


def process_bytes(field: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith(f"{field}:"))


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[2:8]]
    whole = cohort_of(sys.argv[1], numbers[:4], *numbers[4:])
    print(json.dumps(tight(whole, float(sys.argv[8])) if sys.argv[8:] else measured(whole)))
