"""Time a training step as slots, steps, batch, cells or context grow.

    python benchmarks/scaling.py --json scaling.json --plots plots/

Prints a table for each of these sizes, with the exponent of the growth: the slope of log time over
log size at the three largest sizes. A contestant is skipped at sizes that would not fit.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

import machine
from comparison import write_results
from contestants import LSTM, VARIANTS, Contestant, contestants
from growth import Growth
from growth_plot import growth_plot
from lightning_modules.records.picture_file import save_picture
from lightning_modules.table import columns
from peak_memory import peak_mebibytes
from set_unroll import SetSizes, SetUnroll
from sizes import Sizes
from timing import interleaved, timer_of

#: Every core, and a DNC whose links do not grow with the square of the slots.
ROWS = (*(name for name, variant in VARIANTS.items() if not variant.settings), "dnc_sparse_links")
SLOTTED = tuple(name for name in ROWS if "slots" in VARIANTS[name].accepted)
Build = Callable[[str, int, torch.device], Contestant]


class Axis(NamedTuple):
    """A size that is varied."""

    title: str
    unit: str
    sizes: tuple[int, ...]
    names: tuple[str, ...]
    build: Build
    power: int = 2  #: assumed maximum exponent of the growth: 2 for links


def in_recurrence(field: str, **fixed: int) -> Build:
    """Vary one size of a core with a controller; ``fixed`` overrides other default sizes."""

    def build(name: str, size: int, device: torch.device) -> Contestant:
        sizes = Sizes()._replace(**{**fixed, field: size})
        return dict(contestants((name,), sizes, device, bf16=False))[name]

    return build


def in_sets(field: str) -> Build:
    """Vary one size of a core in a neural process."""

    def build(name: str, size: int, device: torch.device) -> Contestant:
        sizes = SetSizes()._replace(**{field: size})
        torch.manual_seed(0)
        builder = VARIANTS[name].builder(Sizes(slots=sizes.slots, word=sizes.width))
        controls = torch.randn(sizes.batch, sizes.steps, sizes.width)
        return Contestant(SetUnroll(builder, sizes).to(device), controls.to(device))

    return build


AXES = {
    "slots": Axis(
        "Slots of the memory",
        "slots N",
        (25, 64, 256, 1024, 4096),
        tuple(name for name in SLOTTED if name != "rmr"),  # whose slots are cells, below
        in_recurrence("slots"),
    ),
    "long": Axis(
        "Slots of a long memory, four sequences",
        "slots N",
        (100, 1_000, 10_000, 100_000),
        ("lru", "sam", "sam_full"),
        in_recurrence("slots", batch=4),
        power=1,
    ),
    "steps": Axis(
        "Length of the sequence",
        "steps T",
        (25, 50, 100, 200, 400),
        (LSTM, *ROWS),
        in_recurrence("steps"),
    ),
    "batch": Axis(
        "Sequences in a batch",
        "sequences B",
        (10, 32, 128, 512),
        (LSTM, *ROWS),
        in_recurrence("batch"),
    ),
    "cells": Axis(
        "Imaginary cells of an RMR",
        "cells K",
        (9, 25, 49, 100, 225, 400),
        ("rmr",),
        in_sets("slots"),
    ),
    "context": Axis(
        "Context points in a step of a neural process",
        "points N",
        (1, 5, 25, 100, 500),
        SLOTTED,
        in_sets("context"),
    ),
}


def parse(args: list[str] | None) -> Namespace:
    """Parse the command line."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write a PNG for each size here")
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES), help="sizes to vary")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="(default: 5)")
    parser.add_argument("--quick", action="store_true", help="two smallest sizes, one round")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="(default: 1)")
    limits = parser.add_argument_group("limits at which a contestant is skipped")
    limits.add_argument("--most-mebibytes", type=float, default=8192, metavar="MIB")
    limits.add_argument("--most-seconds", type=float, default=20, metavar="S")
    return parser.parse_args(args)


def sweep(axis: Axis, options: Namespace) -> dict[str, Growth]:
    """Measure all contestants at each size, interleaved."""
    device = torch.device(options.device)
    curves = {name: Growth.none() for name in axis.names}
    for size in axis.sizes[:2] if options.quick else axis.sizes:
        names = [name for name in axis.names if fits(name, curves[name], size, options, axis.power)]
        present = {name: axis.build(name, size, device) for name in names}
        peaks = {name: peak(contestant, device) for name, contestant in present.items()}
        steps = {name: contestant.step for name, contestant in present.items()}
        rounds = 1 if options.quick else options.rounds
        times = interleaved(steps, rounds, timer_of(device), warm_up=1)
        for name, (median, least) in times.items():
            curves[name].add(size, median, least, peaks[name])
    return curves


def peak(contestant: Contestant, device: torch.device) -> float:
    """Measure the peak memory of a step, in MiB, and drop its gradients."""
    mebibytes = peak_mebibytes(contestant.step, device)
    contestant.module.zero_grad(set_to_none=True)
    return mebibytes


def fits(name: str, growth: Growth, size: int, options: Namespace, power: int = 2) -> bool:
    """Return whether a size is within the limits if costs grow with its power."""
    if not growth.sizes:
        return True
    factor = (size / growth.sizes[-1]) ** power
    mebibytes, seconds = growth.peak_mebibytes[-1] * factor, growth.least_ms[-1] / 1000 * factor
    if mebibytes <= options.most_mebibytes and seconds <= options.most_seconds:
        return True
    print(f"{name} is skipped at {size:,}: up to {mebibytes:,.0f} MiB, {seconds:.0f} s per step")
    return False


def report(curves: Mapping[str, Growth], unit: str) -> str:
    """Format times in ms by size, and the exponent."""
    sizes = sorted({size for growth in curves.values() for size in growth.sizes})
    rows = []
    for name, growth in curves.items():
        times = dict(zip(growth.sizes, growth.median_ms, strict=True))
        cells = [f"{times[size]:.1f}" if size in times else "-" for size in sizes]
        exponent = "-" if growth.exponent is None else f"{growth.exponent:.2f}"
        rows.append([name, *cells, exponent])
    return columns([f"ms, by {unit}", *(f"{s:,}" for s in sizes), "exponent"], rows, texts=1)


def main(args: list[str] | None = None) -> None:
    """Measure, print, draw and write."""
    options = parse(args)
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = machine.record(torch.device(options.device))
    about = machine.heading(results)
    for key in options.axes:
        axis = AXES[key]
        curves = sweep(axis, options)
        print(f"\n{axis.title}\n\n{report(curves, axis.unit)}")
        results[key] = {
            name: growth._asdict() | {"exponent": growth.exponent}
            for name, growth in curves.items()
        }
        if options.plots is not None:
            figure = growth_plot(curves, axis.title, about, axis.unit)
            save_picture(figure, options.plots / f"{key}.png")
    if options.json is not None:
        write_results(options.json, results)


if __name__ == "__main__":
    main()
