"""What each classifier says of images that no trained model made: what a score can and can't tell.

`python -m benchmarks.classifiers` prints I' as a share of what the real test digits score, for real digits that were
disturbed, for images that are all alike, and for generators as they are before training.
"""

import itertools
from collections.abc import Callable, Iterator

import torch
from rich.console import Console
from rich.table import Table
from scipy import ndimage
from torch import Tensor

from data.tensors import load_mnist, scale
from metrics.classifier_card import CLASSIFIERS, classifier_card
from metrics.scorer import Scorer
from models.mlp.architecture import Architecture, Member, TrainingConfig
from models.mlp.training import CohortTraining

LAYERS, WIDTHS, SEEDS = (2, 3, 4, 5), (50, 100, 200, 400), (0, 1, 2)  # of untrained generators: the laptop grids


def disturbed(digits: Tensor, labels: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Names and images [n, 1024] of what becomes of real digits [n, 32, 32] in [-1, 1]."""
    generator = torch.Generator().manual_seed(0)
    yield "real digits", digits
    yield "the first 1,000 of them", digits[:1000]
    yield "digits 0 to 4 alone", digits[labels < 5]
    for sigma in (0.8, 1.2):
        blurred = ndimage.gaussian_filter(digits.numpy(), (0, sigma, sigma))
        yield f"blurred, sigma {sigma} pixels", torch.from_numpy(blurred)
    for sigma in (0.1, 0.3):
        noisy = (digits + sigma * torch.randn(digits.shape, generator=generator)).clamp(-1, 1)
        yield f"with noise, sigma {sigma}", noisy
    for share in (0.75, 0.5):
        yield f"{100 * share:.0f} % of the contrast", (digits + 1) * share - 1
    yield "one digit, 1,000 times", digits[:1].expand(1000, -1, -1)


@torch.no_grad()
def untrained() -> Iterator[Tensor]:
    """1,000 images [1000, 1024] of each generator of the laptop grids as it is before training, three seeds each."""
    z = torch.randn(1000, 100, generator=torch.Generator().manual_seed(0))
    config, real = TrainingConfig(steps=1, batch_size=2), torch.zeros(2, 1024)
    for layers, width, seed in itertools.product(LAYERS, WIDTHS, SEEDS):
        architecture = Architecture("logit", layers, 2, width, 16)
        member = Member(1e-3, "adam", "adam", dropout_d=False, seed=seed)
        training = CohortTraining(architecture, [member], config, real)
        yield torch.cat([training.generate(batch)[:, 0] for batch in z.split(500)])


def shares(scorer: Scorer, images: Tensor) -> list[float]:
    """I' of images [n, 1024] under each classifier, as a share of that of the real test digits."""
    real = [classifier_card(name).real_score for name in CLASSIFIERS]
    scores = scorer.score(images.flatten(1)[None])
    return [found["score"].item() / whole for found, whole in zip(scores, real, strict=True)]


def rows(tell: Callable[[str], None] = lambda name: None) -> Iterator[tuple[str, list[float]]]:
    """What was scored, and its share under each classifier."""
    scorer = Scorer()
    images, labels = load_mnist("test")
    for name, changed in disturbed(scale(images), labels):
        tell(name)
        yield name, shares(scorer, changed)
    found = [shares(scorer, generated) for generated in untrained()]
    by_classifier = list(zip(*found, strict=True))
    yield f"untrained generators, median of {len(found)}", [sorted(one)[len(one) // 2] for one in by_classifier]
    yield "untrained generators, highest", [max(one) for one in by_classifier]


def main() -> None:
    console = Console(width=100)
    table = Table("images", *CLASSIFIERS, title="I' in percent of that of the 10,000 real test digits")
    for name, found in rows(lambda name: print(f"scoring: {name}", flush=True)):
        table.add_row(name, *(f"{100 * share + 0.0:.1f}" for share in found))
    console.print(table)


if __name__ == "__main__":
    main()
