"""One trial in the explorer, in a browser."""

import pytest
from explored import best, cells
from in_browser import Open, needs_chromium, sync_api

pytestmark = needs_chromium


@pytest.mark.slow
class TestTrial:
    def test_neighbours_by_score_and_the_same_cell_elsewhere(self, visit: Open) -> None:
        page = visit(f"#trial={best()}")
        own = cells()[cells()["family"] == "ebgan"].sort_values("score", ascending=False)
        assert page.locator("[rel=next]").count() == 0
        page.locator("[rel=prev]").click()
        sync_api.expect(page.locator(".one h4")).to_have_text(f"Trial {own['trial_id'].iloc[1]}")
        row = own.iloc[1]
        axes = ["n_layer_g", "n_layer_d", "size_g", "size_d", "dropout_d", "optim_g", "optim_d", "lr"]
        twin = cells()[(cells()["family"] == "gan") & (cells()[axes] == row[axes]).all(axis=1)]["trial_id"]
        assert page.locator(".one .card a").first.get_attribute("href").endswith(f"trial={twin.item()}")

    def test_an_unknown_trial_is_said_to_be(self, visit: Open) -> None:
        page = visit("#trial=%3Cb%3Enobody")
        assert "There is no such trial in this grid" in page.locator(".one").inner_text()
