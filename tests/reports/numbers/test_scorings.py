"""A study as every classifier and every scored step shows it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_results import REAL_SCORE, cell, full_results, full_steps, identities, results, steps_of

from reports.numbers.study import Study, split_studies

NAN = float("nan")


def three_trials() -> Study:
    """One complete trial; one that diverged after step 100; one that failed."""
    rows = results([cell(6.0), cell(state="DIVERGED"), cell(state="FAILED")])
    scores = {
        1: {100: [1.0, 2.0, None], 300: [6.0, None, None]},
        2: {100: [3.0, 4.0, None], 200: [3.5, NAN, None], 300: [5.0, None, None]},
    }
    (study,) = split_studies(rows, steps_of(scores), identities("strided", "tanh", "pooled"))
    return study


def test_the_classifiers_are_those_that_scored_by_rank_the_study_s_own_first() -> None:
    study = three_trials()
    assert [(one.network, one.identity_id, one.rank) for one in study.classifiers] == [
        ("strided", 1, 0),
        ("tanh", 2, 1),
    ]
    assert study.identity == study.classifiers[0]
    assert [one.real_score for one in study.classifiers] == [REAL_SCORE, REAL_SCORE - 1]
    assert study.scored_steps == (100, 200, 300)


def test_the_first_classifier_at_the_last_step_is_the_study_itself() -> None:
    study = three_trials()
    assert study.seen() is study
    assert study.seen(study.classifiers[0], 300) is study


def test_a_view_of_a_view_changes_one_thing_at_a_time() -> None:
    study = three_trials()
    early = study.seen(step=100)
    assert (early.step, early.identity) == (100, study.classifiers[0])
    other = early.seen(study.classifiers[1])
    assert (other.step, other.identity) == (100, study.classifiers[1])
    assert list(other.trials["value"][:2]) == [3.0, 4.0]
    assert other.seen(study.classifiers[0], 300) is study


@pytest.mark.parametrize(
    ("classifier", "step", "outcomes", "values"),
    [
        (0, 100, ["scored", "scored", "failed"], [1.0, 2.0, NAN]),
        (0, 200, ["unscored", "unscored", "failed"], [NAN, NAN, NAN]),  # the other classifier has a row there
        (1, 200, ["scored", "diverged", "failed"], [3.5, 0.0, NAN]),
        (1, None, ["scored", "diverged", "failed"], [5.0, 0.0, NAN]),
        (None, 100, ["scored", "scored", "failed"], [1.0, 2.0, NAN]),
    ],
)
def test_a_view_has_the_outcomes_and_scores_of_its_classifier_and_step(
    classifier: int | None, step: int | None, outcomes: list[str], values: list[float]
) -> None:
    study = three_trials()
    one = None if classifier is None else study.classifiers[classifier]
    seen = study.seen(one, step)
    for rows in (seen.trials, seen.prefix):
        assert list(rows["outcome"]) == outcomes
        np.testing.assert_array_equal(rows["value"], values)
    scores = np.where(seen.trials["outcome"] == "scored", values, NAN)
    np.testing.assert_array_equal(seen.trials["score"], scores)
    np.testing.assert_array_equal(seen.trials["score_fraction"], scores / (seen.real_score or NAN))
    assert seen.real_score == REAL_SCORE - (classifier or 0)


def test_a_trial_that_waits_is_seen_nowhere() -> None:
    rows = results([cell(6.0), cell()])
    (study,) = split_studies(rows, steps_of({1: {100: [1.0, 2.0], 300: [6.0, None]}}), identities("strided"))
    seen = study.seen(step=100)
    assert list(seen.trials["outcome"]) == ["scored", "waiting"]
    assert list(seen.prefix["value"]) == [1.0]


def test_of_identities_with_one_rank_the_commonest_is_a_companion() -> None:
    known = identities("strided", "tanh", "tanh").assign(rank=[0, 1, 1])
    scores = {1: {300: [1.0, 2.0]}, 2: {300: [1.0, None]}, 3: {300: [3.0, 4.0]}}
    (study,) = split_studies(results([cell(1.0), cell(2.0)]), steps_of(scores), known)
    assert [one.identity_id for one in study.classifiers] == [1, 3]


@pytest.mark.parametrize("other", [{"formula": "other"}, {"n_samples": 10}, {"z_seed": 5}])
def test_scores_of_another_kind_are_no_companions(other: dict[str, object]) -> None:
    known = pd.concat([identities("strided"), identities("strided", "tanh", **other).iloc[1:]])
    scores = {1: {300: [1.0]}, 2: {300: [3.0]}}
    (study,) = split_studies(results([cell(1.0)]), steps_of(scores), known)
    assert [one.identity_id for one in study.classifiers] == [1]


def test_without_steps_there_is_one_classifier_and_one_step() -> None:
    (study,) = split_studies(results([cell(1.0)]))
    assert [one.name for one in study.classifiers] == ["cccccccc"]
    assert study.scored_steps == (300,)
    assert study.seen() is study
    (waiting,) = split_studies(results([cell()]))
    assert waiting.classifiers == () and waiting.scored_steps == (300,)


def test_a_trial_of_two_spaces_is_seen_in_both() -> None:
    rows = results([cell(1.0), cell(2.0)])
    rows = pd.concat([rows, rows.assign(space="laptop/more")], ignore_index=True)
    (study,) = split_studies(rows, steps_of({1: {100: [0.5, 0.7], 300: [1.0, 2.0]}}), identities("strided"))
    assert list(study.seen(step=100).prefix["value"]) == [0.5, 0.7]


def test_views_of_many_trials_are_what_a_merge_gives() -> None:
    (study,) = split_studies(full_results(), full_steps(), identities("strided"))
    assert study.scored_steps == (75, 150, 225, 300)
    steps = full_steps()
    expected = study.trials[["trial_id"]].merge(steps[steps["step"] == 150], how="left")["score"]
    np.testing.assert_array_equal(study.seen(step=150).trials["score"], expected)


def test_a_database_gives_its_classifiers(database: Path) -> None:
    from sweep.storage import Storage

    storage = Storage(f"sqlite:///{database}")
    (study,) = split_studies(storage.results_by_space(), storage.steps(), storage.identities())
    storage.close()
    assert [(one.network, one.accuracy) for one in study.classifiers] == [("some", 0.99)]
