"""Partition into cohorts: nothing lost, nothing mixed, nothing too large."""

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from made_trials import trial, trials

from search_spaces.trial import Trial
from sweep.planning.cohorts import Cohort, partition
from sweep.planning.costs import mnist_gan as cost

SHAPES = [{"n_layer_g": 2}, {"n_layer_g": 5, "size_g": 32}, {"size_d": 64}, {"family": "ebgan"}, {"steps": 9}]


@st.composite
def grids(draw: st.DrawFn) -> list[Trial]:
    """Trials of one to five shapes, those of one shape together, with settings in any order."""
    found = []
    for shape in draw(st.lists(st.sampled_from(SHAPES), min_size=1, unique_by=str)):
        settings_of = st.tuples(
            st.sampled_from(["adam", "sgd"]),
            st.sampled_from(["adam", "sgd"]),
            st.sampled_from([0.1, 0.01]),
            st.booleans(),
        )
        for seed, (optim_g, optim_d, lr, dropout_d) in enumerate(draw(st.lists(settings_of, min_size=1, max_size=20))):
            found.append(trial(seed=seed, optim_g=optim_g, optim_d=optim_d, lr=lr, dropout_d=dropout_d, **shape))
    return found


def memory_for(members: int) -> int:
    """Bytes in which this many of the smallest shape fit."""
    return cost.shared_bytes(trial()) + members * cost.member_bytes(trial())


memories = st.one_of(st.just(0), st.integers(0, 30).map(memory_for), st.just(2**40))


@given(grids(), memories)
def test_each_trial_is_in_exactly_one_cohort(grid: list[Trial], memory: int) -> None:
    ids = [i for cohort in partition(grid, memory) for i in cohort.trial_ids]
    assert Counter(ids) == Counter(trial.trial_id for trial in grid)


@given(grids(), memories)
def test_a_cohort_has_one_shape_and_shapes_keep_their_order(grid: list[Trial], memory: int) -> None:
    cohorts = partition(grid, memory)
    assert all(len({trial.shape for trial in cohort.trials}) == 1 for cohort in cohorts)
    shapes = [shape for shape, _ in itertools.groupby(cohort.trials[0].shape for cohort in cohorts)]
    assert shapes == [shape for shape, _ in itertools.groupby(trial.shape for trial in grid)]


@given(grids(), memories)
def test_a_cohort_fits_in_memory_unless_it_is_a_single_trial(grid: list[Trial], memory: int) -> None:
    for cohort in partition(grid, memory):
        assert len(cohort.trials) >= 1
        assert len(cohort.trials) == 1 or cost.cohort_bytes(cohort.trials) <= memory


@given(grids(), memories)
def test_there_are_no_more_cohorts_than_needed_and_they_are_even(grid: list[Trial], memory: int) -> None:
    sizes: dict[object, list[int]] = {}
    for cohort in partition(grid, memory):
        sizes.setdefault(cohort.trials[0].shape, []).append(len(cohort.trials))
    for shape, parts in sizes.items():
        members = [trial for trial in grid if trial.shape == shape]
        fit = max(1, (memory - cost.shared_bytes(members[0])) // cost.largest_member_bytes(members))
        assert len(parts) == -(-sum(parts) // fit)
        assert max(parts) - min(parts) <= 1


@given(grids(), memories)
def test_members_with_dropout_are_neighbours_and_so_are_equal_optimiser_settings_among_them(
    grid: list[Trial], memory: int
) -> None:
    for _, cohorts in itertools.groupby(partition(grid, memory), key=lambda cohort: cohort.trials[0].shape):
        members = [trial for cohort in cohorts for trial in cohort.trials]
        settings = [(t.settings.dropout_d, t.settings.optim_g, t.settings.lr, t.settings.optim_d) for t in members]
        for first in (1, 3, 4):
            runs = [key for key, _ in itertools.groupby(values[:first] for values in settings)]
            assert len(runs) == len(set(runs))


@given(grids(), memories)
def test_partition_is_the_same_for_any_order_within_a_shape(grid: list[Trial], memory: int) -> None:
    turned = [t for _, group in itertools.groupby(grid, key=lambda t: t.shape) for t in list(group)[::-1]]
    sets = [set(cohort.trial_ids) for cohort in partition(grid, memory)]
    assert [set(cohort.trial_ids) for cohort in partition(turned, memory)] == sets


def test_the_order_of_values_and_spaces_moves_no_cut() -> None:
    grid = [trial(family="ebgan_pt", pt_weight=weight, seed=seed) for weight in (0.1, 0.2, 0.3) for seed in range(3)]
    memory = cost.shared_bytes(grid[0]) + 4 * cost.largest_member_bytes(grid)
    cohorts = partition(grid, memory)
    assert len(cohorts) > 1
    assert partition(grid[::-1], memory) == cohorts


@given(grids(), memories, st.data())
def test_what_is_finished_is_left_out_of_cohorts_that_stay(grid: list[Trial], memory: int, data: st.DataObject) -> None:
    finished = data.draw(st.sets(st.sampled_from([trial.trial_id for trial in grid])))
    left = [[t for t in cohort.trials if t.trial_id not in finished] for cohort in partition(grid, memory)]
    found = partition(grid, memory, finished=finished)
    assert [list(cohort.trials) for cohort in found] == [cohort for cohort in left if cohort]


def test_no_trials_make_no_cohorts() -> None:
    assert partition([], 2**40) == []


def test_the_two_auto_encoder_families_share_a_cohort() -> None:
    (cohort,) = partition([*trials(2, family="ebgan"), *trials(2, family="ebgan_pt")], 2**40)
    assert Counter(t.family for t in cohort.trials) == {"ebgan": 2, "ebgan_pt": 2}


@given(st.integers(2, 50))
def test_halves_are_the_two_ends_of_a_cohort(n: int) -> None:
    whole = Cohort(tuple(trials(n)))
    first, second = whole.halves()
    assert first.trials + second.trials == whole.trials
    assert len(second.trials) - len(first.trials) in (0, 1)
    assert len(first.trials) >= 1
