"""The finding under each classifier and at each step, against plain pandas and scipy."""

import numpy as np
import pytest
from made_results import REAL_SCORE, cell, identities, results, steps_of
from scipy.stats import mannwhitneyu, spearmanr

from reports.figures.by_classifier import classifiers_figures
from reports.figures.figure import Sources
from reports.figures.training_length import training_length_figure
from reports.numbers.by_classifier import by_classifier, rank_correlations, references
from reports.numbers.study import Study, split_studies
from reports.numbers.training_length import by_step

NETWORKS = ("strided", "tanh", "pooled")
STEPS = (100, 200, 300)
N = 20


def made(n_failed: int = 0) -> tuple[Study, dict[tuple[str, int], np.ndarray]]:
    """Twenty GANs and twenty EBGANs, and their scores by classifier and step; the first GANs have failed."""
    rng = np.random.default_rng(0)
    is_ebgan = np.arange(2 * N) >= N
    scores = {(c, s): rng.uniform(0, 8, 2 * N) + is_ebgan * s / 100 for c in NETWORKS for s in STEPS}
    scores["tanh", 300][:N] = 0.0
    states = ["FAILED" if n < n_failed else "COMPLETE" for n in range(2 * N)]
    rows = [
        cell(None if state == "FAILED" else float(scores["strided", 300][n]), state=state, size_g=n % N, lr=0.001)
        | {"family": "ebgan" if is_ebgan[n] else "gan", "space": "laptop/x" + str(is_ebgan[n])}
        for n, state in enumerate(states)
    ]
    steps = {
        i + 1: {s: [None if n < n_failed else float(v) for n, v in enumerate(scores[c, s])] for s in STEPS}
        for i, c in enumerate(NETWORKS)
    }
    (study,) = split_studies(results(rows), steps_of(steps), identities(*NETWORKS))
    return study, scores


def won(values: np.ndarray, first: int = 0) -> float:
    ebgan, gan = values[N:], values[first:N]
    return float(mannwhitneyu(ebgan, gan).statistic / len(ebgan) / len(gan))


def test_each_classifier_has_its_probability_and_shares() -> None:
    study, scores = made()
    table = by_classifier(study).set_index(["measure", "family", "classifier"])
    for n, name in enumerate(NETWORKS):
        values = scores[name, 300]
        found = table.loc[("probability of winning", "EBGAN", name)]
        assert found["estimate"] == pytest.approx(won(values)) and found["other"] == "GAN"
        assert found["low"] <= found["estimate"] <= found["high"]
        for k in (1, 2):
            share = table.loc[(f"share above {k}/3", "EBGAN", name)]
            assert share["estimate"] == pytest.approx((values[N:] > (REAL_SCORE - n) * k / 3).mean())
            assert np.isnan(share["low"])  # the grid is finished


def test_rank_correlations_are_spearman_s() -> None:
    study, scores = made()
    table = rank_correlations(study).set_index(["one", "other", "family"])["correlation"]
    for one, other in (("strided", "tanh"), ("strided", "pooled"), ("tanh", "pooled")):
        x, y = scores[one, 300], scores[other, 300]
        assert table[one, other, "all"] == pytest.approx(spearmanr(x, y).statistic)
        assert table[one, other, "ebgan"] == pytest.approx(spearmanr(x[N:], y[N:]).statistic)
    assert np.isnan(table["strided", "tanh", "gan"]) and not np.isnan(table["strided", "pooled", "gan"])


def test_each_classifier_has_what_it_gives_to_images_of_no_training() -> None:
    study, _ = made()
    table = references(study).set_index("classifier")
    assert list(table.index) == list(NETWORKS)
    assert list(table["real digits"]) == [REAL_SCORE - n for n in range(3)]
    assert table.loc["tanh", "untrained generators, highest of 48"] == 0.603
    assert (table["one image, many times"] == 0).all()


@pytest.mark.parametrize("n_failed", [0, 5])
def test_every_step_and_classifier_has_its_finding(n_failed: int) -> None:
    study, scores = made(n_failed)
    table = by_step(study).set_index(["measure", "family", "classifier", "step"])["estimate"]
    for (name, step), values in scores.items():
        assert table["probability of winning", "EBGAN", name, step] == pytest.approx(won(values, n_failed))
        third = (REAL_SCORE - NETWORKS.index(name)) / 3
        assert table["share above 1/3", "EBGAN", name, step] == pytest.approx((values[N:] > third).mean())
        assert table["share above 1/3", "GAN", name, step] == pytest.approx((values[n_failed:N] > third).mean())


def test_a_step_at_which_a_trial_was_not_scored_is_left_out() -> None:
    rows = results([cell(6.0), cell(3.0), cell(state="DIVERGED")])
    scores = {1: {100: [1.0, 2.0, None], 200: [5.0, None, None], 300: [6.0, 3.0, None]}}
    (study,) = split_studies(rows, steps_of(scores), identities("strided"))
    table = by_step(study)
    assert list(table["step"]) == [100, 300]
    assert list(table["estimate"]) == [0.0, pytest.approx(1 / 3)]


def test_figures_are_drawn_where_there_is_something_to_compare() -> None:
    study, _ = made()
    drawn = [*classifiers_figures(study, Sources()), *training_length_figure(study, Sources())]
    assert [figure.key for figure in drawn] == ["classifiers", "rank-correlations", "references", "training-length"]
    svg = drawn[0].picture.svg.decode()
    assert all(name in svg for name in (*NETWORKS, "probability of winning", "share above 2/3"))
    assert drawn[1].picture.svg.decode().count("\N{EN DASH}") == 2  # the tanh classifier gives all GANs the same score
    (plain,) = split_studies(results([cell(6.0), cell(3.0, family="ebgan")]))
    assert [*classifiers_figures(plain, Sources()), *training_length_figure(plain, Sources())] == []
