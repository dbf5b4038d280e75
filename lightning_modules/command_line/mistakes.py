"""Mistakes on the command line and in its files, in a few lines: the key, and what would be valid.

jsonargparse's messages nest one parser's complaint in another's; the innermost one is what a reader
needs. A message of another form is shown as it is, cut to its first lines.
"""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentParser, Namespace

from datamodules import BenchmarkDataModule
from datamodules.points.curriculum import require_stages
from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.usage_error import UsageError, nearest, nearest_file
from lightning_modules.records.run_folder import shown
from lightning_modules.sequence_model import SequenceModel

#: What is named by class on the command line.
ROOTS: dict[str, type] = {"model": SequenceModel, "data": BenchmarkDataModule}
#: What a model learns from its data instead of from the user.
FROM_DATA = (
    *("sequence_length", "prefix_length", "action_size", "frame_shape"),
    *("test_length", "x_size", "x_range", "y_size"),
)
MOST_LINES = 3
MOST_EXPERIMENTS = 3
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "a mapping",
    "NoneType": "null",
}
NUMBERS = {kind: TYPES[kind] for kind in ("int", "float")}
EXAMPLE = "conf/dnc_gtmm_maze.yaml"


def explain_parsing(message: str, parser: ArgumentParser) -> str:
    """Turn a message of jsonargparse's into a few lines."""
    for explain in EXPLANATIONS:
        explanation = explain(message, parser)
        if explanation is not None:
            return explanation
    if "arguments are required" in message or '"subcommand"' in message:
        return (
            "nothing to run: name a subcommand (--help lists them) and an experiment,\n"
            f"for example: {program()} fit --config {EXAMPLE}"
        )
    return "\n".join(line for line in message.splitlines()[:MOST_LINES] if line.strip())


def explain_failure(failure: Exception, settings: Namespace) -> str | None:
    """Name in full the setting that a constructor found out of range; else None."""
    found = re.search(r"(?:^|- )(\w+)(\S*) (must .*, got (.*))$", str(failure), re.MULTILINE)
    if found is None:
        return None
    name, part, complaint, got = found.groups()
    values = {
        plain_key(key): str(value)
        for key, value in vars(settings.as_flat()).items()
        if key.rpartition(".")[2] == name
    }
    # A setting may stand for the default of another one, or for a list of which one is wrong.
    keys = [key for key, value in values.items() if value == got] or list(values)
    return f"{keys[0]}{part} {complaint}" if keys else None


def require_fitting(model: str, data: str) -> None:
    """Refuse a benchmark of another kind of sequences than the model's.

    Args:
        model: class path.
        data: class path.

    Raises:
        UsageError: the data lack something that the model learns from them.
    """
    needed = _from_data(_class(model))
    benchmarks = [c for c in _concrete(BenchmarkDataModule) if all(hasattr(c, n) for n in needed)]
    name, chosen = (path.rpartition(".")[2] for path in (model, data))
    if _class(data) not in benchmarks:
        names = ", ".join(sorted(benchmark.__name__ for benchmark in benchmarks))
        raise UsageError(f"data: {chosen} has other sequences than {name} models\nvalid: {names}")


def _experiments() -> str:
    """Some experiments, as a line; empty elsewhere than in a checkout."""
    files = [shown(file) for file in sorted(Path("conf").glob("*.yaml"))]
    named, more = ", ".join(files[:MOST_EXPERIMENTS]), len(files) - MOST_EXPERIMENTS
    rest = f" and {more} more in conf/" if more > 0 else ""
    return f"\nexperiments: {named}{rest}" if files else ""


def plain_key(key: str) -> str:
    """A key as it is written on the command line."""
    return key.replace(".init_args", "")


def _missing_file(message: str, parser: ArgumentParser) -> str | None:
    found = re.search(r"(?:File|Directory) does not exist: '?([^'\n]+)'?", message) or re.search(
        r"Expected a path but (\S+\.ya?ml) either", message
    )
    if found is None:
        return None
    path = found[1]
    key, near = _key(message), nearest_file(path)
    others = _experiments() if key == "config" and not near else ""
    return f"{key}: there is no file {shown(Path(path))}{near}{others}"


def _nothing_below(message: str, parser: ArgumentParser) -> str | None:
    """Settings of a class that nothing names: an overlay without an experiment below it."""
    key = _key(message)
    below = "class path given previously" in message and "'init_args'" in _value(message)
    if key not in ROOTS or not below:
        return None
    return (
        f"{key}: these settings belong to a class that no file names; a file of conf/overlays is "
        f"laid\nover an experiment, which is named first, for example: --config {EXAMPLE}"
    )


def _missing_class(message: str, parser: ArgumentParser) -> str | None:
    # Of a class that can not be built itself, jsonargparse says that it is no path.
    forms = r"(?:dot import path string: |import path format: |Expected a path but )(\S+)"
    found = re.search(forms, message)
    key = _key(message)
    names = _class_names(key)
    if found is None or names is None:
        return None
    value = found[1]
    return f"{key}: there is no {value}{nearest(value, names)}\nvalid: {', '.join(names)}"


def _unknown_setting(message: str, parser: ArgumentParser) -> str | None:
    found = re.search(r"Option '([\w.]+)' is not accepted(.*)", message)
    if found is None:
        return None
    name, rest = found.groups()
    owners = re.findall(r"class_path='([\w.]+)'", rest) or re.findall(
        r"given class_path '([\w.]+)'", message
    )
    owner = _class(owners[-1])
    key = _key(message)
    names = _choosable(key, owner)
    if name in _hints(owner):
        near = _other_model(owner) if name == "memory" else "; its value is fixed"
    else:
        near = nearest(f"{key}.{name}", (f"{key}.{n}" for n in names))
    valid = ", ".join(names) or "nothing to set"
    return f"{key}.{name}: {owner.__name__} has no such setting{near}\nvalid: {valid}"


def _unknown_key(message: str, parser: ArgumentParser) -> str | None:
    found = re.search(r"unrecognized arguments: (?:--)?([^\s=]+)", message) or re.search(
        r"does not accept option '([\w.]+)'", message
    )
    if found is not None:
        return f"{found[1]}: there is no such setting{nearest(found[1], _all_keys(parser))}"
    command = re.search(r"invalid choice: '(\w+)' \(choose from (.*)\)", message)
    if command is None:
        return None
    choices = re.findall(r"\w+", command[2])
    return (
        f"{command[1]}: there is no such subcommand{nearest(command[1], choices)}"
        f"\nvalid: {', '.join(choices)}"
    )


def _wrong_stage(message: str, parser: ArgumentParser) -> str | None:
    """Keys of a curriculum's stage; the message has the whole list, but not the stage's number."""
    forms = r"(?:Missing required|Unexpected) keys: .*?Given value: (\[.*?)$"
    found = re.search(forms, message, re.DOTALL | re.MULTILINE)
    if found is None:
        return None
    try:
        require_stages(yaml.safe_load(found[1]))
    except ValueError as failure:
        return f"{_key(message).rpartition('.')[0]}.{failure}"
    return None


def _wrong_type(message: str, parser: ArgumentParser) -> str | None:
    key, value = _key(message), _value(message)
    choices = re.findall(r"typing\.Literal\[(.*?)\]", message)
    if choices:
        names = list(dict.fromkeys(n.strip(" '") for part in choices for n in part.split(",")))
        # A choice besides numbers: "all", or how many.
        others = [words for kind, words in NUMBERS.items() if f"<class '{kind}'>" in message]
        either = "".join(f" or {words}" for words in others)
        return (
            f"{key} must be one of {', '.join(names)}{either}, got {value}{nearest(value, names)}"
        )
    inner = message[message.rfind("Parser key") :]
    expected = list(dict.fromkeys(re.findall(r"Expected (?:an? )?<class '([\w.]+)'>", inner)))
    # The outermost union always allows null in place of the whole model.
    if len(_parser_keys(message)) > 1 and "Union" not in inner:
        expected = expected[:1]
    if expected in ([], ["NoneType"]):
        return None
    return f"{key} must be {' or '.join(TYPES.get(t, t) for t in expected)}, got {value}"


EXPLANATIONS = (
    _missing_file,
    _missing_class,
    _unknown_setting,
    _unknown_key,
    _nothing_below,
    _wrong_stage,
    _wrong_type,
)


def _parser_keys(message: str) -> list[str]:
    return re.findall(r'Parser key "([\w.]+)"', message)


def _key(message: str) -> str:
    """The full key: each nested parser names its part."""
    return plain_key(".".join(_parser_keys(message)))


def _value(message: str) -> str:
    """The value that the innermost parser was given."""
    found = re.search(r"(?:Given|Got) value: (.*?)(?:\. Got value: .*)?$", message, re.MULTILINE)
    return found[1] if found else ""


def _class(path: str) -> type:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _hints(owner: type) -> dict[str, Any]:
    """Types of what a class and its base classes are built from."""
    hints: dict[str, Any] = {}
    for part in reversed(owner.__mro__):
        hints |= get_type_hints(part.__init__)  # type: ignore[misc]
    return hints


def _settings(owner: type) -> dict[str, Any]:
    """Settings that a class can be given with their types, those of its base classes included."""
    hints = _hints(owner)
    # Without what the class decides on itself, as NP does on its memory.
    names = ArgumentParser().add_class_arguments(owner, skip={"sizes"})
    return {name: hints.get(name) for name in names}


def _from_data(model: type) -> set[str]:
    """What a model learns from its data."""
    return _settings(model).keys() & set(FROM_DATA)


def _other_model(model: type) -> str:
    """The model of the same data that takes any core, as the end of a sentence."""
    models = [c for c in _concrete(SequenceModel) if not c.__subclasses__()]
    alike = [c for c in models if _from_data(c) == _from_data(model)]
    names = [c.__name__ for c in alike if "memory" in _settings(c)]
    return f"; {' or '.join(names)} takes any core"


def _concrete(base: type) -> Iterator[type]:
    """The classes that can be named where ``base`` is expected."""
    subclass: type
    for subclass in base.__subclasses__():
        if not inspect.isabstract(subclass):
            yield subclass
        yield from _concrete(subclass)


def _class_names(key: str) -> list[str] | None:
    """Names that are valid for a key that takes a class, None for other keys."""
    root, _, name = key.partition(".")
    if root not in ROOTS:
        return None
    if not name:
        return sorted(c.__name__ for c in _concrete(ROOTS[root]))
    for owner in _concrete(ROOTS[root]):
        built = _built(_settings(owner).get(name))
        if built is not None:
            return sorted(c.__name__ for c in _concrete(built))
    return None


def _built(hint: Any) -> type | None:
    """What a setting builds: the result of ``Callable[[Sizes], Result]``."""
    arguments = get_args(hint)
    callable_type = get_origin(hint) is not None and len(arguments) == 2
    return arguments[1] if callable_type and isinstance(arguments[1], type) else None


def _all_keys(parser: ArgumentParser) -> list[str]:
    """Every key of the command line, those of all classes that can be named included."""
    keys = [action.dest for action in parser._actions if action.dest != "help"]
    for action in parser._actions:
        if isinstance(action.choices, dict):
            keys += [key for subparser in action.choices.values() for key in _all_keys(subparser)]
    for root, base in ROOTS.items():
        for owner in _concrete(base):
            keys += [f"{root}.{name}" for name in _choosable(root, owner)]
    return list(dict.fromkeys(keys))


def _choosable(key: str, owner: type) -> list[str]:
    """Settings of a class that a user can choose."""
    linked = FROM_DATA if key == "model" else ()
    return [name for name in _settings(owner) if name not in linked]
