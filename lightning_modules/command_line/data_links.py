"""Links a model to its data: settings that it learns from them instead of from the user."""

from collections.abc import Container

from lightning.pytorch.cli import LightningArgumentParser

from datamodules import BenchmarkDataModule
from lightning_modules.command_line.class_settings import ROOTS, class_at, concrete, settings_of
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.sequence_model import SequenceModel

#: Attributes of data modules, and settings of the models that need them.
FROM_DATA = (
    *("sequence_length", "prefix_length", "action_size", "frame_shape"),
    *("test_length", "x_size", "x_range", "y_size", "patch_shape"),
)


def link_to_data(parser: LightningArgumentParser) -> None:
    """Let models take these settings from the data, once the data module is built."""
    for name in FROM_DATA:
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")


def refuse_linked(options: Container[str]) -> None:
    """Refuse a setting of the model's that its data decide on.

    Args:
        options: names on the command line, with their dashes.

    Raises:
        UsageError: there is one among them.
    """
    for name in FROM_DATA:
        if f"--model.{name}" in options or f"--model.init_args.{name}" in options:
            raise UsageError(f"model.{name}: comes from the data; leave it out")


def require_fitting(model: str, data: str) -> None:
    """Refuse a benchmark of another kind of sequences than the model's.

    Args:
        model: class path.
        data: class path.

    Raises:
        UsageError: the data lack something that the model learns from them.
    """
    needed = _from_data(class_at(model))
    benchmarks = [
        benchmark
        for benchmark in concrete(BenchmarkDataModule)
        if all(getattr(benchmark, name, None) is not None for name in needed)
    ]
    name, chosen = (path.rpartition(".")[2] for path in (model, data))
    if class_at(data) not in benchmarks:
        names = ", ".join(sorted(benchmark.__name__ for benchmark in benchmarks))
        raise UsageError(f"data: {name} cannot model the sequences of {chosen}\nvalid: {names}")


def models_of_same_data(model: type) -> list[type]:
    """List the models, without those that others derive from, that learn the same from data."""
    models = [c for c in concrete(SequenceModel) if not c.__subclasses__()]
    return [c for c in models if _from_data(c) == _from_data(model)]


def choosable(key: str, owner: type) -> list[str]:
    """List the settings of a class that a user can choose.

    Args:
        key: where the class stands, such as ``model`` or ``model.memory``.
        owner: the class.
    """
    linked = FROM_DATA if ROOTS.get(key) is SequenceModel else ()
    return [name for name in settings_of(owner) if name not in linked]


def _from_data(model: type) -> set[str]:
    return settings_of(model).keys() & set(FROM_DATA)
