"""The explorer on other results, in a browser: hostile, without a score, several grids, too many for one page."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from explored import expected, make_report, same, unfinished
from in_browser import Open, address, listed, needs_chromium, numbers, open_first, option, sync_api
from made_results import cell, results

from reports.explorer import data as explorer_data
from search_spaces import experiment
from search_spaces.experiments.mnist_gan import MNIST_GAN

pytestmark = needs_chromium
HOSTILE = "\"'><img src=x onerror=\"document.title='ran'\"></script><script>document.title='ran'</script>"


@pytest.mark.slow
def test_hostile_values_are_text(visit: Open, tmp_path: Path, sweeps: pd.DataFrame) -> None:
    names = ("family", "optim_g", "optim_d", "device", "data", "precision", "formula", "classifier")
    evil = dict.fromkeys(names, HOSTILE) | {"space": f"{HOSTILE}/a"}
    rows = results(
        [
            cell(n + 1.0, trial_id=f"{HOSTILE}{n}", lr=10.0**-n, **evil | ({"optim_g": "__proto__"} if n else {}))
            for n in range(3)
        ]
    )
    attempts = pd.DataFrame([{"trial_id": f"{HOSTILE}0", "outcome": HOSTILE, "reason": HOSTILE}]).assign(
        started_at=pd.NaT, ended_at=pd.NaT
    )
    report = make_report(tmp_path, rows, sweeps, attempts=attempts)
    page = visit(at=report)
    page.locator(".bar").first.click(force=True)
    open_first(page)
    for way, n in (("next", 1), ("next", 2), ("prev", 1), ("prev", 0)):
        page.locator(f"[rel={way}]").click()
        sync_api.expect(page.locator(".one h4")).to_have_text(f"Trial {HOSTILE}{n}")
    words = page.locator(".one").inner_text()
    assert words.count(HOSTILE) > 5 and "rerun '" in words
    page.go_back()
    for view in ("samples", "lines"):
        visit(f"#view={view}", at=report).wait_for_selector(f".view.{view} *")
    assert page.title() == "Scores over the grid"
    assert page.locator(".explorer script, .explorer img").count() == 0


@pytest.mark.slow
def test_nothing_scored_is_still_a_page(visit: Open, tmp_path: Path, sweeps: pd.DataFrame) -> None:
    page = visit(at=make_report(tmp_path, results([cell(), cell(lr=0.01), cell(family="ebgan")]), sweeps))
    assert "Shown: 0 of 2 GAN, 0 of 1 EBGAN trials." in page.locator(".said").inner_text()
    assert page.locator(".bar").count() == 0 and listed(page).startswith("3 trials pass")
    for view in ("samples", "lines"):
        page.locator(f"[data-key={view}]").click()
    page.locator("[data-key=trials]").click()
    open_first(page)
    assert (
        "waiting" in page.locator(".one").inner_text() and "No attempt has ended." in page.locator(".one").inner_text()
    )


@pytest.mark.slow
def test_a_second_grid_is_a_switch_away(visit: Open, tmp_path: Path, sweeps: pd.DataFrame) -> None:
    margins = [cell(float(m), family="ebgan", margin=m, size_g=8, space="laptop/mnist_margin") for m in (1, 2, 4)]
    paper = [cell(7.0, space="paper/mnist_gan", steps=9), cell(8.0, space="paper/mnist_gan", steps=9, lr=0.01)]
    rows = results([*(cell(1.0, lr=10.0**-n) for n in range(5)), *margins, *paper])
    page = visit(at=make_report(tmp_path, rows, sweeps))
    assert listed(page).startswith("5 trials")
    choice = page.locator("[data-control=grid]")
    assert choice.locator("option").all_inner_texts() == ["laptop grid", "laptop margins", "paper/mnist_gan grid"]
    choice.select_option("1")
    assert listed(page).startswith("3 trials") and option(page, "margin", "2").is_visible()
    choice.select_option("2")
    assert "Shown: all 2 GAN trials." in page.locator(".said").inner_text() and "grid=2" in address(page)
    page.go_back()
    sync_api.expect(page.locator(".listed")).to_contain_text("3 trials")


def test_an_experiment_without_a_paper_hears_nothing_of_one(
    visit: Open, tmp_path: Path, sweeps: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(MNIST_GAN, name="other")
    monkeypatch.setattr(experiment, "experiments", lambda: {"mnist_gan": MNIST_GAN, "other": other})
    rows = results(cell(n + 1.0, lr=10.0**-n) | {"experiment": "other"} for n in range(3))
    page = visit(at=make_report(tmp_path, rows, sweeps))
    assert page.locator(".bar").count() == 3
    page.locator(".filters summary").click()
    for view in ("lines", "samples", "trials"):
        page.locator(f"[data-key={view}]").click()
        words = page.locator(".explorer").inner_text().lower()
        assert "real data" in words
        assert [word for word in ("paper", "figure 2", "digits") if word in words] == []


@pytest.mark.slow
def test_a_sample_is_called_one(
    visit: Open, tmp_path: Path, sweeps: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer_data, "MOST_ROWS", 1000)
    page = visit(at=make_report(tmp_path, unfinished(), sweeps))
    same(numbers(page), expected())
    assert (
        "Drawn from all 7,168 trials; the list below is a random sample of 1,000." in page.locator(".said").inner_text()
    )
    page.locator("[data-preset=layers3]").click()
    same(numbers(page), expected({"n_layer_g": ["2", "3"], "n_layer_d": ["2", "3"]}, panel="layers <= 3"))
    option(page, "size_g", "50").check()
    assert "random sample of 1,000 of 7,168 trials" in page.locator(".said").inner_text()
    assert numbers(page)[["GAN", "EBGAN", "EBGAN-PT"]].to_numpy().sum() < 300
    text = page.locator(".explorer-data").evaluate("e => e.textContent")
    assert len(json.loads(text)["grids"][0]["rows"]["trial_id"]) == 1000
