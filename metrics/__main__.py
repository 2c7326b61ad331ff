"""Command line of the package: `python -m metrics train-classifier` makes a shipped classifier again."""

import argparse
import sys
import time
from pathlib import Path

import torch

from data.errors import DataError
from data.tensors import load_mnist, scale
from metrics.classifier import save_classifier
from metrics.classifier_card import CLASSIFIERS, SHIPPED, ClassifierCard, write_card
from metrics.classifier_training import store_reference, train_classifier
from metrics.inception_score import inception_score, reversed_inception_score

EPOCHS, SEED = 24, 1  # of the shipped classifiers


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m metrics", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train-classifier", help="train on the 60,000 digits, test on the 10,000")
    train.add_argument("name", choices=CLASSIFIERS, help="which of the classifiers")
    train.add_argument("--out", type=Path, default=SHIPPED, help="folder to write to (default: the package)")
    train.add_argument(
        "--epochs", type=_count, default=EPOCHS, help="passes over the training set (default: %(default)s)"
    )
    train.add_argument(
        "--seed", type=_count, default=SEED, help="seed of weights, order and augmentation (default: %(default)s)"
    )
    train.add_argument("--threads", type=_count, default=1, help="threads of PyTorch (default: 1)")
    arguments = parser.parse_args()
    if arguments.out == SHIPPED and (arguments.epochs, arguments.seed) != (EPOCHS, SEED):
        parser.error(
            "--out: needed with other epochs or another seed, so that the shipped classifiers stay as they are"
        )
    return arguments


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"got {text}, allowed: a whole number from 1")
    return int(text)


def make_classifier(name: str, out: Path, epochs: int, seed: int, threads: int) -> ClassifierCard:
    """Train, test once, and write the weights and their card to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    images, labels = load_mnist("train")
    test_images, test_labels = load_mnist("test")
    start = time.monotonic()

    def report(epoch: int, loss: float) -> None:
        print(f"epoch {epoch}/{epochs}: loss {loss:.4f} nats, {time.monotonic() - start:.0f} s", flush=True)

    classifier = train_classifier(name, scale(images), labels, epochs, seed, report)
    logits = store_reference(classifier, scale(test_images))
    card = ClassifierCard(
        sha256=save_classifier(classifier, name, out),
        test_accuracy=(logits.argmax(1) == test_labels).double().mean().item(),
        real_score=reversed_inception_score(logits).item(),
        real_inception_score=inception_score(logits).item(),
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        epochs=epochs,
        seed=seed,
        torch_version=torch.__version__,
        command=f"python -m metrics train-classifier {name} --epochs {epochs} --seed {seed} --threads {threads}",
    )
    write_card(card, name, out)
    return card


def main() -> int:
    arguments = parse_arguments()
    try:
        card = make_classifier(arguments.name, arguments.out, arguments.epochs, arguments.seed, arguments.threads)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"test accuracy {card.test_accuracy:.2%}, I' of the test digits {card.real_score:.3f} nats, "
        f"inception score {card.real_inception_score:.3f}; wrote {arguments.out}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
