"""A replayed step counts every call; on a CUDA device it ends where plain calls end."""

import pytest
import torch

from models.cuda_graph import CUDAGraphStep
from models.mlp.architecture import Architecture, Member, TrainingConfig
from models.mlp.training import CohortTraining


def test_on_a_cpu_every_call_is_the_action() -> None:
    calls: list[int] = []
    step = CUDAGraphStep(torch.device("cpu"))
    for _ in range(7):
        step(lambda: calls.append(1))
    assert len(calls) == 7


class _Recording:
    """Stands in for CUDA: notes what is called eagerly, recorded and replayed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        monkeypatch.setattr(CUDAGraphStep, "_warm_up", lambda step, action: self.log.append("eager"))
        monkeypatch.setattr(CUDAGraphStep, "_captured", lambda step, action: self._record())

    def _record(self) -> "_Recording":
        self.log.append("recorded")
        return self

    def replay(self) -> None:
        self.log.append("replayed")


def test_what_is_recorded_is_replayed_in_the_same_call(monkeypatch: pytest.MonkeyPatch) -> None:
    # Recording runs no kernel, so the call that records must replay too, or a step would be lost.
    recording = _Recording(monkeypatch)
    step = CUDAGraphStep(torch.device("cuda"))
    for _ in range(6):
        step(lambda: None)
    assert recording.log == ["eager"] * 3 + ["recorded"] + ["replayed"] * 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["logit", "autoencoder"])
def test_on_a_gpu_training_ends_where_it_ends_on_the_cpu(kind: str) -> None:
    margin = None if kind == "logit" else 10.0
    members = [
        Member(1e-3, optimizer, "adam", dropout_d=False, seed=0, margin=margin, pt_weight=0.1 if margin else 0.0)
        for optimizer in ("adam", "sgd")
    ]
    numbers = torch.Generator().manual_seed(0)
    images = torch.rand(64, 20, generator=numbers, dtype=torch.float64) * 2 - 1
    architecture = Architecture(kind, 2, 2, size_g=16, size_d=12, z_dim=6, pixels=20)
    found = []
    for device in ("cpu", "cuda"):
        training = CohortTraining(architecture, members, TrainingConfig(8, 64), images.to(device))
        same = [
            torch.randn(2, 64, 1, 6, generator=torch.Generator().manual_seed(i), dtype=torch.float64) for i in range(8)
        ]
        training._draws.z = lambda shape, same=same, device=device: same.pop(0).to(device)
        for _ in range(8):  # some eager, one recorded, the rest replayed
            training.step()
        found.append([tensor.cpu() for tensor in (*training.generator.tensors(), *training.discriminator.tensors())])
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(there, here, rtol=1e-6, atol=1e-9)
