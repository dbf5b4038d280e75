"""A checkpoint on the command line brings the settings of its run, where no others are named."""

from pathlib import Path

from lightning_modules.records.run_folder import RunFolder


def options_of(args: list[str]) -> dict[str, str]:
    """Collect options with the last value of each, written ``--key=value`` or ``--key value``."""
    options = {}
    for argument, following in zip(args, [*args[1:], ""], strict=False):
        option, _, value = argument.partition("=")
        options[option] = value or following
    return options


def with_config_of_run(args: list[str]) -> list[str]:
    """Add ``--config <run>/config.yaml`` where only a run's checkpoint is named.

    Args:
        args: a subcommand and its options.
    """
    options = options_of(args)
    if "--ckpt_path" not in options or {"--config", "-c"} & options.keys():
        return args
    folder = RunFolder.of_checkpoint(Path(options["--ckpt_path"]))
    if folder is None or not folder.config.is_file():
        return args
    return [args[0], f"--config={folder.config}", *args[1:]]
