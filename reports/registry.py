"""Which figures the report of an experiment has, in the order of the page.

To add a figure, write its numbers (`numbers/X.py`), its drawing and caption (`figures/X.py`), and name it here.
`page/contents.py` says in which part of the page it stands.
"""

from reports.figures.best_of_n import best_of_n_figure
from reports.figures.by_classifier import classifiers_figures
from reports.figures.comparisons import comparisons_figure
from reports.figures.effects import effects_figures
from reports.figures.equilibrium import equilibrium_figure
from reports.figures.figure import Maker
from reports.figures.histogram import layers_figure, optimizers_figure
from reports.figures.learning_curves import learning_curves_figure
from reports.figures.samples import best_samples_figure, margins_figure
from reports.figures.survival import survival_figure
from reports.figures.training_length import training_length_figure

_CURVES: tuple[Maker, ...] = (survival_figure, best_of_n_figure, learning_curves_figure)
# These need nothing but a score that ranks: every experiment has them.
GENERAL: tuple[Maker, ...] = (*_CURVES, effects_figures)

# By the name of the experiment; one that is not named has the general figures.
REPORTS: dict[str, tuple[Maker, ...]] = {
    "mnist_gan": (
        layers_figure,
        optimizers_figure,
        *_CURVES,
        comparisons_figure,
        classifiers_figures,
        training_length_figure,
        effects_figures,
        best_samples_figure,
        margins_figure,
        equilibrium_figure,
    ),
}
