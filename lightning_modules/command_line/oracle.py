"""``oracle``: estimates the best possible NLL on drifting functions whose kernels are not known."""

import sys
from dataclasses import fields
from typing import Any

from datamodules import BenchmarkDataModule
from datamodules.points.gaussian_process.inferred_nll import Inference
from lightning_modules.command_line.blueprint import blueprint
from lightning_modules.command_line.class_settings import concrete
from lightning_modules.command_line.command_parser import CommandParser

DESCRIPTION = """\
Compute the target-NLL that inference reaches on an experiment's test functions: it infers their
kernels from the contexts by tempered sequential Monte Carlo, in two independent runs. It takes
minutes, for transfer prediction hours.
The result is kept in the data folder. If it can be trusted, every later test of these functions
draws it and reports how far its model is from it (gap_inferred_nll).

  effective samples  of the kernels, on average, and the fewest of a sequence at a step
  runs differ by     the difference of the two runs' NLLs, which is the estimate's error
  standard error     of the NLL over the sequences; a part of them is enough"""
HELP = {
    "particles": "kernels drawn for each sequence",
    "sequences": "test sequences, from the first",
    "targets": "targets of each step, drawn at random",
}


def oracle(args: list[str]) -> None:
    """Estimate the best possible NLL on drifting functions whose kernels are not known.

    Args:
        args: an experiment's file and options.
    """
    parser = _parser()
    given, settings = parser.parse_with_settings(args)
    try:
        how = Inference(given.particles, given.sequences, given.targets)
    except ValueError as mistake:
        parser.error(f"--{mistake}")
    data = blueprint(given.experiment, [], settings).datamodule
    if not data.has_kernels_to_infer:
        benchmarks: list[Any] = [*concrete(BenchmarkDataModule)]
        valid = " or ".join(c.__name__ for c in benchmarks if c.has_kernels_to_infer)
        kind = type(data).__name__
        parser.error(f"{given.experiment}: data must be {valid}, got {kind}")
    data.setup()
    found = data.infer_nll(how)
    samples = found.curves["effective_samples"].mean()
    print(
        f"NLL {found.curves['nll'].mean():.3f} nats per target (the runs differ by "
        f"{found.difference:.3f}; standard error {found.sampling_error:.3f}), effective samples "
        f"{samples:.1f} of {how.particles:,} (at least {found.least_samples:.1f})"
    )
    if found.doubt:
        print(
            f"warning: this is not a bound, so no gap is reported: {found.doubt}", file=sys.stderr
        )


def _parser() -> CommandParser:
    parser = CommandParser("oracle", DESCRIPTION)
    options = " ".join(f"[--{field.name} N]" for field in fields(Inference))
    parser.usage = f"{parser.prog} EXPERIMENT {options} [--KEY=VALUE ...]"
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
