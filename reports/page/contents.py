"""The parts of the page in their order, and which figures each part shows."""

from collections.abc import Iterator, Sequence

from reports.figures.figure import Figure

FINDING, EXPLORE, DECIDES, DETAILS = "finding", "explore", "decides", "details"
# What each part is called; in links a part has the name to the left.
PARTS = {
    FINDING: "Finding",
    EXPLORE: "Explore",
    "comparisons": "Comparisons",
    "distributions": "Distributions",
    DECIDES: "What decides",
    "samples": "Samples",
    "training": "Training",
    DETAILS: "Details",
}
# By the key of a figure. The first figure of a study stands in its finding, all that are not named in distributions.
_PLACES = {
    "comparisons": "comparisons",
    "classifiers": "comparisons",
    "rank-correlations": "comparisons",
    "references": "comparisons",
    "what-matters": DECIDES,
    "main-effects": DECIDES,
    "pairs": DECIDES,
    "figure4": "samples",
    "figure9": "samples",
    "course": "training",
    "training-length": "training",
    "equilibrium": "training",
}


def parts_of(figures: Sequence[Figure], has_explorer: bool) -> Iterator[tuple[str, str, list[Figure]]]:
    """The parts that a study has: name, heading and figures."""
    for part, heading in PARTS.items():
        own = [figure for n, figure in enumerate(figures) if _place(figure, n) == part]
        if own or part in (FINDING, DETAILS) or (part == EXPLORE and has_explorer):
            yield part, heading, own


def _place(figure: Figure, number: int) -> str:
    return FINDING if number == 0 else _PLACES.get(figure.key, "distributions")
