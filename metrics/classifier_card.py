"""The model cards of the shipped classifiers: what each is, how good it is and how to make it again."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

CLASSIFIERS = ("strided", "tanh", "pooled")  # in the order of their rank: the first one's scores are shown first
SHIPPED = Path(__file__).parent / "classifiers"


class ClassifierError(RuntimeError):
    """The classifier's files are missing, incomplete or do not belong together."""


@dataclass(frozen=True)
class ClassifierCard:
    """Facts recorded when the classifier was trained.

    Attributes:
        sha256: hash of the weights file, 64 hexadecimal digits.
        test_accuracy: accuracy on the 10,000 test digits, 0 to 1.
        real_score: I' of the 10,000 test digits, nats; the reference line of every histogram.
        real_inception_score: usual inception score of the same digits, 1 to 10.
        parameters: number of weights, batch normalisation folded in.
        epochs: passes over the 60,000 training digits.
        seed: seed of the weights, of the order of the digits and of their augmentation.
        torch_version: PyTorch that trained it.
        command: the command that made both files.
    """

    sha256: str
    test_accuracy: float
    real_score: float
    real_inception_score: float
    parameters: int
    epochs: int
    seed: int
    torch_version: str
    command: str


def card_file(name: str, directory: Path = SHIPPED) -> Path:
    return directory / f"{name}.json"


def weights_file(name: str, directory: Path = SHIPPED) -> Path:
    return directory / f"{name}.safetensors"


def classifier_card(name: str, directory: Path = SHIPPED) -> ClassifierCard:
    """Read the card next to the weights; loads no PyTorch.

    Raises:
        ClassifierError: there is no card, or its keys are not those of `ClassifierCard`.
    """
    path = card_file(name, directory)
    if not path.is_file():
        raise ClassifierError(f"{path} is missing: make it with `python -m metrics train-classifier {name}`")
    record = json.loads(path.read_text(encoding="utf-8"))
    expected = {field.name for field in fields(ClassifierCard)}
    if set(record) != expected:
        raise ClassifierError(f"{path}: missing or unknown keys {sorted(expected ^ set(record))}")
    return ClassifierCard(**record)


def write_card(card: ClassifierCard, name: str, directory: Path) -> None:
    """Write the card next to the weights."""
    text = json.dumps(asdict(card), indent=2) + "\n"
    card_file(name, directory).write_text(text, encoding="utf-8")
