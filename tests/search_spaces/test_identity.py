"""A trial's identity: fixed for ever, the same however it is declared, another for every other setting."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from search_spaces.experiments.mnist_gan import MNIST_GAN, GanScoring, GanSettings, GanTraining
from search_spaces.space import SearchSpace
from search_spaces.space_file import load_space
from search_spaces.trial import Trial, trial_of

TRIAL = Trial(
    space="anywhere",
    experiment="mnist_gan",
    family="ebgan_pt",
    settings=GanSettings(3, 2, 400, 128, True, "adam", "sgd", lr=0.001, margin=10.0, pt_weight=0.1),
    training=GanTraining(steps=4690, batch_size=128),
    scoring=GanScoring(),
)
OTHER_AXES = {
    "n_layer_g": 2,
    "n_layer_d": 3,
    "size_g": 128,
    "size_d": 400,
    "dropout_d": False,
    "optim_g": "sgd",
    "optim_d": "adam",
    "lr": 0.0010000000000000002,
    "margin": 0.1,
    "pt_weight": 10.0,
    "norm_d": "joint",
    "seed": 1,
}
OTHER_TRAINING = {
    "data": "other",
    "steps": 4691,
    "batch_size": 100,
    "z_dim": 128,
    "betas": (0.999, 0.5),
    "dropout_rate": 0.25,
    "precision": "tf32",
}
SPACE = """
family: ebgan
axes: {{n_layer_g: [2], n_layer_d: [2], size_g: [8], size_d: [8], lr: [{lr}], margin: [{margin}]}}
fixed: {{dropout_d: false, optim_g: adam, optim_d: adam{seed}}}
training: {{steps: 5, batch_size: 4, betas: {betas}}}
"""


def test_identity_ignores_who_declares_it_and_how_it_is_scored() -> None:
    assert replace(TRIAL, space="elsewhere", also=("b",)).trial_id == TRIAL.trial_id
    assert replace(TRIAL, scoring=GanScoring(n_samples=500, z_seed=7)).trial_id == TRIAL.trial_id


def test_the_cases_below_are_all_there_are() -> None:
    assert set(OTHER_AXES) == set(MNIST_GAN.axes)
    assert set(OTHER_TRAINING) == {field.name for field in fields(GanTraining)}
    declared = {field.name for field in fields(Trial)}
    assert declared == {"space", "also", "experiment", "family", "settings", "training", "scoring"}


def test_every_axis_and_every_training_setting_changes_identity() -> None:
    changed = [TRIAL.changed(**{name: value}) for name, value in OTHER_AXES.items()]
    changed += [TRIAL.changed(**{name: value}) for name, value in OTHER_TRAINING.items()]
    changed += [replace(TRIAL, family="ebgan"), TRIAL.changed(margin=None), TRIAL]
    assert len({trial.trial_id for trial in changed}) == len(changed)


@pytest.mark.parametrize("axis", ["n_layer_g", "n_layer_d", "size_g", "size_d"])
def test_shape_axes_change_the_shape(axis: str) -> None:
    assert TRIAL.changed(**{axis: OTHER_AXES[axis]}).shape != TRIAL.shape


@pytest.mark.parametrize("axis", ["norm_d", "dropout_d", "optim_g", "optim_d", "lr", "margin", "pt_weight", "seed"])
def test_stackable_axes_do_not_change_the_shape(axis: str) -> None:
    assert TRIAL.changed(**{axis: OTHER_AXES[axis]}).shape == TRIAL.shape


def test_an_axis_that_came_later_changes_identity_only_where_its_value_is_new() -> None:
    gan = replace(TRIAL, family="gan").changed(margin=None, pt_weight=None)
    assert gan.changed(norm_d="separate").trial_id == gan.changed(norm_d=None).trial_id
    assert gan.changed(norm_d="joint").trial_id != gan.trial_id
    assert gan.changed(norm_d="joint").shape == gan.shape
    row = gan.changed(norm_d="separate").columns
    assert trial_of(row | {"norm_d": None}, gan.scoring) == gan.changed(norm_d="separate")
    assert trial_of(TRIAL.columns, TRIAL.scoring) == TRIAL


def test_a_grid_and_its_record_from_before_an_axis_came_are_one_grid(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    axes = "n_layer_g: [2], n_layer_d: [2], size_g: [8], size_d: [8], lr: [0.1], norm_d: {norms}"
    rest = "fixed: {{dropout_d: false, optim_g: adam, optim_d: adam}}\ntraining: {{steps: 5, batch_size: 4}}"
    form = f"family: gan\naxes: {{{{{axes}}}}}\n{rest}\n"

    def grid(norms: str) -> SearchSpace:
        file.write_text(form.format(norms=norms))
        return load_space(str(file))

    record = grid("[separate]").as_dict()
    older = record | {"axes": {name: values for name, values in record["axes"].items() if name != "norm_d"}}
    assert grid("[separate]").shares_trials(older)
    assert not grid("[joint]").shares_trials(older)
    assert grid("[separate, joint]").conflict({"space": older}) is None
    assert str(grid("[joint]").conflict({"space": older})).startswith("axes.norm_d ")


def test_only_auto_encoders_share_a_program() -> None:
    assert replace(TRIAL, family="ebgan").shape == TRIAL.shape
    assert replace(TRIAL, family="gan").shape != TRIAL.shape
    assert replace(TRIAL, scoring=GanScoring(n_samples=500)).shape != TRIAL.shape
    assert TRIAL.changed(steps=1).shape != TRIAL.shape


def test_a_number_written_in_another_way_is_the_same_trial(tmp_path: Path) -> None:
    plain = {"lr": "0.001", "margin": "10", "betas": "[0, 0.999]", "seed": ""}
    ids = set()
    for change in (
        {},
        {"lr": "1e-3"},
        {"lr": "1.0E-3"},
        {"margin": "10.0"},
        {"betas": "[0.0, 0.999]"},
        {"seed": ", seed: 0"},
    ):
        file = tmp_path / "space.yaml"
        file.write_text(SPACE.format(**plain | change))
        (trial,) = load_space(str(file)).trials()
        ids.add(trial.trial_id)
    assert len(ids) == 1
