"""The finding under each classifier, and how alike the classifiers rank the trials."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from reports.names import family_label, in_order
from reports.numbers.finding import wins_of
from reports.numbers.shares import shares_above
from reports.numbers.study import Study

ALL = "all"  # in place of a family


def by_classifier(study: Study) -> pd.DataFrame:
    """The numbers of the finding under each classifier, for the trials of the finished prefix.

    Returns:
        Rows by measure, family and classifier: measure ("probability of winning", "share above 1/3", "share above
        2/3"), family and other (labels; other is empty for shares), classifier, estimate, low, high (empty where there
        is no interval), cells (trials of the family with a value).
    """
    views = [study.seen(classifier) for classifier in study.classifiers]
    rows = [
        {"measure": "probability of winning", "family": win.one_label, "other": win.other_label}
        | {"classifier": win.classifier, "estimate": win.probability, "low": win.low, "high": win.high}
        | {"cells": win.n_one}
        for win in wins_of(views)
    ]
    for view in views:
        if view.identity is None or view.real_score is None:
            continue
        for row in shares_above(view.prefix, view.trials, view.real_score).to_dict("records"):
            ends = (row["low"], row["high"]) if row["low"] < row["high"] else (np.nan, np.nan)
            rows.append(
                {"measure": f"share above {row['fraction']}", "family": family_label(row["family"]), "other": None}
                | {"classifier": view.identity.name, "estimate": row["share"], "low": ends[0], "high": ends[1]}
                | {"cells": row["cells"]}
            )
    columns = ["measure", "family", "other", "classifier", "estimate", "low", "high", "cells"]
    return pd.DataFrame(rows, columns=columns)


def references(study: Study) -> pd.DataFrame:
    """What each classifier gives to real images and to what is not a trained model.

    Returns:
        Rows by classifier: classifier, accuracy, then nats of I' in a column for real images and for each reference of
        the experiment (empty where it is not known for a classifier).
    """
    rows = [
        {"classifier": one.name, "correct on the test set": one.accuracy, "real digits": one.real_score}
        | {reference.label: reference.scores.get(one.network, np.nan) for reference in study.experiment.references}
        for one in study.classifiers
    ]
    return pd.DataFrame(rows)


def rank_correlations(study: Study) -> pd.DataFrame:
    """Spearman's rank correlation of the scores of every two classifiers, over all trials and in each family.

    Returns:
        Rows by pair and family: one, other (classifiers), family ("all" or a name), cells (trials with both values),
        correlation (empty where one of the classifiers gives all of them the same value).
    """
    values = {one.name: study.seen(one).prefix["value"] for one in study.classifiers}
    family = study.prefix["family"]
    rows = []
    for one, other in combinations(values, 2):
        both = values[one].notna() & values[other].notna()
        for name in (ALL, *in_order(family)):
            own = both if name == ALL else both & (family == name)
            x, y = values[one][own], values[other][own]
            differs = x.min() < x.max() and y.min() < y.max()
            correlation = float(spearmanr(x, y).statistic) if differs else np.nan
            sizes = {"one": one, "other": other, "family": name, "cells": int(own.sum())}
            rows.append(sizes | {"correlation": correlation})
    return pd.DataFrame(rows, columns=["one", "other", "family", "cells", "correlation"])
