"""Explains why a user's own memory core cannot be built."""

from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from types import FrameType

from jsonargparse import Namespace

from lightning_modules.command_line.class_settings import class_at
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.run_folder import shown
from memory_cores import MemoryCore

MOST_CHARACTERS = 400


def require_all_methods(model: Namespace) -> None:
    """Reject a memory core that lacks methods of the contract.

    Args:
        model: the model's settings, with its class path.

    Raises:
        UsageError: the core is abstract; the message names the missing methods.
    """
    memory = model.get("init_args", Namespace()).get("memory")
    path = getattr(memory, "class_path", None)
    if path is not None and (missing := getattr(class_at(path), "__abstractmethods__", ())):
        raise UsageError(f"model.memory: {path} lacks {', '.join(sorted(missing))}")


def explain_constructor(failure: BaseException) -> str | None:
    """Explain an error that a user's core raised in its constructor.

    Args:
        failure: that error, or one that it caused, such as jsonargparse's.

    Returns:
        One line; None if no such constructor was running. A core of this project that fails has a
        bug, which needs its traceback.
    """
    for each in _causes(failure):
        frames = list(walk_tb(each.__traceback__))
        first = next((n for n, (frame, _) in enumerate(frames) if _constructs(frame)), None)
        if first is not None:
            core = type(frames[first][0].f_locals["self"])
            package = core.__module__.partition(".")[0]
            own = [place for place in frames[first:] if _package(place[0]) == package]
            frame, line = own[-1] if own else frames[first]
            words = " ".join(f"{type(each).__name__}: {each}".split())[:MOST_CHARACTERS]
            return (
                f"model.memory: {core.__module__}.{core.__qualname__} could not be built: {words} "
                f"({shown(Path(frame.f_code.co_filename))}, line {line})"
            )
    return None


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """Yield an error, what caused it, what caused that, and so on."""
    cause: BaseException | None = failure
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _constructs(frame: FrameType) -> bool:
    """Return whether a frame is a constructor that builds a core from outside this project."""
    core = frame.f_locals.get("self")
    if frame.f_code.co_name != "__init__" or not isinstance(core, MemoryCore):
        return False
    return type(core).__module__.partition(".")[0] != MemoryCore.__module__.partition(".")[0]


def _package(frame: FrameType) -> str:
    """Return the top-level package of a frame's module."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
