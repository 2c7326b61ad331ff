"""The shipped grids are the paper's table 1, and the laptop grids are the same with widths divided by 8."""

import itertools
from dataclasses import replace

import pytest

from search_spaces.experiments.mnist_gan import MNIST_GAN
from search_spaces.space import expand
from search_spaces.space_file import load_space, shipped_spaces
from search_spaces.trial import Trial

# Zhao et al. (2016), table 1.
TABLE_1 = {
    "n_layer_g": (2, 3, 4, 5),
    "n_layer_d": (2, 3, 4, 5),
    "size_g": (400, 800, 1600, 3200),
    "size_d": (128, 256, 512, 1024),
    "dropout_d": (True, False),
}
GAN_ONLY = {"optim_g": ("adam", "sgd"), "optim_d": ("adam", "sgd"), "lr": (0.01, 0.001, 0.0001)}
EBGAN_ONLY = {"optim_g": ("adam",), "optim_d": ("adam",), "lr": (0.001,)}
# Figure 9: the best EBGAN of figure 4 under eight margins.
FIGURE_9 = {
    "n_layer_g": (5,),
    "n_layer_d": (2,),
    "size_g": (1600,),
    "size_d": (1024,),
    "dropout_d": (False,),
    "margin": (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0),
}
NO_MARGIN = {"margin": (None,), "pt_weight": (None,), "norm_d": ("separate",)}
NO_SEEDS = {"norm_d": (None,), "seed": (0,)}
GRIDS = {
    "mnist_gan": (
        6144,
        TABLE_1 | GAN_ONLY | NO_SEEDS | NO_MARGIN,
    ),
    "mnist_ebgan": (512, TABLE_1 | EBGAN_ONLY | NO_SEEDS | {"margin": (10.0,), "pt_weight": (0.0,)}),
    "mnist_ebgan_pt": (512, TABLE_1 | EBGAN_ONLY | NO_SEEDS | {"margin": (10.0,), "pt_weight": (0.1,)}),
    "mnist_margin": (8, FIGURE_9 | EBGAN_ONLY | NO_SEEDS | {"pt_weight": (0.0,)}),
}


def cell(trial: Trial) -> tuple[object, ...]:
    return MNIST_GAN.axis_values(trial.settings)


def test_the_grids_are_shipped_and_every_shipped_space_loads() -> None:
    assert set(shipped_spaces()) >= {f"{folder}/{name}" for folder in ("laptop", "paper") for name in GRIDS}
    for name in shipped_spaces():
        space = load_space(name)
        assert space.name == name
        assert next(iter(space.trials())).family == space.family


@pytest.mark.parametrize("name", GRIDS)
def test_paper_grid_is_the_plain_product_of_the_table(name: str) -> None:
    count, table = GRIDS[name]
    trials = list(load_space(f"paper/{name}").trials())
    assert len(trials) == count
    assert {cell(trial) for trial in trials} == set(itertools.product(*(table[axis] for axis in MNIST_GAN.axes)))
    family = {"mnist_gan": "gan", "mnist_ebgan_pt": "ebgan_pt"}.get(name, "ebgan")
    assert {trial.family for trial in trials} == {family}


@pytest.mark.parametrize("name", GRIDS)
def test_laptop_grid_is_the_papers_with_widths_divided_by_8(name: str) -> None:
    paper, laptop = load_space(f"paper/{name}"), load_space(f"laptop/{name}")
    assert list(laptop.axes) == list(paper.axes) == list(MNIST_GAN.axes)
    for axis in MNIST_GAN.axes:
        divisor = 8 if axis in ("size_g", "size_d") else None
        expected = tuple(value // divisor for value in paper.axes[axis]) if divisor else paper.axes[axis]
        assert laptop.axes[axis] == expected
    assert laptop.family == paper.family
    assert laptop.training.steps < paper.training.steps
    assert laptop.training.batch_size <= paper.training.batch_size
    same = {"steps": 0, "batch_size": 0}
    assert replace(laptop.training, **same) == replace(paper.training, **same)


@pytest.mark.parametrize("name", GRIDS)
def test_example_grid_is_the_laptops_of_one_width(name: str) -> None:
    example, laptop = load_space(f"example/{name}"), load_space(f"laptop/{name}")
    for axis in MNIST_GAN.axes:
        assert example.axes[axis] == {"size_g": (100,), "size_d": (64,)}.get(axis, laptop.axes[axis])
    assert replace(example.training, steps=0) == replace(laptop.training, steps=0)


@pytest.mark.parametrize("folder", ["paper", "laptop", "example"])
def test_all_spaces_of_a_folder_train_and_score_alike(folder: str) -> None:
    spaces = [load_space(f"{folder}/{name}") for name in GRIDS]
    assert len({(space.training, space.scoring) for space in spaces}) == 1


@pytest.mark.parametrize("folder", ["paper", "laptop"])
def test_ebgan_pt_is_ebgan_with_the_pull_away_term(folder: str) -> None:
    plain = [t.changed(family="ebgan_pt", pt_weight=0.1) for t in load_space(f"{folder}/mnist_ebgan").trials()]
    with_term = list(load_space(f"{folder}/mnist_ebgan_pt").trials())
    assert [trial.trial_id for trial in with_term] == [trial.trial_id for trial in plain]


def test_every_cell_of_the_paper_has_its_own_identity() -> None:
    trials = expand([load_space(f"paper/{name}") for name in GRIDS])
    assert len({trial.trial_id for trial in trials}) == len(trials) == 6144 + 512 + 512 + 8
