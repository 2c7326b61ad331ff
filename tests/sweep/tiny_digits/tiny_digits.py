"""An experiment of another package: logistic regression on digits, which no file of the project knows by name."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field as Bounds

from metrics.identity import ScoreIdentity
from search_spaces.axis import Axis, Rate, Seed, Setting, SharedSettings
from search_spaces.experiment import Experiment, Family, Score


@dataclass(frozen=True, slots=True)
class Settings:
    side: Annotated[int, Bounds(ge=4, le=32), Axis("side", shape=True)]
    lr: Annotated[Rate, Axis("lr")]
    decay: Annotated[float, Bounds(ge=0), Axis("weight decay")]
    seed: Annotated[Seed, Axis("seed")] = 0


@dataclass(frozen=True, kw_only=True)
class Training(SharedSettings):
    steps: Annotated[int, Bounds(ge=1), Setting()]
    batch_size: Annotated[int, Bounds(ge=1), Setting()]
    n_train: Annotated[int, Bounds(ge=10, le=60000), Setting()] = 1000


@dataclass(frozen=True, kw_only=True)
class Scoring(SharedSettings):
    n_samples: Annotated[int, Bounds(ge=10, le=10000), Setting()] = 1000
    times: Annotated[int, Bounds(ge=1), Setting(in_order=False)] = 1


def identities(scoring: Any) -> tuple[ScoreIdentity, ...]:
    return (ScoreIdentity("test-error-percent", "", scoring.n_samples, 0),)


TINY_DIGITS = Experiment(
    name="tiny_digits",
    title="Logistic regression on digits",
    families=(Family("logistic", "logistic regression", "linear"),),
    settings=Settings,
    training=Training,
    scoring=Scoring,
    scores=(Score("test_error", "test error, %", higher_is_better=False, worst=100.0),),
    neighbours=("lr", "decay", "seed"),
    shape_form="{side} x {side} pixels",
    recipe="tiny_digits_recipe:RECIPE",
    cost="tiny_digits_cost",
    identity="tiny_digits:identities",
    prepare="data.mnist.dataset:ensure_mnist",
)
