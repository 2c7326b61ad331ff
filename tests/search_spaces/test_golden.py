"""Identities and orders as they were when the first results were stored.

A database is worthless once these change: all that it holds would count as missing. The search spaces are copies, so
that the shipped ones may change.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from search_spaces.space import SearchSpace, expand
from search_spaces.space_file import load_space

GOLDEN = Path(__file__).parent.parent / "golden"
EXPECTED = json.loads((GOLDEN / "identities.json").read_text(encoding="utf-8"))
FAMILIES = ("gan", "ebgan", "ebgan_pt")
# Three trials of the first example database, with the settings that its rows have.
EXAMPLE = {
    "0184e639c9a41460": ("gan", 2, 3, 100, 64, False, "sgd", "adam", 0.01, None, None, 0),
    "3a9d5c6f4b9f0b84": ("ebgan", 4, 2, 100, 64, False, "adam", "adam", 0.001, 10.0, 0.0, 0),
    "3333990ac22cfea5": ("ebgan_pt", 4, 4, 100, 64, False, "adam", "adam", 0.001, 10.0, 0.1, 0),
}
AXES = ("n_layer_g", "n_layer_d", "size_g", "size_d", "dropout_d", "optim_g", "optim_d", "lr")
OWN_AXES = ("margin", "pt_weight", "seed")


def golden_space(name: str) -> SearchSpace:
    return load_space(str(GOLDEN / "spaces" / f"{name}.yaml"))


def digest(ids: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


@pytest.mark.parametrize("name", EXPECTED["trials"])
def test_a_grid_gives_the_trials_it_always_gave(name: str) -> None:
    ids = [trial.trial_id for trial in golden_space(name).trials()]
    assert {"number": len(ids), "sorted": digest(sorted(ids))} == EXPECTED["trials"][name]


@pytest.mark.parametrize("case", EXPECTED["order"])
def test_the_random_order_is_the_one_it_always_was(case: str) -> None:
    grid, seed = case.split()
    spaces = [golden_space(f"{grid}/mnist_{family}") for family in FAMILIES]
    assert digest(trial.trial_id for trial in expand(spaces, int(seed))) == EXPECTED["order"][case]


@pytest.mark.parametrize(("trial_id", "settings"), EXAMPLE.items())
def test_trials_of_the_example_keep_their_identities(trial_id: str, settings: tuple[object, ...]) -> None:
    (trial,) = (trial for trial in golden_space(f"example/mnist_{settings[0]}").trials() if trial.trial_id == trial_id)
    assert tuple(trial.columns[name] for name in ("family", *AXES, *OWN_AXES)) == settings
