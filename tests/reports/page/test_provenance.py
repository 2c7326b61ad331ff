"""Provenance in words: units that people read, and nothing that is empty."""

import pandas as pd

from reports.page.provenance import facts_of

SETTINGS = {
    "order_seed": 0,
    "worker": {"workers": 2, "cores": 1, "gpus": 0.0, "memory": 8 * 2**30, "flops": 25000000000.0},
    "machine": {
        "python": "3.11.7",
        "packages": {"torch": "2.13.0", "ray": ""},
        "processor": "",
        "cores": 2,
        "gpus": [],
    },
}
SPACE = {"family": "gan", "axes": {"n_layer_g": [2, 4], "margin": [None]}, "training": {"steps": 6000}}


def row_of(settings: object, spaces: dict[str, object], **more: object) -> dict[str, object]:
    times = {"started_at": pd.Timestamp("2026-01-02 03:04:05.678"), "finished_at": pd.NaT}
    return {"name": "made", "code_version": "abc1234", "settings": settings, "spaces": spaces} | times | more


def test_settings_are_in_words_and_units() -> None:
    facts = facts_of(row_of(SETTINGS, {}, state="time limit", note=None))["facts"]
    assert facts == {
        "code version": "abc1234",
        "started": "2026-01-02 03:04:05 UTC",
        "finished": "not yet",
        "ended as": "time limit",
        "seed of the random order": "0",
        "workers": "2",
        "cores of a worker": "1",
        "GPUs of a worker": "0",
        "memory of a worker": "8.0 GiB",
        "speed that the plan assumed": "25.0 billion operations a second for each worker",
        "Python": "3.11.7",
        "packages": "torch 2.13.0",
        "cores of the machine": "2",
    }


def test_spaces_show_their_own_names_and_no_setting_that_their_family_lacks() -> None:
    found = facts_of(row_of({}, {"quick/mnist_gan": SPACE}))["spaces"]
    assert found == {"quick/mnist_gan": {"family": "gan", "n_layer_g": "2, 4", "training steps": "6000"}}


def test_settings_of_another_kind_than_sweeps_write_are_shown_as_they_are() -> None:
    odd = {
        "worker": {"memory": "much", "flops": True},
        "machine": {"packages": ["a", "b"], "gpus": {"x": 1}},
        "other": 1.5,
    }
    facts = facts_of(row_of(odd, {}))["facts"]
    assert facts["memory of a worker"] == "much" and facts["speed that the plan assumed"] == "True"
    assert facts["packages"] == "a, b" and facts["GPUs of the machine"] == "{'x': 1}" and facts["other"] == "1.5"
