"""``parameters``: parameter counts of models by part (Gemici et al. 2017, table 1)."""

from collections.abc import Sequence

from lightning_modules.callbacks.announcement import core_name, count_parameters
from lightning_modules.command_line.blueprint import blueprint
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.records.sizes import GROWS
from lightning_modules.sequence_model import SequenceModel
from lightning_modules.table import columns

DESCRIPTION = """\
Count the parameters of each experiment's model, without reading data or training.

  units       width of the recurrent state
  visual      encoder and decoder of frames
  controller  the recurrent network
  memory      the memory core
  maps        prior and posterior
  encoders    of points (neural processes)
  latents     recurrent network of the latents and its maps (neural processes)
  decoder     of points (neural processes)
  of budget   the total relative to model.parameter_budget, which sets the units;
              "-" without a budget, or if the units are set instead
  state size  numbers that a sequence carries from step to step: the states of memory
              core and recurrent networks and what is fed back to them, but not the
              current step's items; "grows" if all items are kept and attended to
  to budget   the state size relative to model.state_budget, which sets the slots and
              then the units; "-" without a budget"""
EPILOG = """\
Settings (--model.memory=NTM, --data.sequence_length=50, ...) apply to all experiments."""
NAMES = ("experiment", "model", "core")
#: How other commands take experiments.
CONFIG_OPTIONS = ("--config", "-c")


def parameters(args: list[str]) -> None:
    """Count the parameters of experiments' models, by part.

    Args:
        args: files and options.
    """
    parser = _parser()
    for word in args:
        option = word.partition("=")[0]
        if option in CONFIG_OPTIONS:
            parser.error(f"{option}: here, name experiment files without an option")
    options, settings = parser.parse_with_settings(args)
    blueprints = [blueprint(file, options.overlay, settings) for file in options.experiments]
    # Models of one family have the same parts; list those of all families in order of appearance.
    parts = list(dict.fromkeys(part for b in blueprints for part in b.model.parts()))
    header = (*NAMES, "units", *parts, "total", "of budget", "state size", "to budget")
    rows = [row(b.experiment_name(), b.model, parts) for b in blueprints]
    print(columns(header, rows, texts=len(NAMES)))
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
        help="merged over every experiment; repeat for several, applied in order",
    )
    return parser


def row(experiment: str, model: SequenceModel, parts: Sequence[str]) -> list[str]:
    """Return a model's row of the table; a dash for parts that it lacks."""
    own = {name: sum(map(count_parameters, modules)) for name, modules in model.parts().items()}
    total = count_parameters(model)
    names = experiment, type(model).__name__, core_name(model) or "-"
    counts = [f"{own[part]:,}" if part in own else "-" for part in parts]
    state, budgets = model.state_size, model.budgets
    sizes = [f"{total:,}", of_budget(total, budgets.parameters)]
    sizes += [GROWS if state is None else f"{state:,}", of_budget(state, budgets.state)]
    return [*names, str(model.units), *counts, *sizes]


def of_budget(number: int | None, budget: int | None) -> str:
    """Format a number's relative difference from its budget; a dash without a budget."""
    return "-" if number is None or budget is None else f"{number / budget - 1:+.2%}"


def spread(totals: list[int]) -> str:
    """Compare the largest model with the smallest, as the paper does."""
    least, most = min(totals), max(totals)
    return f"The largest model has {most / least - 1:.2%} more parameters than the smallest."
