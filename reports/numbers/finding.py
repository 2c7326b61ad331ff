"""What a study found, as the first screen and the terminal say it: plain numbers, and one sentence.

The sentence is about the probability that a random trial of one family scores above one of another, under every
classifier, since shares above a threshold depend on the classifier much more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from reports.names import family_label, in_order, setting_words
from reports.numbers.comparisons import winning
from reports.numbers.effects import varied
from reports.numbers.prefix import FEWEST_SHAPES
from reports.numbers.shares import shares_above
from reports.numbers.study import Study
from reports.numbers.values import WAITING

ROBUST, DEPENDS, ALIKE, UNDECIDED, TOO_FEW, ALONE = "robust", "depends", "alike", "undecided", "too few", "alone"
NEGLIGIBLE = 0.147 / 2  # distance from 1/2; Cliff's delta is negligible below 0.147 (Romano et al., 2006)
FEWEST_TRIALS = 3  # with one value of a setting, to say what it decides
FEWEST_FOR_PERCENT = 50  # a percentage of fewer trials would look more exact than it is
FRACTION_WORDS = {"1/3": "a third", "2/3": "two thirds"}


@dataclass(frozen=True)
class Win:
    """How often a random trial of one family scores above a random one of the other, under one classifier.

    Attributes:
        one, other: families by name; `one_label` and `other_label` in print.
        classifier: its name in print.
        probability: from 0 to 1; a tie counts as half.
        low, high: 95 % interval for other shapes and seeds; None where a side has fewer than ten shapes.
        n_one, n_other: trials with a value.
        shapes_one, shapes_other: shapes of these trials.
    """

    one: str
    other: str
    one_label: str
    other_label: str
    classifier: str
    probability: float
    low: float | None
    high: float | None
    n_one: int
    n_other: int
    shapes_one: int
    shapes_other: int


@dataclass(frozen=True)
class FamilyShare:
    """The share of a family's grid above a fraction of the real-data score.

    Attributes:
        family: by name; `label` in print.
        fraction: "1/3" or "2/3"; `words` in print.
        share: from 0 to 1, under the first classifier; None while no trial has a value.
        low, high: 95 % interval of `share` for the whole grid; None where nothing of it is open.
        least, most: the range of the share over all classifiers; None while no trial has a value.
        trials, declared: trials with a value, and all trials of the family.
    """

    family: str
    label: str
    fraction: str
    words: str
    share: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None
    trials: int
    declared: int


@dataclass(frozen=True)
class Finding:
    """What a study found.

    Attributes:
        title: the finding in one sentence.
        verdict: one of `ROBUST`, `DEPENDS`, `ALIKE`, `UNDECIDED`, `TOO_FEW` and, for one family, `ALONE`.
        classifiers: their names in print, the first first.
        wins: by pair of families, then by classifier; the first pair is the one of the title. None for one family.
        shares: by family, then by fraction.
        decides: which setting decides most, in a sentence; None where no setting does, or too few trials have ended.
        is_finished: whether every trial has ended.
        ended, declared: trials.
    """

    title: str
    verdict: str
    classifiers: tuple[str, ...]
    wins: tuple[Win, ...]
    shares: tuple[FamilyShare, ...]
    decides: str | None
    is_finished: bool
    ended: int
    declared: int


def finding(study: Study) -> Finding | None:
    """What a study found; None where nothing is scored yet or there is no score of real data to compare with."""
    if study.real_score is None or not study.score.higher_is_better or study.prefix["value"].isna().all():
        return None
    views = [study.seen(classifier) for classifier in study.classifiers]
    wins = tuple(wins_of(views))
    shares = tuple(_shares(views))
    waiting = int((study.trials["outcome"] == WAITING).sum())
    lead = [win for win in wins if (win.one, win.other) == (wins[0].one, wins[0].other)]
    verdict = _verdict(lead, study.trials["family"].value_counts() if waiting == 0 else None) if wins else ALONE
    return Finding(
        title=_title(verdict, lead, shares, is_finished=waiting == 0),
        verdict=verdict,
        classifiers=tuple(classifier.name for classifier in study.classifiers),
        wins=wins,
        shares=shares,
        decides=_decides(study, is_finished=waiting == 0),
        is_finished=waiting == 0,
        ended=len(study.trials) - waiting,
        declared=len(study.trials),
    )


def wins_of(views: Sequence[Study]) -> list[Win]:
    """By pair of families that have values under the first classifier, then by classifier."""
    known = views[0].prefix["value"].notna()
    found = []
    for other, one in combinations(in_order(views[0].prefix.loc[known, "family"]), 2):
        for view in views:
            sides = [
                view.prefix[(view.prefix["family"] == name) & view.prefix["value"].notna()] for name in (one, other)
            ]
            if sides[0].empty or sides[1].empty:
                continue
            numbers = winning(*sides)
            found.append(
                Win(
                    one,
                    other,
                    family_label(one),
                    family_label(other),
                    view.identity.name if view.identity else "",
                    numbers["estimate"],
                    _or_none(numbers["low"]),
                    _or_none(numbers["high"]),
                    *map(len, sides),
                    *(side["shape"].nunique() for side in sides),
                )
            )
    return found


def _shares(views: Sequence[Study]) -> list[FamilyShare]:
    tables = [shares_above(view.prefix, view.trials, view.real_score) for view in views if view.real_score is not None]
    by_view = np.array([table["share"] for table in tables], dtype=float)
    found = []
    for n, row in enumerate(tables[0].to_dict("records")):
        there = by_view[~np.isnan(by_view[:, n]), n]
        is_open = row["low"] < row["high"]
        found.append(
            FamilyShare(
                row["family"],
                family_label(row["family"]),
                row["fraction"],
                FRACTION_WORDS[row["fraction"]],
                _or_none(row["share"]),
                float(row["low"]) if is_open else None,
                float(row["high"]) if is_open else None,
                float(there.min()) if len(there) else None,
                float(there.max()) if len(there) else None,
                row["cells"],
                row["declared"],
            )
        )
    return found


def _verdict(lead: Sequence[Win], finished: pd.Series | None) -> str:
    """What the wins of one pair say together.

    Args:
        finished: trials of each family of a finished grid, of which those without a score may have scored anything;
            None for an unfinished grid, of which the intervals decide.
    """
    if finished is not None:
        scored = [win.n_one * win.n_other / (finished[win.one] * finished[win.other]) for win in lead]
        ends = [(s * win.probability, s * win.probability + 1 - s) for s, win in zip(scored, lead, strict=True)]
    elif any(win.low is None or win.high is None for win in lead):
        return TOO_FEW
    else:
        ends = [(win.low, win.high) for win in lead if win.low is not None and win.high is not None]
    if all(abs(end - 0.5) < NEGLIGIBLE for both in ends for end in both):
        return ALIKE
    above, below = [low > 0.5 for low, _ in ends], [high < 0.5 for _, high in ends]
    if all(above) or all(below):
        return ROBUST
    is_open = any(low < high for low, high in ends)
    return DEPENDS if (any(above) and any(below)) or not is_open else UNDECIDED


def _title(verdict: str, lead: Sequence[Win], shares: Sequence[FamilyShare], is_finished: bool) -> str:
    """The finding in one sentence."""
    if verdict == ALONE:
        first = shares[0]
        share = f"{percent(first.share)} of {first.label}s score above a third of the real-data score"
        return f"{_capital(share)}{_over(first)}."
    one, other = lead[0].one_label, lead[0].other_label
    if verdict == TOO_FEW:
        have = (
            f"{_count(lead[0].shapes_one, 'shape')} of {one}s and {_count(lead[0].shapes_other, 'shape')} of {other}s"
        )
        question = f"Too few trials have ended to say whether {one}s or {other}s are easier to train"
        return f"{question}: {have} so far, and it takes {FEWEST_SHAPES} of each."
    if np.mean([win.probability for win in lead]) < 0.5 and verdict == ROBUST:
        one, other = other, one
        probabilities = [1 - win.probability for win in lead]
    else:
        probabilities = [win.probability for win in lead]
    beats = f"a random {one} beats a random {other} {_range(probabilities)} of the time"
    everywhere = ", under every classifier" if len(lead) > 1 else ""
    if verdict == ROBUST:
        return f"{one}s are easier to train here: {beats}{everywhere}."
    if verdict == ALIKE:
        return f"{one}s and {other}s are about equally easy to train here: {beats}{everywhere}."
    if verdict == UNDECIDED and is_finished:
        known = f"{beats} if only trials with a score count"
        return f"It is not decided whether {one}s or {other}s are easier to train: {known}."
    if verdict == UNDECIDED:
        return f"It is not decided yet whether {one}s or {other}s are easier to train: {beats} so far."
    each = ", ".join(f"{percent(p)} under {win.classifier}" for p, win in zip(probabilities, lead, strict=True))
    return (
        f"Whether {one}s or {other}s are easier to train here depends on the classifier: a random {one} beats a random "
        f"{other} {each} of the time."
    )


def _over(share: FamilyShare) -> str:
    """The range over the classifiers, where there is one."""
    if share.least is None or share.most is None or share.least == share.most:
        return ""
    return f" ({_range([share.least, share.most])} over the classifiers)"


def _decides(study: Study, is_finished: bool) -> str | None:
    """The setting whose values differ most in their share above a third, in the family where they differ most.

    Of settings that differ as much, it is the one whose mean scores differ most.
    """
    threshold = (study.real_score or 0.0) / 3
    best: tuple[tuple[float, float], str] | None = None
    for family in in_order(study.prefix["family"]):
        known = study.prefix[(study.prefix["family"] == family) & study.prefix["value"].notna()]
        if not is_finished and known["shape"].nunique() < FEWEST_SHAPES:
            continue
        for axis in (axis for axis in varied(known) if axis != "seed"):
            passed = (known["value"] > threshold).groupby(known[axis]).agg(["sum", "size", "mean"])
            passed = passed[passed["size"] >= FEWEST_TRIALS]
            difference = float(passed["mean"].max() - passed["mean"].min())
            if not difference > 0:  # nan where no value has enough trials
                continue
            high: Any = passed["mean"].idxmax()
            low: Any = passed["mean"].idxmin()
            means = known.groupby(axis)["value"].mean().to_dict()
            weight = (difference, means[high] - means[low])
            if best is None or weight > best[0]:
                most = _counted(passed.loc[high], f"{family_label(family)}s")
                least = "none" if passed["sum"][low] == 0 else _counted(passed.loc[low])
                best = (
                    weight,
                    (
                        f"{_capital(setting_words(axis, high))} {most} pass a third of the real-data score; "
                        f"{setting_words(axis, low, again=True)}, {least} do."
                    ),
                )
    return best and best[1]


def _counted(passed: pd.Series, family: str = "") -> str:
    """How many trials pass: "17 %", "17 % of EBGANs"; where they are few "2 of 12", "2 of 12 EBGANs"."""
    if passed["size"] < FEWEST_FOR_PERCENT:
        return f"{passed['sum']:.0f} of {passed['size']:.0f} {family}".rstrip()
    return percent(passed["mean"]) + (f" of {family}" if family else "")


def percent(share: float | None) -> str:
    """A share as a whole number of percent, with a digit more where that would read as none or all."""
    if share is None or pd.isna(share):
        return "no known share"
    digits = 1 if 0 < share < 0.005 or 0.995 <= share < 1 else 0
    return f"{100 * share:.{digits}f} %"


def _range(shares: Sequence[float]) -> str:
    least, most = percent(min(shares)), percent(max(shares))
    return least if least == most else f"{least.removesuffix(' %')}-{most}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _or_none(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
