"""Adds the settings of a checkpoint's run to a command line that names no others."""

from collections.abc import Mapping
from pathlib import Path

from lightning_modules.command_line.checkpoint_check import require_file
from lightning_modules.command_line.experiment_parser import TRAINER_DEFAULTS
from lightning_modules.command_line.newest_checkpoint import LAST, newest_checkpoint
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import RunFolder, shown


def options_of(args: list[str]) -> dict[str, str]:
    """Return each option's last value, written ``--key=value`` or ``--key value``."""
    options = {}
    for argument, following in zip(args, [*args[1:], ""], strict=False):
        option, _, value = argument.partition("=")
        options[option] = value or following
    return options


def with_config_of_run(args: list[str]) -> list[str]:
    """Add ``--config <run>/config.yaml`` if only a run's checkpoint is named.

    Args:
        args: a subcommand and its options.

    Raises:
        UsageError: the model and its data are not specified.
    """
    options = options_of(args)
    checkpoint = options.get("--ckpt_path")
    if checkpoint is None or {"--config", "-c"} & options.keys():
        return args
    if checkpoint == LAST:
        checkpoint = _newest(options)
        args = [*args, f"--ckpt_path={checkpoint}"]
    require_file(checkpoint)
    folder = RunFolder.of_checkpoint(Path(checkpoint))
    if folder is not None and folder.config.is_file():
        return [args[0], f"--config={folder.config}", *args[1:]]
    if {"--model", "--data"} <= options.keys():
        return args
    place = "is not in a run's folder" if folder is None else "is in a run without a config.yaml"
    raise UsageError(
        f"ckpt_path: {shown(Path(checkpoint))} {place}, so its model is unknown;\n"
        "also name its run's settings: --config RUN/config.yaml"
    )


def _newest(options: Mapping[str, str]) -> str:
    """Find the newest checkpoint of an experiment given only by name."""
    if "--experiment" not in options:
        raise UsageError("ckpt_path: last needs --config or --experiment to identify the run")
    root = Path(options.get("--trainer.default_root_dir", TRAINER_DEFAULTS["default_root_dir"]))
    path, message = newest_checkpoint(root, options["--experiment"], options.get("--run"))
    if path is None:
        raise UsageError(f"{message.partition(';')[0]}; name the experiment to train with --config")
    print(message, flush=True)
    return str(path)
