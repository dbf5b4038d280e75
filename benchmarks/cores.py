"""Time a training step with each memory core.

    python benchmarks/cores.py --json results.json

Prints a table and writes its numbers; docs/performance.md explains the columns.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import machine
from comparison import about_earlier, earlier_ratio, ratio, read_results, write_results
from compilation import compiled_contestant
from contestants import LSTM, NAMES, PYPI_DNC, VARIANTS, Contestant, contestants
from dispatches import count_dispatches, count_kernels
from lightning_modules.speed.compiled_steps import require_compiler
from lightning_modules.table import columns
from peak_memory import peak_mebibytes
from sizes import Sizes, add_sizes, sizes_of
from synchronisations import count_synchronisations
from timing import Times, interleaved, timer_of

Row = dict[str, Any]
COMPILED = " compiled"
#: Heading, key and format of each column.
COLUMNS = (
    ("ms", "eager_ms", "{:.1f}"),
    ("least", "eager_least_ms", "{:.1f}"),
    ("x LSTM", "eager_ratio", "{:.2f}"),
    ("before", "eager_ratio_before", "{:.2f}"),
    ("compiled ms", "compiled_ms", "{:.1f}"),
    ("x LSTM", "compiled_ratio", "{:.2f}"),
    ("before", "compiled_ratio_before", "{:.2f}"),
    ("compiling s", "compiling_s", "{:.0f}"),
    ("sequences/s", "sequences_per_s", "{:.0f}"),
    ("peak MiB", "peak_mebibytes", "{:.1f}"),
    ("forward ops", "forward_dispatches_per_step", "{:.1f}"),
    ("backward ops", "backward_dispatches_per_step", "{:.1f}"),
    ("kernels", "kernels_per_step", "{:.1f}"),
    ("host syncs", "synchronisations", "{:.0f}"),
)


def parse(args: list[str] | None) -> Namespace:
    """Parse the command line."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument("--rounds", type=int, default=21, metavar="N", help="(default: 21)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="rows to measure")
    parser.add_argument(
        "--compile",
        nargs="+",
        choices=(*VARIANTS, "all", "none"),
        default=("dnc",),
        help="cores to also time compiled, which takes minutes (default: dnc)",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--bf16", action="store_true", help="under bfloat16 autocast")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--keep", action="store_true", help="store as the baseline of later runs")
    parser.add_argument(
        "--before", type=Path, metavar="FILE", help="earlier results (default: the stored ones)"
    )
    add_sizes(parser)
    return parser.parse_args(args)


def describe(contestant: Contestant, steps: int, device: torch.device) -> Row:
    """Measure memory and operator counts, after a warm-up."""
    contestant.step()
    contestant.step()
    contestant.module.zero_grad(set_to_none=True)
    row: Row = {"peak_mebibytes": peak_mebibytes(contestant.step, device)}
    dispatches = count_dispatches(contestant)
    row["forward_dispatches_per_step"] = dispatches.forward / steps
    row["backward_dispatches_per_step"] = dispatches.backward / steps
    if device.type == "cuda":
        row["kernels_per_step"] = count_kernels(contestant) / steps
        row["synchronisations"] = count_synchronisations(contestant.step)
    contestant.module.zero_grad(set_to_none=True)
    return row


def timed(times: Mapping[str, Times], name: str) -> Row:
    """Return a contestant's times."""
    row: Row = {"eager_ms": times[name].median, "eager_least_ms": times[name].least}
    fast = times.get(name + COMPILED)
    row["compiled_ms"] = None if fast is None else fast.median
    row["compiled_least_ms"] = None if fast is None else fast.least
    return row


def to_compile(names: Sequence[str], device: torch.device) -> Sequence[str]:
    """Return the rows to compile: none on a CPU without a compiler. CUDA captures graphs."""
    if "none" in names:
        return ()
    try:
        if device.type == "cpu":
            require_compiler()
    except ValueError as missing:
        print(f"nothing is compiled: {missing}")
        return ()
    return tuple(VARIANTS) if "all" in names else names


def measure(options: Namespace, sizes: Sizes, device: torch.device) -> dict[str, Row]:
    """Measure all rows."""
    names = tuple(dict.fromkeys((LSTM, *options.only)))
    everyone = dict(contestants(names, sizes, device, options.bf16))
    rows = {name: describe(each, sizes.steps, device) for name, each in everyone.items()}
    runners = dict(everyone)
    for name in (name for name in to_compile(options.compile, device) if name in everyone):
        runners[name + COMPILED], rows[name]["compiling_s"] = compiled_contestant(everyone[name])
    steps = {name: runner.step for name, runner in runners.items()}
    times = interleaved(steps, options.rounds, timer_of(device))
    return {name: timed(times, name) | row for name, row in rows.items()}


def with_ratios(results: dict[str, Any], earlier: Mapping[str, Any] | None, batch: int) -> None:
    """Add ratios and speeds derived from the times."""
    results["lstm_ms"] = results[LSTM]["eager_ms"]
    results["pypi_dnc_ms"] = results.get(PYPI_DNC, {}).get("eager_ms")
    for name in results.keys() & set(NAMES):
        row = results[name]
        for kind in ("eager", "compiled"):
            key = f"{kind}_ms"
            row[f"{kind}_ratio"] = ratio(row[key], results)
            row[f"{kind}_ratio_before"] = earlier_ratio(name, key, results, earlier)
        best = min(row["eager_ms"], row["compiled_ms"] or row["eager_ms"])
        row["sequences_per_s"] = 1000 * batch / best


def report(results: Mapping[str, Any]) -> str:
    """Format the table without empty columns."""
    rows = {name: results[name] for name in NAMES if name in results}
    shown = [c for c in COLUMNS if any(row.get(c[1]) is not None for row in rows.values())]
    cells = [
        [name, *("-" if row.get(k) is None else form.format(row[k]) for _, k, form in shown)]
        for name, row in rows.items()
    ]
    return columns(["", *(heading for heading, *_ in shown)], cells, texts=1)


def main(args: list[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse(args)
    torch.set_num_threads(options.threads)
    device, sizes = torch.device(options.device), sizes_of(options)
    about = machine.record(device, options.bf16)
    kept = machine.results_file(about, "cores")
    results = about | {"rounds": options.rounds, "sizes": sizes._asdict()}
    results |= measure(options, sizes, device)
    earlier = read_results(options.before or kept)
    with_ratios(results, earlier, sizes.batch)
    print(f"{machine.heading(about)}\n\n{report(results)}\n\n{about_earlier(results, earlier)}")
    for path in filter(None, (options.json, kept if options.keep else None)):
        write_results(path, results)


if __name__ == "__main__":
    main()
