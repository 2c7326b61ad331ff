"""What the explorer is given: every trial in its columns, counts over all rows, sheets as files; nothing that runs."""

import base64
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_results import cell, full_results, full_steps, identities, results, sheet, steps_of

from reports.explorer import data as explorer_data
from reports.explorer import seen
from reports.explorer.counts import Counter
from reports.explorer.data import sampled_rows, study_data
from reports.explorer.html import NO_ATTEMPTS, NO_SHEETS, SCRIPTS, explore
from reports.explorer.presets import matching, presets, published
from reports.explorer.sheets import Sheets, best_and_gallery, write_sheets
from reports.numbers.histogram import bars, bin_edges, layer_histograms, optimizer_histograms, published_edges
from reports.numbers.published import published_bars
from reports.numbers.study import Study, split_studies
from reports.numbers.values import values_of
from search_spaces.experiments.mnist_gan import MNIST_GAN

SCORES = {score.name: score for score in MNIST_GAN.scores}
HOSTILE = "</script><script>alert(1)</script>"


def data_of(grid: Study, **extra: Any) -> dict[str, Any]:
    given = {"attempts": NO_ATTEMPTS, "sheets": NO_SHEETS} | extra
    return study_data(grid, grid.trials, grid.prefix, "some", **given)


@pytest.fixture(scope="module")
def grid() -> Study:
    (found,) = split_studies(full_results())
    return found


@pytest.fixture(scope="module")
def data(grid: Study) -> dict[str, Any]:
    return data_of(grid)


def column(data: dict[str, Any], name: str) -> list[str]:
    axis = next(axis for axis in data["axes"] if axis["name"] == name)
    return [axis["values"][code] if code >= 0 else "" for code in axis["codes"]]


def test_every_trial_is_there_with_its_settings_and_its_very_score(grid: Study, data: dict[str, Any]) -> None:
    assert data["rows"]["trial_id"] == list(grid.trials["trial_id"])
    assert data["rows"]["score"] == list(grid.trials["score"])
    assert column(data, "n_layer_g") == [str(n) for n in grid.trials["n_layer_g"]]
    assert column(data, "dropout_d") == ["on" if on else "off" for on in grid.trials["dropout_d"]]
    assert [float(value) for value in column(data, "lr")] == list(grid.trials["lr"])
    names = [data["families"][code]["name"] for code in data["rows"]["family"]]
    assert names == list(grid.trials["family"])


def test_only_axes_that_vary_in_some_family_are_axes(data: dict[str, Any]) -> None:
    names = [axis["name"] for axis in data["axes"]]
    assert names == [
        *("n_layer_g", "n_layer_d", "size_g", "size_d", "dropout_d", "optim_g", "optim_d", "lr", "outcome")
    ]
    assert [axis["printed"] for axis in data["axes"]][:2] == ["nLayerG", "nLayerD"]
    rates = next(axis for axis in data["axes"] if axis["name"] == "lr")
    assert rates["printed"] == ""
    assert rates["varies_in"] == ["gan"]
    assert data["fixed"]["ebgan"] == {"space": "laptop/mnist_ebgan", "margin": "10", "pt_weight": "0", "seed": "0"}
    assert "margin" not in data["fixed"]["gan"]


def test_an_axis_of_many_numbers_is_kept_as_numbers() -> None:
    (grid,) = split_studies(results(cell(1.0, lr=0.001 * n) for n in range(1, 20)))
    axis = next(axis for axis in data_of(grid)["axes"] if axis["name"] == "lr")
    assert axis["numbers"] == list(grid.trials["lr"]) and "values" not in axis


def test_known_cells_are_those_of_the_figures() -> None:
    rows = [cell(1.0), cell(2.0, size_g=100), cell(size_g=200), cell(3.0, size_g=400)]
    (grid,) = split_studies(results(rows))
    assert data_of(grid)["rows"]["in_prefix"] == [1, 1, 0, 0]


def test_values_that_are_no_numbers_are_null() -> None:
    rows = [cell(1.0), cell(state="DIVERGED"), cell(2.0, frechet=float("inf"))]
    (grid,) = split_studies(results(rows))
    data = data_of(grid)
    assert data["rows"]["score"] == [1, None, 2] and data["rows"]["frechet"] == [9, None, None]
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_attempts_belong_to_their_trials() -> None:
    (grid,) = split_studies(results([cell(1.0), cell(2.0, lr=0.01)]))
    first, second = grid.trials["trial_id"]
    start = pd.Timestamp("2020-01-01 00:00:10")
    attempts = pd.DataFrame(
        [
            {"trial_id": second, "outcome": "LOST", "reason": None, "started_at": start, "ended_at": pd.NaT},
            {"trial_id": "unknown", "outcome": "FAILED", "reason": "error", "started_at": start, "ended_at": start},
            {"trial_id": first, "outcome": "FAILED", "reason": "memory", "started_at": start, "ended_at": start},
        ]
    )
    data = data_of(grid, attempts=attempts)
    assert data["attempts"] == {
        "row": [1, 0],
        "outcome": {"values": ["LOST", "FAILED"], "codes": [0, 1]},
        "reason": {"values": ["memory"], "codes": [-1, 0]},
        "started": [10, 10],
        "ended": [None, 10],
    }


def test_bars_of_an_unfinished_grid_have_the_bands_of_figure_2() -> None:
    rows = full_results().copy()
    rows.loc[rows["position"] >= 5000, ["state", "score"]] = ["WAITING", np.nan]
    (grid,) = split_studies(rows)
    found = data_of(grid)["bands"]
    most = {"all": 5, "layers4": 4, "layers3": 3}
    assert set(found) == set(most)
    for key, layers in most.items():
        inside, of = (
            rows[rows[["n_layer_g", "n_layer_d"]].max(axis=1) <= layers] for rows in (grid.prefix, grid.trials)
        )
        table = bars(inside, of, published_edges("all" if layers == 5 else f"layers <= {layers}", inside["value"]))
        for family, band in found[key].items():
            own = table[table["family"] == family]
            assert band["low"] == pytest.approx(own["low"], abs=1e-3)
            assert band["high"] == pytest.approx(own["high"], abs=1e-3)
            assert own["high"].max() > own["low"].max() > 0
    (whole,) = split_studies(full_results())
    assert data_of(whole)["bands"] is None


def test_sheets_are_those_of_the_gallery_and_of_the_best() -> None:
    rows = [cell(float(n)) for n in range(101)] + [cell(5.0, family="ebgan"), cell(family="ebgan")]
    (grid,) = split_studies(results(rows))
    ranking = MNIST_GAN.scores[0]
    assert best_and_gallery(grid.trials, grid.prefix, ranking, None) == list(grid.trials["trial_id"])
    score = grid.trials.set_index("trial_id")["score"]
    shown = [score[trial_id] for trial_id in best_and_gallery(grid.trials, grid.prefix, ranking, 10)]
    assert sorted(shown) == [0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 97.0, 98.0, 99.0, 100.0]
    part = grid.prefix[grid.prefix["position"] < 11]
    shown = [score[trial_id] for trial_id in best_and_gallery(grid.trials, part, ranking, 9)]
    assert sorted(shown) == [0.0, 1.0, 3.0, 5.0, 5.0, 8.0, 9.0, 10.0, 99.0, 100.0]


def test_a_sheet_that_was_left_out_is_not_called_missing() -> None:
    (grid,) = split_studies(results([cell(1.0), cell(2.0, lr=0.01), cell(3.0, lr=0.1), cell(state="DIVERGED", lr=1.0)]))
    first, second, *_ = grid.trials["trial_id"]
    assert data_of(grid, sheets=Sheets({first}, [first, second]))["rows"]["sheet"] == [1, 0, 2, 0]
    assert data_of(grid, sheets=Sheets({first}))["rows"]["sheet"] == [1, 0, 0, 0]


def test_marks_are_bits_of_their_place() -> None:
    marked = [cell(1.0, coverage=2, movement=0.001), cell(2.0, d_loss=2 * np.log(2), lr=0.1), cell(3.0, lr=0.01)]
    (grid,) = split_studies(results(marked))
    data = data_of(grid)
    assert [mark["label"] for mark in data["marks"]] == [mark.label for mark in MNIST_GAN.marks]
    assert data["rows"]["marks"] == [0b110, 0b001, 0]


class TestViews:
    """Scores of other classifiers and steps."""

    def rows(self) -> pd.DataFrame:
        return results([cell(1.0), cell(state="DIVERGED", lr=0.01), cell(2.0, lr=0.1), cell(lr=1.0)])

    def test_each_is_what_the_study_shows_as_that(self) -> None:
        steps = steps_of(
            {
                1: {100: [0.5, 0.25, None, None], 300: [1.0, None, 2.0, None]},
                2: {100: [0.1234567, np.nan, 0.7, None], 300: [0.9, None, None, None]},
            }
        )
        (grid,) = split_studies(self.rows(), steps, identities("first", "second"))
        data = data_of(grid)
        assert data["scored_by"] == [
            {"name": "first", "real_score": 15.0},
            {"name": "second", "real_score": 14.0},
        ]
        assert data["steps"] == [100, 300]
        found = {(view["by"], view["step"]): view for view in data["views"]}
        assert set(found) == {(0, 100), (1, 100), (1, 300)}
        assert found[0, 100]["score"] == [0.5, 0.25, None, None]
        assert found[1, 100]["score"] == [0.12346, None, 0.7, None]
        for (classifier, step), view in found.items():
            seen = grid.seen(grid.classifiers[classifier], step).trials["outcome"].tolist()
            changed = dict(zip(view["changed"]["row"], view["changed"]["outcome"], strict=True))
            shown = [changed.get(row, outcome) for row, outcome in enumerate(grid.trials["outcome"])]
            assert shown == seen
        assert column(data, "outcome") == ["scored", "diverged", "scored", "waiting"]
        axis = next(axis for axis in data["axes"] if axis["name"] == "outcome")
        assert axis["values"] == ["scored", "diverged", "unscored", "waiting"]

    def test_bands_and_counts_are_those_of_the_view(self, monkeypatch: pytest.MonkeyPatch) -> None:
        steps = full_steps()
        scored = {"steps": steps[steps["step"].isin([75, 300])], "identities": identities("first")}
        rows = full_results()[full_results()["family"] == "ebgan"].copy()
        rows.loc[rows["position"] >= rows["position"].median(), ["state", "score"]] = ["WAITING", np.nan]
        (grid,) = split_studies(rows, **scored)
        view = data_of(grid)["views"][0]
        seen = grid.seen(step=75)
        table = bars(seen.prefix, seen.trials, published_edges("all", seen.prefix["value"]))
        for family, own in table.groupby("family"):
            assert view["bands"]["all"][family]["high"] == pytest.approx(own["high"], abs=1e-3)
        assert view["counts"] is None
        monkeypatch.setattr(explorer_data, "MOST_ROWS", 300)
        view = data_of(grid)["views"][0]
        counted = view["counts"]["score"]["all"]["in_paper_bins"]
        assert len(view["score"]) == 300 and view["bands"] is None
        for family, own in table.groupby("family"):
            assert counted[family] == list(own["cells"])

    def test_too_many_are_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(seen, "MOST_NUMBERS", 7)
        steps = steps_of({1: {100: [0.5, 0.25, None, None], 200: [0.5] * 4, 300: [1.0, None, 2.0, None]}})
        (grid,) = split_studies(self.rows(), steps, identities("first"))
        assert data_of(grid)["views"] == [] and data_of(grid)["steps"] == [100, 200, 300]
        monkeypatch.setattr(seen, "MOST_NUMBERS", 8)
        assert len(data_of(grid)["views"]) == 2


class TestPresets:
    def test_they_are_the_panels_of_figures_2_and_3(self, grid: Study) -> None:
        found = presets(MNIST_GAN, grid.trials)
        assert [preset["key"] for preset in found[:3]] == ["all", "layers4", "layers3"]
        assert len(found) == 15 and {preset["key"] for preset in found} == set(published(MNIST_GAN))

    def test_they_choose_the_cells_that_the_figures_draw(self, grid: Study) -> None:
        chosen = grid.prefix
        drawn = (
            layer_histograms(chosen, grid.trials).query("source == 'sweep'").groupby(["panel", "family"])["cells"].sum()
        )
        for key, panel in (("all", "all"), ("layers4", "layers <= 4"), ("layers3", "layers <= 3")):
            filters = next(preset["filters"] for preset in presets(MNIST_GAN, grid.trials) if preset["key"] == key)
            sizes = grid.trials[matching(grid.trials, filters)]["family"].value_counts().to_dict()
            assert sizes == drawn[panel].to_dict()
        drawn = optimizer_histograms(chosen, grid.trials).query("source == 'sweep'")
        filters = next(p["filters"] for p in presets(MNIST_GAN, grid.trials) if p["key"] == "lr0.01-sgd-adam")
        rows = grid.trials[matching(grid.trials, filters)]
        panel = drawn[(drawn["lr"] == 0.01) & (drawn["optim_d"] == "sgd") & (drawn["optim_g"] == "adam")]
        expected = panel.groupby("family")["cells"].sum()
        assert rows[rows["family"] != "ebgan_pt"]["family"].value_counts().to_dict() == expected.to_dict()

    def test_published_bars_are_on_the_axis_of_the_figures(self) -> None:
        bars = published_bars(2, ["panel"]).query("panel == 'layers <= 3'")
        panel = published(MNIST_GAN)["layers3"]
        assert panel["largest"] == bars["right"].max()
        assert panel["families"]["gan"] == list(bars.query("family == 'gan'")["percent"])

    def test_a_grid_of_one_depth_has_no_preset_of_depths(self) -> None:
        (grid,) = split_studies(results([cell(1.0), cell(2.0, size_g=100)]))
        assert [preset["key"] for preset in presets(MNIST_GAN, grid.trials)] == ["all"]


class TestManyRows:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(explorer_data, "MOST_ROWS", 500)

    def test_the_list_is_one_seeded_sample_without_repeats(self, grid: Study) -> None:
        rows = sampled_rows(grid.trials)
        assert len(rows) == 500 == rows["trial_id"].nunique()
        assert list(rows.index) == sorted(rows.index) and list(sampled_rows(grid.trials).index) == list(rows.index)
        assert 0.8 < (rows["family"] == "gan").mean() < 0.9

    def test_counts_are_over_all_rows_and_refine_the_figures(self, grid: Study) -> None:
        data = data_of(grid)
        assert data["declared"] == 7168 and len(data["rows"]["trial_id"]) == 500
        counted = data["counts"]["score"]["layers3"]
        inside = grid.prefix[grid.prefix[["n_layer_g", "n_layer_d"]].max(axis=1) <= 3]
        drawn = bars(inside, inside, bin_edges(inside["value"]))
        for family, own in drawn.groupby("family"):
            assert list(np.reshape(counted["counts"][family], (25, 4)).sum(1)) == list(own["cells"])
        assert counted["largest"] == drawn["right"].max()
        edges = published_edges("layers <= 3", inside["value"])
        for family, own in bars(inside, inside, edges).groupby("family"):
            assert counted["in_paper_bins"][family] == list(own["cells"])
        assert data["counts"]["frechet"]["all"]["in_paper_bins"] is None

    def test_what_diverged_counts_as_the_worst_score_if_there_is_one(self) -> None:
        (grid,) = split_studies(results([cell(2.0), cell(state="DIVERGED", lr=0.01), cell(state="FAILED", lr=0.1)]))
        assert list(values_of(grid.trials, SCORES["score"]).dropna()) == [2.0, 0.0]
        assert list(values_of(grid.trials, SCORES["inception_score"]).dropna()) == [2.0, 1.0]
        assert list(values_of(grid.trials, SCORES["frechet"]).dropna()) == [9.0]
        known_ones = pd.Series(True, grid.trials.index)
        choices = presets(MNIST_GAN, grid.trials)
        counts = Counter(MNIST_GAN, grid.trials, known_ones, choices).counts(grid.trials, list(SCORES.values()))
        assert sum(counts["frechet"]["all"]["counts"]["gan"]) == 1
        assert counts["score"]["all"]["counts"]["gan"][0] == 1


def test_a_full_grid_is_small_and_soon_made() -> None:
    """7,168 trials, scored at four steps by three classifiers."""
    steps = pd.concat([full_steps().assign(identity_id=n) for n in (1, 2, 3)], ignore_index=True)
    (grid,) = split_studies(full_results(), steps, identities("first", "second", "third"))
    start = time.process_time()
    explorer = explore([grid], "sqlite:///some.db", Sheets(set(grid.trials["trial_id"])))
    assert explorer is not None
    assert time.process_time() - start < 5
    assert len(explorer.html.encode()) < 2_000_000


@pytest.mark.slow
def test_a_million_rows_make_a_page_of_the_same_size() -> None:
    many = pd.concat([full_results()] * 140, ignore_index=True)
    many["trial_id"] = [f"{n:016x}" for n in range(len(many))]
    many["seed"] = many.index // 7168
    (grid,) = split_studies(many)
    explorer = explore([grid], "sqlite:///some.db")
    assert explorer is not None and len(explorer.html.encode()) < 3_000_000


def test_no_cells_are_no_explorer() -> None:
    assert explore([], "sqlite:///some.db") is None


def test_hostile_values_stay_in_the_data() -> None:
    evil = dict.fromkeys(("family", "optim_g", "device", "data", "precision", "trial_id"), HOSTILE)
    (grid,) = split_studies(results([cell(3.0, space=f"{HOSTILE}/a", formula=HOSTILE, **evil)]))
    explorer = explore([grid], f"sqlite:///{HOSTILE}")
    assert explorer is not None
    assert "<script>alert" not in explorer.html and explorer.html.count("</script>") == 2
    text = re.search(r'class="explorer-data">(.*?)</script>', explorer.html, re.DOTALL)
    assert text is not None
    assert json.loads(text[1])["grids"][0]["rows"]["trial_id"] == [HOSTILE]


def test_the_policy_allows_this_script_and_no_other(grid: Study) -> None:
    explorer = explore([grid], "sqlite:///some.db")
    assert explorer is not None
    script = explorer.html.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert explorer.script_source == f"'sha256-{digest}'"


def test_every_script_is_used_and_says_what_it_is_for() -> None:
    folder = Path(explorer_data.__file__).parent
    assert {path.stem for path in folder.glob("*.js")} == set(SCRIPTS)
    for name in SCRIPTS:
        text = (folder / f"{name}.js").read_text()
        assert re.match(r"// [A-Z].*\.", text), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|DOMParser", text), name


class TestSheets:
    def test_they_are_written_in_parts_and_named(self, tmp_path: Path) -> None:
        asked: list[int] = []

        def read(ids: Any) -> dict[str, bytes]:
            asked.append(len(ids))
            return {trial_id: sheet() for trial_id in ids if trial_id != "7"}

        written = write_sheets(tmp_path, (str(n) for n in range(450)), read)
        assert asked == [200, 200, 50]
        assert written == {str(n) for n in range(450)} - {"7"}
        assert {path.stem for path in (tmp_path / "sheets").iterdir()} == written

    def test_no_name_leads_out_and_nothing_but_png_is_written(self, tmp_path: Path) -> None:
        ids = ["../evil", "a/b", "", ".", "x" * 300, "text", "fine"]
        pages = {trial_id: sheet() for trial_id in ids} | {"text": b"<html>"}
        assert write_sheets(tmp_path, ids, lambda part: {name: pages[name] for name in part}) == {"fine"}
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["fine.png"]
