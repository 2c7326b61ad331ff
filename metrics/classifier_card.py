"""The model card of the shipped classifier: what it is, how good it is and how to make it again."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

CARD_NAME = "classifier.json"
WEIGHTS_NAME = "classifier.safetensors"
SHIPPED = Path(__file__).parent


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


def classifier_card(directory: Path = SHIPPED) -> ClassifierCard:
    """Read the card next to the weights, without loading PyTorch.

    Raises:
        ClassifierError: there is no card, or its keys are not those of `ClassifierCard`.
    """
    path = directory / CARD_NAME
    if not path.is_file():
        raise ClassifierError(f"{path} is missing: make it with `python -m metrics train-classifier`")
    record = json.loads(path.read_text(encoding="utf-8"))
    expected = {field.name for field in fields(ClassifierCard)}
    if set(record) != expected:
        raise ClassifierError(f"{path}: missing or unknown keys {sorted(expected ^ set(record))}")
    return ClassifierCard(**record)


def write_card(card: ClassifierCard, directory: Path) -> None:
    """Write the card next to the weights."""
    text = json.dumps(asdict(card), indent=2) + "\n"
    (directory / CARD_NAME).write_text(text, encoding="utf-8")
