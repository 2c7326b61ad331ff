"""Where the time of a training step goes: the profiler's operators, sorted into parts."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

# Words in the names of operators or CUDA kernels; the first match counts. Names without a match are elementwise work.
_PARTS = {
    "optimiser": ("fused_adam", "fused_sgd", "fusedadam", "fusedsgd", "foreach", "multi_tensor"),
    "products": ("mm", "gemm", "cutlass", "matmul", "splitk"),
    "batch norm": ("batch_norm", "bn_"),
    "draws": ("uniform", "normal_", "rand", "distribution", "index"),
    "copies": ("copy", "stack", "cat", "clone"),
    "views, memory": ("empty", "view", "as_strided", "unbind", "select", "slice", "expand", "reshape", "flatten"),
}
REST = "elementwise, reductions"
_ALL = "all steps"
OVERHEAD = "Python, dispatch, waiting"


def profile_step(steps: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Fraction of each part in the time of some steps, on one CPU thread or a CUDA device.

    The profiler itself takes about a microsecond an operator, so parts with many small operators look larger than
    they are.
    """
    gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=activities) as found, torch.profiler.record_function(_ALL):
        steps()
        if gpu:
            torch.cuda.synchronize(device)
    events = found.key_averages()
    total = next(e.cpu_time_total for e in events if e.key == _ALL)
    shares = dict.fromkeys([*_PARTS, REST], 0.0)
    for event in events:
        if event.key != _ALL:
            shares[_part(event.key)] += (event.self_device_time_total if gpu else event.self_cpu_time_total) / total
    return shares | {OVERHEAD: max(0.0, 1 - sum(shares.values()))}


def _part(operator: str) -> str:
    name = operator.lower()
    return next((part for part, words in _PARTS.items() if any(word in name for word in words)), REST)
