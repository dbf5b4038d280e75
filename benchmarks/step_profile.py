"""Profiles a training step's time: networks, other matrix products, everything else."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import nn
from torch.autograd.profiler import record_function
from torch.profiler import ProfilerActivity, profile

from timing import Step

STEP, NETWORK = "benchmark: step", "benchmark: network"
#: PyTorch's name for a node of the backward pass.
BACKWARD = "autograd::engine::evaluate_function"
PRODUCTS = {
    "aten::mm",
    "aten::addmm",
    "aten::bmm",
    "aten::baddbmm",
    "aten::convolution",
    "aten::convolution_backward",
    # A whole LSTM, whose products cannot be separated from its gates.
    "aten::mkldnn_rnn_layer",
    "aten::mkldnn_rnn_layer_backward",
    # Inside this project's operators.
    "linear::forward",
    "linear::backward",
}
ATTENTION = "aten::_scaled_dot_product"


class Shares(NamedTuple):
    """Shares of a step's time; they sum to 1."""

    networks: float  #: encoder and decoder, all of their operators
    products: float  #: matrix products and fused attention outside them
    elsewhere: float


@contextmanager
def marked(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Mark the calls of modules and their submodules for the profiler."""
    ranges: list[record_function] = []

    def enter(module: nn.Module, args: Any) -> None:
        ranges.append(record_function(NETWORK))
        ranges[-1].__enter__()

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        ranges.pop().__exit__(None, None, None)

    parts = {part for module in modules for part in module.modules()}
    hooks = [part.register_forward_pre_hook(enter) for part in parts]
    hooks += [part.register_forward_hook(leave) for part in parts]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def profiled(step: Step, networks: Iterable[nn.Module]) -> Shares:
    """Profile one step.

    The profiler itself costs a microsecond or two per operator, so the share of parts with many
    small operators is slightly too large.
    """
    cpu = [ProfilerActivity.CPU]
    with profile(activities=cpu) as profiler, marked(networks), record_function(STEP):
        step()
    events = profiler.events()
    (whole,) = (event for event in events if event.name == STEP)
    spent = {"networks": 0.0, "products": 0.0}
    add_up(whole, numbers_in_networks(events), spent)
    shares = {name: time / whole.cpu_time_total for name, time in spent.items()}
    return Shares(**shares, elsewhere=1 - sum(shares.values()))


def numbers_in_networks(events: Iterable[Any]) -> set[int]:
    """Return the sequence numbers that link backward nodes to the networks' operators."""
    makers = {}
    for event in sorted(events, key=lambda event: event.time_range.start):
        # The last operator with a number created the node.
        if event.sequence_nr >= 0 and event.name.startswith("aten::"):
            makers[event.sequence_nr] = event
    return {number for number, event in makers.items() if is_in_network(event)}


def is_in_network(event: Any) -> bool:
    """Return whether a marked module called the operator."""
    while event is not None and event.name != NETWORK:
        event = event.cpu_parent
    return event is not None


def add_up(event: Any, numbers: set[int], spent: dict[str, float]) -> None:
    """Add the time of an event, or of its parts, to its categories."""
    backward = event.name.startswith(BACKWARD) and event.sequence_nr in numbers
    if event.name == NETWORK or backward:
        spent["networks"] += event.cpu_time_total
    elif event.name in PRODUCTS or event.name.startswith(ATTENTION):
        spent["products"] += event.cpu_time_total
    else:
        for child in event.cpu_children:
            add_up(child, numbers, spent)
