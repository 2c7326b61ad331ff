"""Repeating one step without its overhead: on a CUDA device as a recorded graph."""

from collections.abc import Callable

import torch

_EAGER_CALLS = 3  # libraries choose their algorithms and allocate what they keep in the first calls


class Replay:
    """Calls an action again and again; on a CUDA device all but the first calls replay a recording of its kernels.

    The action is always the same one. It must work on fixed memory alone, draw no random numbers, and never wait for
    the device. It is not kept, so that its owner can own the replay.

    Args:
        device: where its tensors live.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, action: Callable[[], None]) -> None:
        if self._graph is None and self._device.type == "cuda" and self._calls == _EAGER_CALLS:
            self._graph = self._recorded(action)
        if self._graph is not None:
            self._graph.replay()
        elif self._device.type == "cuda":
            self._aside(action)
        else:
            action()
        self._calls += 1

    def _aside(self, action: Callable[[], None]) -> None:
        """On another stream than the default one, which can't be recorded."""
        stream, current = torch.cuda.Stream(self._device), torch.cuda.current_stream(self._device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            action()
        current.wait_stream(stream)

    def _recorded(self, action: Callable[[], None]) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device), torch.cuda.graph(graph):
            action()
        return graph
