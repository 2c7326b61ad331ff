"""The order of a grid: seeded, whole shapes at a time, and any first part of it a fair sample."""

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from scipy import stats

from search_spaces.experiments.mnist_gan import MNIST_GAN, GanScoring, GanTraining
from search_spaces.space import SearchSpace, SpaceError, check_names, expand
from search_spaces.space_file import load_space

SMALL: dict[str, tuple[object, ...]] = {
    "n_layer_g": (2, 3),
    "n_layer_d": (2, 3, 4),
    "size_g": (8, 16),
    "size_d": (8,),
    "dropout_d": (True, False),
    "optim_g": ("adam",),
    "optim_d": ("adam",),
    "lr": (0.1, 0.01),
    "margin": (None,),
    "pt_weight": (None,),
    "norm_d": ("separate",),
    "seed": (0,),
}


def space(name: str = "small", **axes: tuple[object, ...]) -> SearchSpace:
    training, scoring = GanTraining(steps=10, batch_size=8, z_dim=4), GanScoring(n_samples=500)
    return SearchSpace(name, name, "mnist_gan", "gan", SMALL | axes, training, scoring)


def ids(spaces: list[SearchSpace], seed: int = 0) -> list[str]:
    return [trial.trial_id for trial in expand(spaces, seed)]


def test_expansion_is_the_product_each_cell_once() -> None:
    trials = expand([space()])
    cells = [MNIST_GAN.axis_values(trial.settings) for trial in trials]
    assert len(cells) == 48
    assert set(cells) == set(itertools.product(*(SMALL[axis] for axis in MNIST_GAN.axes)))


def test_one_seed_gives_one_order_and_another_seed_another() -> None:
    orders = [ids([space()], seed) for seed in range(20)]
    assert ids([space()], 7) == orders[7]
    assert len({tuple(order) for order in orders}) == 20
    assert {frozenset(order) for order in orders} == {frozenset(orders[0])}


def test_shapes_are_kept_whole() -> None:
    trials = expand([space(), space("more", lr=(0.3,))])
    runs = [shape for shape, _ in itertools.groupby(trials, key=lambda trial: trial.shape)]
    assert len(runs) == len(set(runs)) == 12
    assert len(trials) == 48 + 24


@pytest.mark.parametrize(
    "added",
    [{"n_layer_g": (4, 3, 2)}, {"size_d": (8, 4)}, {"lr": (0.5, 0.1, 0.01)}, {"dropout_d": (False, True)}],
    ids=lambda added: next(iter(added)),
)
def test_adding_values_keeps_the_order_of_the_shapes_there_were(added: dict[str, tuple[object, ...]]) -> None:
    before, after = expand([space()]), expand([space(**added)])
    old = {trial.trial_id for trial in before}
    assert old <= {trial.trial_id for trial in after}
    shapes = [shape for shape, _ in itertools.groupby(before, key=lambda trial: trial.shape)]
    kept = (trial for trial in after if trial.trial_id in old)
    assert [shape for shape, _ in itertools.groupby(kept, key=lambda trial: trial.shape)] == shapes


def test_adding_values_keeps_the_order_of_trials_within_a_shape() -> None:
    before = ids([space()])
    assert [i for i in ids([space(lr=(0.1, 0.05, 0.01, 0.001))]) if i in set(before)] == before


def test_a_second_space_keeps_the_order_of_the_first() -> None:
    before = ids([space()])
    assert [i for i in ids([space(), space("more", n_layer_g=(5,))]) if i in set(before)] == before


def test_the_place_of_a_shape_is_uniform_over_seeds() -> None:
    firsts: Counter[object] = Counter()
    places: Counter[int] = Counter()
    cells = space(dropout_d=(True,), lr=(0.1,))
    watched = next(iter(cells.trials())).shape
    for seed in range(1200):
        shapes = [trial.shape for trial in expand([cells], seed)]
        firsts[shapes[0]] += 1
        places[shapes.index(watched)] += 1
    assert len(firsts) == len(places) == 12
    assert stats.chisquare(list(firsts.values())).pvalue > 0.01
    assert stats.chisquare(list(places.values())).pvalue > 0.01


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_first_part_of_the_papers_grid_has_each_value_as_often_as_the_grid(seed: int) -> None:
    trials = expand([load_space("paper/mnist_gan")], seed)
    shapes = list(dict.fromkeys(trial.shape for trial in trials))
    assert len(shapes) == 256
    part = shapes[:64]
    for place, axis in enumerate(MNIST_GAN.shape_axes, start=1):
        seen = Counter(shape[place] for shape in part)
        assert len(seen) == 4, axis
        # 64 drawn of 256 of which 64 have the value: mean 16, deviation 3.0
        assert all(abs(n - 16) < 4 * 3.0 for n in seen.values()), (axis, seen)


def test_a_trial_of_two_spaces_is_there_once_and_names_both() -> None:
    first, second = space("one"), space("two", lr=(0.01, 0.5), n_layer_g=(3,))
    trials = expand([first, second])
    assert len(trials) == len({trial.trial_id for trial in trials}) == 48 + 12
    shared = [trial for trial in trials if trial.also]
    assert {(t.space, t.also, t.settings.n_layer_g, t.settings.lr) for t in shared} == {("one", ("two",), 3, 0.01)}
    assert len(shared) == 12


def test_two_spaces_that_score_one_trial_in_two_ways_are_an_error_of_one_line() -> None:
    first, second = space("one"), space("two", lr=(0.01,), n_layer_g=(3,))
    with pytest.raises(SpaceError) as caught:
        expand([first, replace(second, scoring=replace(second.scoring, n_samples=7))])
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("two: scoring: got {'n_samples': 7")
    assert "that one has too" in message and "n_layer_g 3" in message and "lr 0.01" in message


def test_one_name_for_two_spaces_is_an_error() -> None:
    with pytest.raises(SpaceError, match=r"^one: two search spaces have this name, allowed: a `name` of its own"):
        expand([space("one"), space("one", lr=(0.5,))])


@pytest.mark.parametrize(
    "later, problem",
    [
        ({}, None),
        ({"lr": (0.1, 0.01, 0.001, 0.5)}, None),
        ({"lr": (0.1, 0.5)}, r"axes\.lr \["),
        ({"n_layer_g": (2,)}, r"axes\.n_layer_g \["),
    ],
)
def test_a_name_in_a_database_stands_for_one_grid_that_may_grow(later: dict[str, Any], problem: str | None) -> None:
    declared = [{"another": 1}, None, {"one": space("one").as_dict()}]
    if problem is None:
        check_names([space("one", **later)], declared)
        return
    with pytest.raises(SpaceError, match=f"^one: the database holds another grid of this name, with {problem}"):
        check_names([space("one", **later)], declared)
    check_names([space("two", **later)], declared)
    longer = replace(space("one", **later), training=replace(space().training, steps=20))
    check_names([longer], declared)
    with pytest.raises(SpaceError, match="with experiment mnist_gan, family gan"):
        check_names([replace(longer, family="ebgan")], declared)


def test_the_same_cell_with_other_training_is_no_duplicate() -> None:
    longer = replace(space("two"), training=replace(space().training, steps=20))
    assert len(expand([space(), longer])) == 96
