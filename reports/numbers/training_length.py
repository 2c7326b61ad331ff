"""The finding against the length of the training: what it would have been at every scored step."""

from itertools import combinations

import pandas as pd
from scipy.stats import rankdata

from reports.names import family_label, in_order
from reports.numbers.shares import FRACTIONS
from reports.numbers.study import Study
from reports.numbers.values import FAILED


def by_step(study: Study) -> pd.DataFrame:
    """Probabilities of winning and shares above a third at every step and under every classifier.

    They are counted over the trials of the finished prefix. A step at which some trial has no value, other than one
    that failed, is left out for that classifier: other trials would be counted there than at the other steps.

    Returns:
        Rows: measure ("probability of winning" or "share above 1/3"), family and other (labels; other is empty for
        shares), classifier, step, estimate, cells (trials of the family with a value).
    """
    rows = []
    for classifier in study.classifiers:
        for step in study.scored_steps:
            prefix = study.seen(classifier, step).prefix
            if (prefix["value"].isna() & (prefix["outcome"] != FAILED)).any():
                continue
            known = prefix[prefix["value"].notna()]
            own = {family: known.loc[known["family"] == family, "value"] for family in in_order(known["family"])}
            place = {"classifier": classifier.name, "step": step}
            for other, one in combinations(own, 2):
                sides = {"family": family_label(one), "other": family_label(other), "cells": len(own[one])}
                estimate = winning_share(own[one], own[other])
                rows.append({"measure": "probability of winning", "estimate": estimate} | sides | place)
            if classifier.real_score is None:
                continue
            for family, values in own.items():
                share = float((values > float(FRACTIONS[0]) * classifier.real_score).mean())
                sides = {"family": family_label(family), "other": None, "cells": len(values)}
                rows.append({"measure": f"share above {FRACTIONS[0]}", "estimate": share} | sides | place)
    return pd.DataFrame(rows, columns=["measure", "family", "other", "classifier", "step", "estimate", "cells"])


def winning_share(one: pd.Series, other: pd.Series) -> float:
    """Share of pairs in which a value of the one is above one of the other; a tie counts as half."""
    n = len(one)
    ranks = rankdata(pd.concat([one, other]))[:n]
    return float((ranks.sum() - n * (n + 1) / 2) / (n * len(other)))
