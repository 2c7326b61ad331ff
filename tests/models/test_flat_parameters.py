"""Parameters of K networks are one block, and every view of it is the block's own memory."""

import torch

from models.flat_parameters import Parameters

SHAPES = [(3, 5), (5,), (5, 1), (17,)]


def test_views_cover_the_block_without_touching_one_another() -> None:
    parameters = Parameters(SHAPES, 4, torch.device("cpu"), torch.float64)
    for i, (value, gradient) in enumerate(parameters, 1):
        assert value.shape == gradient.shape == (4, *SHAPES[i - 1])
        value.fill_(i)
        gradient.fill_(-i)
    counts = [int((parameters.values == i).sum()) for i in range(1, 5)]
    assert counts == [4 * 15, 4 * 5, 4 * 5, 4 * 17]
    assert torch.equal(parameters.gradients, -parameters.values)


def test_members_are_rows_and_tensors_start_cache_lines() -> None:
    parameters = Parameters(SHAPES, 4, torch.device("cpu"), torch.float32)
    for value, gradient in parameters:
        assert (value.data_ptr() - parameters.values.data_ptr()) % 64 == 0
        assert (gradient.data_ptr() - parameters.gradients.data_ptr()) % 64 == 0
        value[2] = 1
    assert parameters.values.ne(0).any(1).tolist() == [False, False, True, False]
