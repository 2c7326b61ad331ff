"""The scores of an experiment as the page needs them: those that are drawn and ranked, and those only listed."""

from collections.abc import Sequence
from typing import Any

from search_spaces.experiment import Experiment, Score

EXACT, RANKED, OTHER = 17, 7, 4  # significant digits of the first score, of others with a direction, and of the rest


def drawable(experiment: Experiment) -> Sequence[Score]:
    """The scores that the explorer draws: those with a direction."""
    return [score for score in experiment.scores if score.higher_is_better is not None]


def described(experiment: Experiment) -> list[dict[str, Any]]:
    """Each drawable score: name, label, worst (None where a diverged trial counts as nothing), higher and decimals."""
    first = experiment.scores[0]
    return [
        {
            "name": score.name,
            "label": score.label,
            "worst": score.worst,
            "higher": bool(score.higher_is_better),
            "decimals": 0 if score.whole else 3 if score is first else 2,
        }
        for score in drawable(experiment)
    ]


def measures(experiment: Experiment) -> list[dict[str, str]]:
    """Scores without a direction: name and label."""
    return [{"name": one.name, "label": one.label} for one in experiment.scores if one.higher_is_better is None]


def digits(experiment: Experiment, score: Score) -> int:
    """Significant digits of a score in the page."""
    return EXACT if score is experiment.scores[0] else OTHER if score.higher_is_better is None else RANKED
