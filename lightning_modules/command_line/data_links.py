"""Links a model to its data: settings that come from the data instead of the user."""

from collections.abc import Container

from lightning.pytorch.cli import LightningArgumentParser

from datamodules import BenchmarkDataModule
from lightning_modules.command_line.class_settings import ROOTS, class_at, concrete, settings_of
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.sequence_model import SequenceModel

#: Attributes of data modules that are settings of models.
FROM_DATA = (
    *("sequence_length", "prefix_length", "action_size", "frame_shape"),
    *("test_length", "x_size", "x_range", "y_size", "patch_shape"),
)


def link_to_data(parser: LightningArgumentParser) -> None:
    """Set the model's linked settings from the data module once it is built."""
    for name in FROM_DATA:
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")


def refuse_linked(options: Container[str]) -> None:
    """Reject model settings that the data determine.

    Args:
        options: option names on the command line, with their dashes.

    Raises:
        UsageError: one of them is given.
    """
    for name in FROM_DATA:
        if f"--model.{name}" in options or f"--model.init_args.{name}" in options:
            raise UsageError(f"model.{name}: comes from the data; leave it out")


def require_fitting(model: str, data: str) -> None:
    """Reject a benchmark whose sequences the model cannot handle.

    Args:
        model: class path.
        data: class path.

    Raises:
        UsageError: the data lack an attribute that the model needs.
    """
    needed = _from_data(class_at(model))
    benchmarks = [
        benchmark
        for benchmark in concrete(BenchmarkDataModule)
        if all(getattr(benchmark, name, None) is not None for name in needed)
    ]
    name, benchmark_name = (path.rpartition(".")[2] for path in (model, data))
    if class_at(data) not in benchmarks:
        names = ", ".join(sorted(benchmark.__name__ for benchmark in benchmarks))
        raise UsageError(
            f"data: {name} cannot model the sequences of {benchmark_name}\nvalid: {names}"
        )


def models_of_same_data(model: type) -> list[type]:
    """List the leaf model classes with the same data-linked settings as ``model``."""
    models = [c for c in concrete(SequenceModel) if not c.__subclasses__()]
    return [c for c in models if _from_data(c) == _from_data(model)]


def choosable(key: str, owner: type) -> list[str]:
    """List the settings of a class that a user can set.

    Args:
        key: the class's setting, such as ``model`` or ``model.memory``.
        owner: the class.
    """
    linked = FROM_DATA if ROOTS.get(key) is SequenceModel else ()
    return [name for name in settings_of(owner) if name not in linked]


def _from_data(model: type) -> set[str]:
    return settings_of(model).keys() & set(FROM_DATA)
