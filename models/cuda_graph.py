"""One training step without the overhead of launching its kernels: on a CUDA device it is recorded as a graph."""

from collections.abc import Callable

import torch

_EAGER_CALLS = 3  # libraries choose their algorithms and allocate what they keep in the first calls


class CUDAGraphStep:
    """Calls an action again and again; on a CUDA device all but the first calls replay a graph of its kernels.

    The action is always the same one. It must work on fixed memory alone, draw no random numbers, and never wait for
    the device. We keep no reference to it: it is usually a method of our owner, and a cycle would delay freeing GPU
    memory.

    Args:
        device: where the action's tensors live.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, action: Callable[[], None]) -> None:
        if self._graph is None and self._device.type == "cuda" and self._calls == _EAGER_CALLS:
            self._graph = self._captured(action)
        if self._graph is not None:
            self._graph.replay()
        elif self._device.type == "cuda":
            self._warm_up(action)
        else:
            action()
        self._calls += 1

    def _warm_up(self, action: Callable[[], None]) -> None:
        """Run the action eagerly on a stream of its own: the default stream can't be captured."""
        stream, current = torch.cuda.Stream(self._device), torch.cuda.current_stream(self._device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            action()
        current.wait_stream(stream)

    def _captured(self, action: Callable[[], None]) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device), torch.cuda.graph(graph):
            action()
        return graph
