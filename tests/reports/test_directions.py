"""Scores of which the lower is the better one: an experiment with a test error in percent, from rows to page."""

import importlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_results import cell, results

from reports import names
from reports.__main__ import fill
from reports.explorer.data import study_data
from reports.explorer.html import NO_ATTEMPTS, NO_SHEETS, explore
from reports.explorer.sheets import best_and_gallery
from reports.figures.figure import Sources
from reports.numbers.best_of_n import best_of_n
from reports.numbers.effects import variance_shares
from reports.numbers.learning_curves import learning_curves
from reports.numbers.samples import best_trials
from reports.numbers.study import Study, left_out, split_studies
from reports.numbers.survival import survival
from reports.page.page import render_page
from reports.page.summary import summary
from reports.report import make_sections
from search_spaces import experiment
from search_spaces.experiment import Score
from search_spaces.experiments.mnist_gan import MNIST_GAN
from search_spaces.space_file import load_space
from sweep.storage import Storage

ERROR = Score("error", "test error, %", higher_is_better=False, worst=100.0)
OTHER = replace(MNIST_GAN, name="other", scores=(ERROR, *MNIST_GAN.scores[1:]))
# Words of the project's first experiment and of its paper.
OF_THE_FIRST = (
    *("mnist", "e?bgan", "gan", "zhao", "paper", "real digits", "ten classes", "classifier", "lost modes"),
    *("nats", "inception", "margin", "generat", "discriminator", "energy", "z seed", "noise"),
)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "experiments", lambda: {"mnist_gan": MNIST_GAN, "other": OTHER})


def rows_of(*errors: float | None, lr: float = 1e-3) -> pd.DataFrame:
    """One trial per error, each of a shape of its own; None has diverged."""
    rows = [cell(None, state="DIVERGED") if error is None else cell(1.0) for error in errors]
    made = results(row | {"experiment": "other", "lr": lr} for row in rows)
    return made.assign(error=[np.nan if error is None else error for error in errors], real_score=None)


def study_of(*errors: float | None) -> Study:
    (study,) = split_studies(rows_of(*errors))
    return study


def test_a_diverged_trial_counts_as_the_worst_score() -> None:
    assert list(study_of(3.0, None, 5.0).prefix["value"]) == [3.0, 100.0, 5.0]


def test_without_a_worst_score_a_diverged_trial_counts_as_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    open_ended = replace(OTHER, scores=(replace(ERROR, worst=None), *OTHER.scores[1:]))
    monkeypatch.setattr(experiment, "experiments", lambda: {"other": open_ended})
    study = study_of(3.0, None, 5.0)
    assert list(study.prefix["value"].dropna()) == [3.0, 5.0]
    table = survival(study.prefix, study.trials, study.score)
    assert table["share"].iloc[0] == 0.5  # of the two with a value
    assert (table["low"].iloc[0], table["high"].iloc[0]) == pytest.approx((1 / 3, 2 / 3))


def test_rounding_puts_no_score_beyond_the_worst() -> None:
    assert study_of(100.0 + 1e-9).prefix["value"].max() == 100.0


def test_the_best_of_n_is_the_lowest() -> None:
    study = study_of(3.0, None, 5.0, 40.0)
    table = best_of_n(study.prefix, ERROR).set_index("n")
    assert table.loc[4, "mean"] == table.loc[4, "low"] == table.loc[4, "high"] == 3.0
    assert table.loc[1, "mean"] == pytest.approx((3 + 100 + 5 + 40) / 4)
    assert (table["low"] <= table["mean"]).all() and (table["mean"] <= table["high"]).all()


def test_survival_counts_trials_below() -> None:
    study = study_of(3.0, None, 5.0, 40.0)
    table = survival(study.prefix, study.trials, ERROR)
    values = study.prefix["value"]
    assert table["score"].iloc[0] == 100.0 and table["score"].is_monotonic_decreasing
    for row in table.to_dict("records"):
        assert row["share"] == row["low"] == row["high"] == (values < row["score"]).mean()


def test_the_best_trial_and_the_ranks_follow_the_direction() -> None:
    study = study_of(30.0, 3.0, None, 5.0)
    assert list(best_trials(study.trials, OTHER)["error"]) == [3.0]
    error = study.trials.set_index("trial_id")["error"]
    lowest, *_, highest = best_and_gallery(study.trials, study.prefix, ERROR, 4)
    assert error[lowest] == 3.0
    assert np.isnan(error[highest])  # the diverged one is the worst
    study = study_of(*map(float, range(101)))
    error = study.trials.set_index("trial_id")["error"]
    shown = [error[trial_id] for trial_id in best_and_gallery(study.trials, study.prefix, ERROR, 10)]
    assert sorted(shown) == [0, 1, 2, 3, 10, 25, 50, 75, 90, 100]


def test_a_learning_curve_goes_on_at_the_worst_score() -> None:
    study = study_of(4.0, None)
    one, lost = study.prefix["trial_id"]
    steps = [
        {"trial_id": t, "step": n, "score": s} for t, n, s in ((one, 100, 9.0), (one, 300, 4.0), (lost, 100, 50.0))
    ]
    table = learning_curves(study.prefix, pd.DataFrame(steps), ERROR)
    assert list(table["mean"]) == [(9.0 + 50.0) / 2, (4.0 + 100.0) / 2]


def test_an_estimate_of_what_matters_looks_for_low_scores() -> None:
    """A hundred trials in which one learning rate alone scores well; PED-ANOVA looks at the best tenth."""
    rng = np.random.default_rng(0)
    rows = [cell(1.0, lr=lr, seed=seed) | {"size_g": 50} for lr in (0.1, 0.2, 0.3, 0.4) for seed in range(25)]
    low = [row["lr"] == 0.1 for row in rows]
    errors = [
        rng.uniform(0, 10) + (not good) * (50 + 9 * (row["seed"] > 20)) for row, good in zip(rows, low, strict=True)
    ]
    made = results(row | {"experiment": "other"} for row in rows).assign(error=errors)
    (study,) = split_studies(made)
    known = study.prefix.iloc[:99]
    right, wrong = (
        variance_shares(known, study.trials, replace(ERROR, higher_is_better=higher)).set_index("axis")["share"]["lr"]
        for higher in (False, True)
    )
    assert right > 0.65 and wrong < 0.5


def test_the_explorer_is_told_the_direction() -> None:
    study = study_of(3.0, None)
    data = study_data(study, study.trials, study.prefix, "some", NO_ATTEMPTS, NO_SHEETS)
    first = {"name": "error", "label": "test error, %", "worst": 100.0, "higher": False, "decimals": 3}
    assert data["scores"][0] == first
    assert data["rows"]["error"] == [3, None] and "score" not in data["rows"]
    assert data["published"] == {} and [preset["key"] for preset in data["presets"]] == ["all"]


def test_a_report_has_the_general_figures(sweeps: pd.DataFrame) -> None:
    rows = pd.concat([rows_of(3.0, None, 5.0), rows_of(8.0, 9.0, 7.0, lr=1e-2)], ignore_index=True)
    rows = rows.assign(trial_id=[f"{n:016x}" for n in range(6)], position=range(6))
    (section,) = make_sections(rows, Sources())
    assert [figure.key for figure in section.figures] == [
        "survival",
        "best-of-n",
        "what-matters",
        "main-effects",
        "pairs",
    ]
    page = render_page([section], sweeps, [], explore([section.study], "sqlite:///some.db"))
    assert "scores below s" in page and "real-data score" not in page and "Scores depend on the classifier" not in page


def test_two_experiments_in_one_database_are_two_studies() -> None:
    first = results([cell(2.0)]).assign(experiment="mnist_gan", error=np.nan)
    found = split_studies(pd.concat([first, rows_of(3.0, 4.0).assign(trial_id=["a", "b"])], ignore_index=True))
    assert [(study.experiment.name, list(study.prefix["value"])) for study in found] == [
        ("other", [3.0, 4.0]),
        ("mnist_gan", [2.0]),
    ]


def test_an_experiment_of_another_package_has_a_report(monkeypatch: pytest.MonkeyPatch, sweeps: pd.DataFrame) -> None:
    """Its axes, its training settings and its score are columns of their own; those of GANs are NULL."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "sweep" / "tiny_digits")
    tiny = importlib.import_module("tiny_digits").TINY_DIGITS
    for module in (experiment, names):
        monkeypatch.setattr(module, "experiments", lambda: {"mnist_gan": MNIST_GAN, "tiny_digits": tiny})
    for cached in (names._families, names._axes):
        monkeypatch.setattr(names, cached.__name__, cached.__wrapped__)
    rows = rows_of(8.0, None, 12.0, 30.0).assign(experiment="tiny_digits", family="logistic", space="some/digits")
    absent = {*MNIST_GAN.axes, *MNIST_GAN.training_columns, "classifier"} - {"lr", "seed", "steps", "batch_size"}
    rows = rows.assign(**dict.fromkeys(absent), side=[8, 8, 16, 16], lr=[0.1, 0.2, 0.1, 0.2], decay=0.0, n_train=1000)
    rows = rows.rename(columns={"error": "test_error"})
    (section,) = make_sections(rows)
    assert section.study.training == {"steps": 300, "batch_size": 64, "n_train": 1000}
    assert [figure.key for figure in section.figures][-3:] == ["what-matters", "main-effects", "pairs"]
    assert set(section.figures[-2].table["axis"]) == {"side", "lr"}
    sweeps = sweeps.assign(spaces=[{"some/digits": {"family": "logistic"}}])
    page = render_page([section], sweeps, [], explore([section.study], "sqlite:///some.db"))
    assert "300 steps of 64 images" in page and '<p class="eyebrow">Logistic regression on digits</p>' in page
    lines = summary(Path("index.html"), [section], [])
    assert "grid some/digits: 300 steps of 64 images" in lines
    told = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", page, flags=re.DOTALL)
    assert '"label":"test error, %"' in told  # the data of the explorer is still there
    assert [word for word in OF_THE_FIRST if re.search(rf"\b{word}", told + lines, re.IGNORECASE)] == []


def test_trials_of_an_experiment_that_is_not_installed_are_left_out_and_counted() -> None:
    rows = [cell(3.0, experiment="unheard-of", space=space, trial_id="one trial") for space in ("a/b", "a/c")]
    rows = results([cell(2.0), *rows, cell(experiment="else"), cell(experiment="else")])
    (study,) = split_studies(rows)
    assert list(study.prefix["value"]) == [2.0] and study.notes == ()
    assert left_out(rows) == [
        "2 trials of the experiment else are left out: it is not installed here.",
        "1 trial of the experiment unheard-of is left out: it is not installed here.",
    ]


@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.usefixtures("undrawn")
def test_the_page_and_the_terminal_say_what_is_left_out(is_alone: bool, tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/results.db", create=True)
    cells = list(load_space("laptop/mnist_ebgan").trials())[:3]
    storage.add_trials(storage.declare("made", {}, {}, "1"), cells)
    with storage._database.write() as connection:
        known = "" if is_alone else f"WHERE trial_id != '{cells[0].trial_id}'"
        connection.exec_driver_sql(f"UPDATE trials SET experiment = '<unheard>' {known}")
    words = fill(tmp_path, storage, tmp_path, None)
    n = len(cells) - (not is_alone)
    assert f"{n} trials of the experiment <unheard> are left out: it is not installed here." in words.splitlines()
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count(f"{n} trials of the experiment &lt;unheard&gt; are left out: it is not installed here.") == 1
    assert "rials are declared" not in words + page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dropout_rate", "z_dim", "data"])
def test_a_setting_that_is_null_drops_no_trial(name: str) -> None:
    found = split_studies(results([cell(1.0, **{name: None}), cell(2.0, **{name: None}), cell(3.0)]))
    assert [list(study.prefix["value"]) for study in found] == [[1.0, 2.0], [3.0]]
    assert name not in found[0].training and name in found[1].training
    make_sections(results([cell(1.0, **{name: None})]))
