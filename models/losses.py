"""Losses of the adversarial game, one value per cohort member (Zhao et al., 2016, eqs. 1, 2 and 4).

N images, K members. Members never mix: reductions run over N only.
"""

import torch.nn.functional as F
from torch import Tensor


def gan_d_loss(logit_real: Tensor, logit_fake: Tensor) -> Tensor:
    """Binary cross entropy of telling real from generated images, from logits [N, K]; returns [K]."""
    return F.softplus(-logit_real).mean(0) + F.softplus(logit_fake).mean(0)


def gan_g_loss(logit_fake: Tensor) -> Tensor:
    """Non-saturating generator loss -log D(G(z)), from logits [N, K]; returns [K]."""
    return F.softplus(-logit_fake).mean(0)


def ebgan_d_loss(energy_real: Tensor, energy_fake: Tensor, margin: Tensor) -> Tensor:
    """D(x) + [margin - D(G(z))]+ of energies [N, K] >= 0 and margin [K] > 0; returns [K].

    The hinge is per image: within a batch some images lie above the margin and some below.
    """
    return energy_real.mean(0) + (margin - energy_fake).relu().mean(0)


def ebgan_g_loss(energy_fake: Tensor) -> Tensor:
    """D(G(z)) of energies [N, K]; returns [K]."""
    return energy_fake.mean(0)


def pull_away(code: Tensor) -> Tensor:
    """Pull-away term: mean squared cosine over ordered pairs i != j of a batch (section 2.4, eq. 4).

    Args:
        code: encoder outputs of generated images, [N, K, C], N >= 2. An all-zero code has cosine 0 to all others.

    Returns:
        [K], in [0, 1].
    """
    n = len(code)
    unit = F.normalize(code, dim=-1).transpose(0, 1)  # [K, N, C]
    cosine = unit @ unit.transpose(1, 2)
    own = cosine.diagonal(dim1=1, dim2=2).square().sum(-1)
    return (cosine.square().sum((1, 2)) - own) / (n * (n - 1))
