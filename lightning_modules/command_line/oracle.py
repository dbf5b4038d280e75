"""``oracle``: estimates the best possible NLL on drifting functions with unknown kernels."""

import sys
from dataclasses import fields
from typing import Any

from datamodules import BenchmarkDataModule
from datamodules.points.gaussian_process.inferred_nll import Inference
from lightning_modules.command_line.blueprint import blueprint
from lightning_modules.command_line.class_settings import concrete
from lightning_modules.command_line.command_parser import CommandParser

DESCRIPTION = """\
Estimate the best target NLL on an experiment's test functions by inferring their kernels from the
contexts with tempered sequential Monte Carlo, in two independent runs. This takes minutes, or
hours for transfer prediction.
The result is stored in the data folder. If it is reliable, every later test of these functions
draws it and reports the model's distance from it (gap_inferred_nll).

  effective samples  mean effective sample size of the kernels, and the least at any step
  runs differ by     difference between the two runs' NLLs: the estimate's error
  standard error     standard error of the NLL over the sequences"""
HELP = {
    "particles": "kernels sampled for each sequence",
    "sequences": "number of test sequences to use",
    "targets": "targets at each step, chosen at random",
}


def oracle(args: list[str]) -> None:
    """Estimate the best possible NLL on drifting functions with unknown kernels.

    Args:
        args: an experiment's file and options.
    """
    parser = _parser()
    options, settings = parser.parse_with_settings(args)
    try:
        inference = Inference(options.particles, options.sequences, options.targets)
    except ValueError as mistake:
        parser.error(f"--{mistake}")
    data = blueprint(options.experiment, [], settings).datamodule
    if not data.has_kernels_to_infer:
        benchmarks: list[Any] = [*concrete(BenchmarkDataModule)]
        valid = " or ".join(c.__name__ for c in benchmarks if c.has_kernels_to_infer)
        kind = type(data).__name__
        parser.error(f"{options.experiment}: data must be {valid}, got {kind}")
    data.setup()
    found = data.infer_nll(inference)
    samples = found.curves["effective_samples"].mean()
    print(
        f"NLL {found.curves['nll'].mean():.3f} nats per target (the runs differ by "
        f"{found.difference:.3f}; standard error {found.sampling_error:.3f}), effective samples "
        f"{samples:.1f} of {inference.particles:,} (at least {found.least_samples:.1f})"
    )
    if found.doubt:
        print(
            f"warning: this is not a bound, so no gap is reported: {found.doubt}", file=sys.stderr
        )


def _parser() -> CommandParser:
    parser = CommandParser("oracle", DESCRIPTION)
    usage = " ".join(f"[--{field.name} N]" for field in fields(Inference))
    parser.usage = f"{parser.prog} EXPERIMENT {usage} [--KEY=VALUE ...]"
    parser.add_argument(
        "experiment", metavar="EXPERIMENT", help="file, such as conf/asnp_rmr_gp_sparse.yaml"
    )
    for field in fields(Inference):
        parser.add_argument(
            f"--{field.name}",
            type=type(field.default),
            default=field.default,
            metavar="N",
            help=f"{HELP[field.name]} (default: {field.default})",
        )
    return parser
