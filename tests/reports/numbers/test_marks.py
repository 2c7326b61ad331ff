"""Trials that are not what their score suggests."""

import math

from made_results import cell, results

from reports.numbers.marks import is_marked, marks_of
from search_spaces.experiments.mnist_gan import MNIST_GAN, STUCK

EQUAL = 2 * math.log(2)


def test_marks_are_bounds_of_stored_numbers() -> None:
    rows = results(
        [
            cell(5.0, d_loss=EQUAL + 0.009, coverage=10, movement=1.0),
            cell(5.0, d_loss=EQUAL + 0.011, coverage=5, movement=STUCK),
            cell(5.0, family="ebgan", d_loss=EQUAL, coverage=4, movement=STUCK / 2),
            cell(5.0),  # of an older version
            cell(),
        ]
    )
    marks = marks_of(rows, MNIST_GAN)
    assert marks["discriminator constant"].to_list() == [True, False, False, False, False]
    assert marks["generator stuck"].to_list() == [False, False, True, False, False]
    assert marks["fewer than 5 classes"].to_list() == [False, False, True, False, False]
    assert is_marked(rows, MNIST_GAN).to_list() == [True, False, True, False, False]


def test_a_column_that_an_old_table_lacks_is_no_mark() -> None:
    rows = results([cell(5.0, coverage=3)]).drop(columns="movement")
    assert marks_of(rows, MNIST_GAN).to_numpy().tolist() == [[False, False, True]]
