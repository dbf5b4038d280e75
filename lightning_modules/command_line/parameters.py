"""``parameters``: how many each model has, and where (Gemici et al. 2017, table 1)."""

from typing import NamedTuple

from lightning_modules.callbacks.announcement import count_parameters
from lightning_modules.callbacks.results_file import core_name
from lightning_modules.command_line.blueprint import blueprint
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.table import columns
from lightning_modules.temporal_vae import TemporalVAE

DESCRIPTION = """\
Count the parameters of each experiment's model, without reading data or training.

  units       width of the controller's state
  visual      encoder and decoder
  controller  the recurrent network
  memory      the memory core
  maps        prior and posterior
  of budget   total against model.parameter_budget, which decides on the units;
              "-" where model.controller_size is given instead"""
EPILOG = """\
Settings (--model.memory=NTM, --data.sequence_length=50, ...) hold for all experiments."""
HEADER = (
    *("experiment", "model", "core"),
    *("units", "visual", "controller", "memory", "maps", "total", "of budget"),
)
OWN_OPTIONS = ("--help", "--overlay")
#: How the other commands name experiments.
CONFIG_OPTIONS = ("--config", "-c")


class Sizes(NamedTuple):
    """Parameters of the parts of a model."""

    visual: int
    controller: int
    memory: int
    maps: int
    total: int


def parameters(args: list[str]) -> None:
    """Count the parameters of experiments' models, by part; needs no data.

    Args:
        args: files and options.
    """
    parser = _parser()
    for word in args:
        option = word.partition("=")[0]
        if option in CONFIG_OPTIONS:
            parser.error(f"{option}: here experiments' files are named without an option")
    words = joined(args)
    settings = [word for word in words if is_setting(word)]
    given = parser.parse([word for word in words if not is_setting(word)])
    blueprints = [blueprint(file, given.overlay, settings) for file in given.experiments]
    print(columns(HEADER, [row(b.experiment_name(), b.model) for b in blueprints], texts=3))
    if len(blueprints) > 1:
        print(f"\n  {spread([count_parameters(b.model) for b in blueprints])}")


def _parser() -> CommandParser:
    parser = CommandParser("parameters", DESCRIPTION)
    parser.epilog = EPILOG
    parser.usage = (
        f"{parser.prog} EXPERIMENT [EXPERIMENT ...] [--overlay FILE ...] [--KEY=VALUE ...]"
    )
    parser.add_argument(
        "experiments", nargs="+", metavar="EXPERIMENT", help="file, such as conf/dnc_gtmm_maze.yaml"
    )
    parser.add_argument(
        "--overlay",
        action="append",
        default=[],
        metavar="FILE",
        help="lay it over every experiment; several are laid in their order",
    )
    return parser


def joined(args: list[str]) -> list[str]:
    """``--key value`` as ``--key=value``, so that no value is taken for an experiment's file."""
    words: list[str] = []
    for arg in args:
        open_option = bool(words) and words[-1].startswith("--") and "=" not in words[-1]
        if open_option and words[-1] != "--help" and not arg.startswith("--"):
            words[-1] += f"={arg}"
        else:
            words.append(arg)
    return words


def is_setting(word: str) -> bool:
    """Whether it is an option of the experiments, not of this command."""
    return word.startswith("--") and word.partition("=")[0] not in OWN_OPTIONS


def sizes(model: TemporalVAE) -> Sizes:
    """Count the parameters of a model and of its parts."""
    backbone = model.backbone
    return Sizes(
        visual=count_parameters(model.visual),
        controller=count_parameters(backbone.controller),
        memory=count_parameters(backbone.memory),
        maps=count_parameters(backbone.prior_map) + count_parameters(backbone.posterior_map),
        total=count_parameters(model),
    )


def row(experiment: str, model: TemporalVAE) -> list[str]:
    """A model's line of the table."""
    counted = sizes(model)
    given = model.hparams["controller_size"] is not None
    of_budget = "-" if given else f"{counted.total / model.hparams['parameter_budget'] - 1:+.2%}"
    names = experiment, type(model).__name__, core_name(model) or "-"
    units = model.backbone.controller.hidden_size
    return [*names, str(units), *(f"{count:,}" for count in counted), of_budget]


def spread(totals: list[int]) -> str:
    """How far apart the models are, as the paper says it of its own."""
    least, most = min(totals), max(totals)
    return f"The largest model has {most / least - 1:.2%} more parameters than the smallest."
