"""What the first screen says, against plain pandas and scipy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_results import REAL_SCORE, cell, identities, results, steps_of
from scipy.stats import mannwhitneyu

from reports.numbers.finding import FEWEST_FOR_PERCENT, Finding, finding, percent
from reports.numbers.study import Study, split_studies

NETWORKS = ("strided", "tanh", "pooled")
SHAPES = 12


def grid(
    scores: Callable[[str, int, bool], tuple[float, ...]], n_shapes: int = SHAPES, unfinished: int = 0
) -> tuple[Study, pd.DataFrame]:
    """GANs and EBGANs with and without dropout, and the scores that each classifier gave, a column each.

    Args:
        scores: gives the scores under all classifiers, from family, shape and dropout.
        unfinished: shapes that are still waiting, of each family, in addition to the `n_shapes`.
    """
    own = [
        (family, shape, dropout)
        for shape in range(n_shapes)
        for family in ("gan", "ebgan")
        for dropout in (False, True)
    ]
    given = pd.DataFrame([scores(*one) for one in own], columns=NETWORKS)
    rows = [
        cell(given["strided"][n], family=f, size_g=shape, dropout_d=dropout)
        for n, (f, shape, dropout) in enumerate(own)
    ]
    rows += [cell(family=f, size_g=100 + n) for f in ("gan", "ebgan") for n in range(unfinished)]
    steps = steps_of({n + 1: {300: list(given[name])} for n, name in enumerate(NETWORKS)})
    (study,) = split_studies(results(rows), steps, identities(*NETWORKS))
    return study, given.assign(family=[f for f, _, _ in own], dropout=[d for _, _, d in own])


def found_in(study: Study) -> Finding:
    found = finding(study)
    assert found is not None
    return found


def better(family: str, shape: int, dropout: bool) -> tuple[float, ...]:
    """EBGANs are better under all classifiers, most of all without dropout."""
    rng = np.random.default_rng([shape, dropout, family == "gan"])
    score = rng.uniform(0, 4) + (0 if family == "gan" else 3 if dropout else 8)
    return score, 0.9 * score, score + rng.uniform(0, 2)


def test_the_numbers_are_those_of_pandas_and_scipy() -> None:
    study, given = grid(better)
    found = found_in(study)
    assert found.classifiers == NETWORKS
    gan, ebgan = (given[given["family"] == family] for family in ("gan", "ebgan"))
    for win in found.wins:
        x, y = ebgan[win.classifier], gan[win.classifier]
        assert win.probability == pytest.approx(mannwhitneyu(x, y).statistic / len(x) / len(y))
        assert win.low is not None and win.high is not None and win.low <= win.probability <= win.high
        assert (win.n_one, win.n_other, win.shapes_one, win.shapes_other) == (24, 24, SHAPES, SHAPES)
    for share in found.shares:
        own, k = given[given["family"] == share.family], {"1/3": 1, "2/3": 2}[share.fraction]
        each = [(own[name] > (REAL_SCORE - n) * k / 3).mean() for n, name in enumerate(NETWORKS)]
        assert share.share == each[0]
        assert (share.least, share.most) == (min(each), max(each))
        assert share.low is None and share.high is None
    assert found.is_finished and found.ended == found.declared == 48


def test_a_robust_finding() -> None:
    found = found_in(grid(better)[0])
    low, high = (percent(f(win.probability for win in found.wins)) for f in (min, max))
    assert (low, high) == ("99 %", "99.7 %")
    expected = "a random EBGAN beats a random GAN 99-99.7 % of the time, under every classifier."
    assert found.verdict == "robust"
    assert found.title == f"EBGANs are easier to train here: {expected}"


@pytest.mark.parametrize("n_shapes", [SHAPES, FEWEST_FOR_PERCENT])
def test_what_decides_is_the_setting_with_the_largest_effect(n_shapes: int) -> None:
    study, given = grid(better, n_shapes)
    own = given[given["family"] == "ebgan"]
    passed = (own["strided"] > REAL_SCORE / 3).groupby(own["dropout"])
    n, shares = passed.sum(), passed.mean()
    assert 0 < n[True] < n[False]
    many = n_shapes == FEWEST_FOR_PERCENT
    without = f"{100 * shares[False]:.0f} % of EBGANs" if many else f"{n[False]} of {n_shapes} EBGANs"
    with_it = f"{100 * shares[True]:.0f} %" if many else f"{n[True]} of {n_shapes}"
    assert found_in(study).decides == (
        f"Without dropout in the discriminator {without} pass a third of the real-data score; with it, {with_it} do."
    )


def test_the_family_that_wins_is_named_first() -> None:
    study, _ = grid(lambda family, *rest: better("gan" if family == "ebgan" else "ebgan", *rest))
    assert found_in(study).title.startswith("GANs are easier to train here: a random GAN beats a random EBGAN ")


def test_a_finding_that_depends_on_the_classifier() -> None:
    def scores(family: str, shape: int, dropout: bool) -> tuple[float, ...]:
        value = float(shape)
        return (value + 5, value, value + 5) if family == "ebgan" else (value, value + 5, value)

    found = found_in(grid(scores)[0])
    assert found.verdict == "depends"
    high, low = (f"{100 * p:.0f} %" for p in (found.wins[0].probability, found.wins[1].probability))
    assert found.title == (
        "Whether EBGANs or GANs are easier to train here depends on the classifier: a random EBGAN beats a random GAN "
        f"{high} under strided, {low} under tanh, {high} under pooled of the time."
    )


def test_a_finished_grid_with_a_tie_under_one_classifier_depends_on_it() -> None:
    found = found_in(grid(lambda family, shape, dropout: (shape + 9.0 * (family == "ebgan"), 1.0, 1.0))[0])
    assert [win.probability for win in found.wins][1:] == [0.5, 0.5]
    assert found.verdict == "depends"


def test_a_difference_that_is_negligible() -> None:
    found = found_in(grid(lambda family, shape, dropout: (float(shape),) * 3)[0])
    assert found.verdict == "alike"
    assert found.title == (
        "EBGANs and GANs are about equally easy to train here: a random EBGAN beats a random GAN 50 % of the time, "
        "under every classifier."
    )


def test_of_two_settings_that_pass_as_often_the_one_with_the_larger_effect_on_the_mean_decides() -> None:
    """One trial of eight passes, with 4 layers and without dropout. Of the others, dropout alone lowers the scores."""
    scores = {(2, False): 4.0, (4, False): 4.1, (2, True): 1.0, (4, True): 1.1}
    rows = [
        cell(9.0 if (layers, dropout, seed) == (4, False, 0) else score, family="ebgan", seed=seed)
        | {"n_layer_g": layers, "dropout_d": dropout, "size_g": 50}
        for (layers, dropout), score in scores.items()
        for seed in (0, 1)
    ]
    (study,) = split_studies(results(rows))
    decides = found_in(study).decides
    assert decides == (
        "Without dropout in the discriminator 1 of 4 EBGANs pass a third of the real-data score; with it, none do."
    )


def test_an_unfinished_grid_with_few_shapes_decides_nothing() -> None:
    found = found_in(grid(better, n_shapes=3, unfinished=9)[0])
    assert found.verdict == "too few" and found.decides is None and not found.is_finished
    assert all(win.low is None and win.high is None for win in found.wins)
    assert found.title == (
        "Too few trials have ended to say whether EBGANs or GANs are easier to train: 3 shapes of EBGANs and 3 shapes "
        "of GANs so far, and it takes 10 of each."
    )
    assert all(share.low is not None and share.low < share.high for share in found.shares if share.high is not None)


def test_a_finished_grid_with_few_shapes_is_decided_without_an_interval() -> None:
    found = found_in(grid(better, n_shapes=3)[0])
    assert found.verdict == "robust"
    assert all(win.low is None and win.high is None for win in found.wins)


@pytest.mark.parametrize(("gap", "verdict"), [(0.0, "undecided"), (30.0, "robust")])
def test_an_unfinished_grid_is_decided_by_its_intervals(gap: float, verdict: str) -> None:
    def scores(family: str, shape: int, dropout: bool) -> tuple[float, ...]:
        value = float(np.random.default_rng([shape, family == "gan"]).uniform(0, 10))
        return (value + (gap if family == "ebgan" else 0),) * 3

    found = found_in(grid(scores, unfinished=5)[0])
    assert found.verdict == verdict
    if verdict == "undecided":
        assert found.title.startswith(
            "It is not decided yet whether EBGANs or GANs are easier to train: a random EBGAN"
        )
        assert found.title.endswith(" so far.")


@pytest.mark.parametrize(("n_failed", "verdict"), [(1, "robust"), (12, "undecided")])
def test_failed_trials_of_a_finished_grid_may_have_scored_anything(n_failed: int, verdict: str) -> None:
    rows = [cell(float(n % 5), size_g=n) for n in range(12)] + [cell(9.0, family="ebgan", size_g=n) for n in range(12)]
    rows += [cell(family="ebgan", size_g=n, seed=1, state="FAILED") for n in range(n_failed)]
    (study,) = split_studies(results(rows))
    found = found_in(study)
    assert found.wins[0].probability == 1.0 and found.is_finished
    assert found.verdict == verdict
    if verdict == "undecided":
        assert found.title.endswith("100 % of the time if only trials with a score count.")


def test_one_family_alone_and_one_classifier() -> None:
    (study,) = split_studies(results([cell(6.0), cell(9.0), cell(1.0), cell(1.5)]))
    found = found_in(study)
    assert found.verdict == "alone" and found.wins == ()
    assert found.title == "50 % of GANs score above a third of the real-data score."


@pytest.mark.parametrize("rows", [[cell()], [cell(1.0, real_score=None)], [cell(state="FAILED"), cell()]])
def test_without_scores_or_a_real_score_nothing_is_found(rows: list[dict[str, Any]]) -> None:
    (study,) = split_studies(results(rows))
    assert finding(study) is None
