"""``oracle``: computes the NLL of drifting functions for one who must infer their kernels."""

from dataclasses import fields
from typing import Any

from datamodules import BenchmarkDataModule
from datamodules.points.gaussian_process.inferred_nll import Inference
from lightning_modules.command_line.blueprint import blueprint
from lightning_modules.command_line.class_settings import concrete
from lightning_modules.command_line.command_parser import CommandParser

DESCRIPTION = """\
Compute the target-NLL of one who infers the kernels of an experiment's test functions from the
contexts: samples of the generator, weighted by their evidence. The result is kept in the data
folder, and every later test of these functions draws it and reports how far its model is from it
(gap_inferred_nll). It takes minutes for tens of samples, hours for a thousand.

  effective samples  of the kernels, at the first and last step: if near 1, more would help"""
HELP = {
    "samples": "kernels",
    "noise": "error that observations are taken to have; 0.03 to 0.05 serves best",
    "targets": "of each step, drawn at random",
}


def oracle(args: list[str]) -> None:
    """Compute what one who must infer the kernels of drifting functions could say of them.

    Args:
        args: an experiment's file and options.
    """
    parser = _parser()
    given, settings = parser.parse_with_settings(args)
    try:
        how = Inference(given.samples, given.noise, given.targets)
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
    first, *_, last = found["effective_samples"].tolist()
    print(
        f"{len(data.dataset('test')):,} test sequences: NLL {found['nll'].mean():.3f} nats per "
        f"target; effective samples {first:.1f} to {last:.1f} of {how.samples:,}"
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
