"""Pictures: deterministic, with selectable text, and honest about what is missing."""

import numpy as np
import pytest
from made_results import cell, results, sheet
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Text

from data.sample_sheet import read_sheet, strip
from reports.figures.best_of_n import draw_best_of_n
from reports.figures.comparisons import draw_comparisons
from reports.figures.histogram import draw_layers, draw_optimizers
from reports.figures.samples import draw_best, draw_margins
from reports.figures.style import encode
from reports.numbers.best_of_n import best_of_n
from reports.numbers.comparisons import compare
from reports.numbers.histogram import layer_histograms, optimizer_histograms
from reports.numbers.samples import best_trials, margin_trials
from reports.numbers.study import split_studies
from search_spaces.experiments.mnist_gan import MNIST_GAN

SCORE = MNIST_GAN.scores[0]


def words(figure: Figure) -> str:
    """Everything written in a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_the_same_numbers_give_the_same_bytes() -> None:
    (grid,) = split_studies(results([cell(5.0), cell(9.0, family="ebgan", margin=10.0)]))
    table = layer_histograms(grid.prefix, grid.trials)
    first, second = (encode(draw_layers(table, SCORE, 15.0)) for _ in range(2))
    assert first == second
    assert b"<metadata" not in first.svg
    assert first.pdf.startswith(b"%PDF") and b"CreationDate" not in first.pdf


def test_text_stays_text_and_panels_count_their_cells() -> None:
    (grid,) = split_studies(results([cell(5.0), cell(9.0, family="ebgan_pt", margin=10.0, pt_weight=0.1)]))
    svg = encode(draw_layers(layer_histograms(grid.prefix, grid.trials), SCORE, 15.0)).svg.decode()
    assert svg.count("GAN, 1 trial") == 3 and svg.count("EBGAN-PT, 1 trial") == 3
    assert "nLayerG, nLayerD ≤ 3" in svg and "real" in svg


def test_a_third_of_the_real_score_may_lie_far_above_all_scores() -> None:
    (grid,) = split_studies(results([cell(1.0), cell(2.0)]))
    table = best_of_n(grid.prefix, SCORE)
    for real, n in ((1e8, 0), (4.5, 1)):
        drawing = draw_best_of_n(table, SCORE, real)
        assert words(drawing).count("⅓") == n
        assert encode(drawing).png.startswith(b"\x89PNG")


def test_empty_panels_say_so() -> None:
    (grid,) = split_studies(results([cell(5.0, lr=1e-2), cell()]))
    cells = grid.prefix
    assert words(draw_layers(layer_histograms(cells.iloc[:0], grid.trials), SCORE, None)).count("no trials") == 6
    assert words(draw_optimizers(optimizer_histograms(cells, grid.trials), SCORE, 15.0)).count("no trials") == 11


def test_bars_and_outlines_are_as_high_as_the_numbers() -> None:
    (grid,) = split_studies(results([cell(1.0), cell(1.0), cell(8.0), cell(state="DIVERGED")]))
    table = layer_histograms(grid.prefix, grid.trials)
    panel = draw_layers(table, SCORE, 15.0).axes[0]
    heights = [bar.get_height() for bar in panel.patches if isinstance(bar, Rectangle) and bar.get_height() > 0]
    assert heights == [25.0, 50.0, 25.0]
    published = table.query("source == 'paper' and panel == 'all' and family == 'gan'")["percent"]
    (outline,) = (patch for patch in panel.patches if isinstance(patch, StepPatch))
    assert list(outline.get_data().values) == list(published)


def test_a_bar_that_dwarfs_the_others_is_cut_and_its_height_written() -> None:
    rows = [cell(0.0) for _ in range(90)] + [cell(5.0 + n % 5) for n in range(10)]
    (grid,) = split_studies(results(rows))
    drawing = draw_layers(layer_histograms(grid.prefix, grid.trials), SCORE, 15.0)
    assert 29 < drawing.axes[0].get_ylim()[1] < 56  # above the paper's second bar, below its first
    assert "↑ 90 %, paper 56 %" in words(drawing)


def test_the_best_trial_is_the_highest_scored_of_its_family() -> None:
    diverged = cell(14.0, state="DIVERGED")
    other = cell(14.5, z_seed=9)
    (grid,) = split_studies(results([cell(3.0), cell(8.0), cell(8.0), diverged, other, cell(2.0, family="ebgan")]))
    table = best_trials(grid.trials, MNIST_GAN)
    assert list(table["family"]) == ["gan", "ebgan"]
    assert table["trial_id"].to_list() == [f"{1:016x}", f"{5:016x}"]
    written = words(draw_best(table, {f"{1:016x}": np.zeros((256, 384), np.uint8)}, SCORE))
    assert written.count("no sample sheet") == 1 and "nLayerG 2" in written


def test_the_best_trial_is_unmarked_and_better_marked_ones_are_counted() -> None:
    rows = [cell(9.0, coverage=3), cell(8.0, coverage=2), cell(3.0), cell(4.0), cell(5.0, family="ebgan", coverage=1)]
    (grid,) = split_studies(results(rows))
    table = best_trials(grid.trials, MNIST_GAN)
    assert table["score"].to_list() == [4.0, 5.0]
    assert table["marks"].fillna("").to_list() == ["", "fewer than 5 classes"] and table["better"].to_list() == [2, 0]
    written = words(draw_best(table, {}, SCORE)).replace("\n", " ")
    assert "2 marked trials score better." in written and "Marked: fewer than 5 classes." in written


def test_comparisons_of_few_shapes_say_so_and_measures_of_zeros_have_no_panel() -> None:
    rows = [cell(0.0, size_g=n) for n in range(3)] + [cell(1.0, family="ebgan", size_g=n) for n in range(3)]
    (grid,) = split_studies(results([*rows, cell()]))
    drawing = draw_comparisons(compare(grid.prefix, grid.trials, 15.0, 0.0))
    (panel,) = drawing.axes
    assert panel.get_xlim() == (0.0, 100.0)
    assert words(drawing).count("100.0 (too few shapes: 3)") == 2


def test_margins_are_in_order_and_diverged_ones_are_named() -> None:
    rows = [cell(4.0, margin=8.0), cell(margin=2.0, state="DIVERGED"), cell(margin=32.0)]
    (grid,) = split_studies(
        results([row | {"family": "ebgan", "space": "laptop/mnist_margin", "size_g": 8} for row in rows])
    )
    table = margin_trials(grid.margins, MNIST_GAN)
    assert list(table["margin"]) == [2.0, 8.0]
    written = words(draw_margins(table, {}, SCORE, 15.0))
    assert "m = 2" in written and "m = 8" in written and "diverged" in written


def test_a_strip_is_the_first_samples_of_the_sheet() -> None:
    pixels = read_sheet(sheet())
    assert pixels is not None
    row = strip(pixels, 16)
    assert row.shape == (32, 512)
    assert list(row[0, ::32]) == list(range(16))


@pytest.mark.parametrize("png", [b"", b"no picture", sheet()[:200]])
def test_bytes_that_are_no_sheet_are_passed_over(png: bytes) -> None:
    assert read_sheet(png) is None
