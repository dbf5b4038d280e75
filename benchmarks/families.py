"""Break down the time of a training step of each family.

    python benchmarks/families.py --json families.json --plot families.png

Prints for each experiment the time of a step, the shares of encoder and decoder, of other matrix
products and of waiting for data, and the time of its matrix products alone.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

import machine
from comparison import write_results
from lightning_modules.records.picture_file import save_picture
from lightning_modules.table import columns
from products import is_attention, products_of, repeated
from shares_plot import shares_plot
from step_profile import profiled
from timing import Times, interleaved, timer_of
from trainee import Trainee, rmr_trainee, trainee_of

GTMM = ("vrnn", "dnc_gtmm", "ntm_gtmm", "lru_gtmm", "introspective_gtmm")
PROCESSES = ("snp", "asnp_w", "asnp_rmr", "anp")
DATA = ("gp_transfer", "gp_sparse", "digits_sparse")
#: An RMR at the sizes of its target: numbers of context points and of targets.
SETS = {"rmr_50_points": (50, 50), "rmr_1_point": (1, 10)}
NAMES = (
    *(f"{model}_maze" for model in GTMM),
    *(f"{model}_{data}" for data in DATA for model in PROCESSES),
    *SETS,
)
#: Sources that need no download, by part of the benchmark's name.
EMBEDDED = {"_gp_": None, "_faces_": "faces", "_one_shot_": "glyphs", "": "mnist5k"}
COLUMNS = (
    ("step ms", "step_ms", "{:.0f}"),
    ("networks", "networks", "{:.0%}"),
    ("products", "products", "{:.0%}"),
    ("elsewhere", "elsewhere", "{:.0%}"),
    ("data", "data_share", "{:.1%}"),
    ("products alone ms", "products_ms", "{:.0f}"),
    ("step x products", "step_ratio", "{:.2f}"),
    ("bf16 step ms", "bf16_step_ms", "{:.0f}"),
)


def parse(args: list[str] | None) -> Namespace:
    """Parse the command line."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a PNG of the shares here")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="(default: 15)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=sorted({*NAMES, *(file.stem for file in (machine.ROOT / "conf").glob("*.yaml"))}),
        default=NAMES,
        metavar="NAME",
        help="rows to measure; any experiment of conf/ is valid",
    )
    parser.add_argument("--bf16", action="store_true", help="also time steps under autocast")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of experiments"
    )
    return parser.parse_args(args)


def build(name: str, settings: list[str]) -> Trainee:
    """Build a row's model."""
    if name in SETS:
        return rmr_trainee(*SETS[name])
    source = next(source for part, source in EMBEDDED.items() if part in name)
    options = [f"--{setting}" for setting in settings]
    return trainee_of(name, options if source is None else [f"--data.source={source}", *options])


def measure(trainee: Trainee, rounds: int, bf16: bool) -> dict[str, Any]:
    """Measure a row, with its step, data and products interleaved."""
    trainee.step()
    calls = products_of(trainee.step)
    steps = {
        "step": trainee.step,
        "data": trainee.fetch,
        "products": repeated(calls),
        "attention": repeated(call for call in calls if is_attention(call.operator)),
    }
    if bf16:
        steps["bf16"] = partial(trainee.step, bf16=True)
    times = interleaved(steps, rounds, timer_of(torch.device("cpu")))
    shares = profiled(trainee.step, trainee.networks())
    return summary(times) | shares._asdict()


def summary(times: Mapping[str, Times]) -> dict[str, Any]:
    """Summarise the times."""
    step, data, products = (times[name].median for name in ("step", "data", "products"))
    return {
        "step_ms": step,
        "step_least_ms": times["step"].least,
        "data_ms": data,
        "data_share": data / (step + data),
        "products_ms": products,
        "of_which_attention_ms": times["attention"].median,
        "step_ratio": step / products,
        "bf16_step_ms": times["bf16"].median if "bf16" in times else None,
    }


def report(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Format the table."""
    shown = [c for c in COLUMNS if any(row[c[1]] is not None for row in rows.values())]
    cells = [[name, *(form.format(row[k]) for _, k, form in shown)] for name, row in rows.items()]
    return columns(["", *(heading for heading, *_ in shown)], cells, texts=1)


def main(args: list[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse(args)
    torch.set_num_threads(options.threads)
    results = machine.record(torch.device("cpu"))
    rows = {
        name: measure(build(name, options.set), options.rounds, options.bf16)
        for name in options.only
    }
    print(report(rows))
    if options.plot is not None:
        title = "What training steps are spent on"
        save_picture(shares_plot(rows, title, machine.heading(results)), options.plot)
    if options.json is not None:
        write_results(options.json, results | {"rounds": options.rounds} | rows)


if __name__ == "__main__":
    main()
