"""Shortens jsonargparse's messages to a few lines: the key, and what is valid.

jsonargparse nests one parser's complaint in another's; the innermost one matters. A message of
unknown form is cut to its first lines. The wording differs between releases: tests provoke every
form with the installed release, and setup.cfg lists the releases that passed.
"""

import re
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser

from datamodules.loading.stages import require_stages
from lightning_modules.command_line.class_settings import (
    ROOTS,
    class_at,
    class_names,
    concrete,
    plain_key,
    settings_of,
    type_hints,
    unimportable,
)
from lightning_modules.command_line.closing_message import program
from lightning_modules.command_line.configurations import FOLDER, listed
from lightning_modules.command_line.data_links import choosable, models_of_same_data
from lightning_modules.command_line.usage_error import nearest, nearest_file
from lightning_modules.records.run_folder import shown

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
    """Explain a message of jsonargparse's in a few lines.

    Args:
        message: as received by the outermost parser.
        parser: the outermost parser.
    """
    for explain in EXPLANATIONS:
        explanation = explain(message, parser)
        if explanation is not None:
            return explanation
    return first_lines(message)


def first_lines(message: str) -> str:
    """Cut a message of unknown form to its first lines."""
    return "\n".join(line for line in message.splitlines()[:MOST_LINES] if line.strip())


def _broken_file(message: str, parser: ArgumentParser) -> str | None:
    forms = r"Problems parsing config|Invalid content in sub-config file|Unable to load config '"
    place = re.search(r"line (\d+), column (\d+)", message)
    if re.search(forms, message) is None or place is None:
        return None
    file = re.search(r"(?:sub-config file |Unable to load config ')([^\s':]+)", message)
    name = "a file" if file is None else shown(Path(file[1]))
    return f"{_key(message) or 'config'}: {name} is not YAML at line {place[1]}, column {place[2]}"


def _not_of_keys(message: str, parser: ArgumentParser) -> str | None:
    found = re.search(r"^Unexpected config: (.*)$", message, re.MULTILINE)
    return f"config: a file must contain keys and values, got {found[1]}" if found else None


def _missing_file(message: str, parser: ArgumentParser) -> str | None:
    forms = (
        r"File does not exist: '?([^'\n]+)'?",
        r"Expected a path but (\S+\.ya?ml) either",
        r'Unable to load config "([^"\n]+)"',
        r"Path is not a file: '([^'\n]+)'",
    )
    found = next(filter(None, (re.search(form, message) for form in forms)), None)
    if found is None:
        return None
    path, key = found[1], _key(message)
    if any((folder / path).exists() for folder in (Path(), Path(FOLDER))):
        return f"{key}: {shown(Path(path))} is not a configuration file"
    near = nearest_file(path)
    others = _experiments() if key == "config" and not near else ""
    return f"{key}: there is no file {shown(Path(path))}{near}{others}"


def _experiments() -> str:
    """List some experiments in one line."""
    files = [shown(file) for file in listed(Path(FOLDER)) if file.suffix == ".yaml"]
    names, unnamed = ", ".join(files[:MOST_EXPERIMENTS]), len(files) - MOST_EXPERIMENTS
    suffix = f" and {unnamed} more in {FOLDER}/" if unnamed > 0 else ""
    return f"\nexperiments: {names}{suffix}" if files else ""


def _nothing_below(message: str, parser: ArgumentParser) -> str | None:
    """Explain settings of a class that no file names: an overlay without an experiment."""
    key = _key(message)
    below = "class path given previously" in message and "'init_args'" in _value(message)
    if key not in ROOTS or not below:
        return None
    return (
        f"{key}: these settings belong to a class that no file names; a file in conf/overlays is "
        f"merged\nover an experiment, so name that first, for example: --config {EXAMPLE}"
    )


def _missing_class(message: str, parser: ArgumentParser) -> str | None:
    # For an abstract class, jsonargparse complains that it is not a path.
    forms = r"(?:dot import path string: |import path format: |Expected a path but )(\S+)"
    found = re.search(forms, message)
    key = _key(message)
    names = class_names(key)
    if found is None or names is None:
        return None
    value = found[1]
    if "." in value:
        return f"{key}: {unimportable(value) or f'{value} is not a class that can be chosen here'}"
    return f"{key}: there is no {value}{nearest(value, names)}\nvalid: {', '.join(names)}"


def _broken_class(message: str, parser: ArgumentParser) -> str | None:
    """Explain a user's class whose module fails to import, which jsonargparse hardly mentions."""
    if "Union subtypes" not in message:
        return None
    value = message[message.rfind("Given value:") :]
    own = dict.fromkeys(re.findall(r"'((?:[A-Za-z_]\w*\.)+[A-Z]\w*)'", value))
    reason = next(filter(None, map(unimportable, own)), None)
    return f"{_key(message)}: {reason}" if reason else None


def _not_a_class(message: str, parser: ArgumentParser) -> str | None:
    key = _key(message)
    names = class_names(key)
    if "Not a valid subclass of" not in message or names is None:
        return None
    return (
        f"{key} must be a class or its settings, got {_value(message)}\nvalid: {', '.join(names)}"
    )


def _unknown_setting(message: str, parser: ArgumentParser) -> str | None:
    found = re.search(r"Option '([\w.]+)' is not accepted(.*)", message)
    if found is None:
        return None
    name, rest = found.groups()
    owners = re.findall(r"class_path='([\w.]+)'", rest) or re.findall(
        r"given class_path '([\w.]+)'", message
    )
    owner = class_at(owners[-1])
    key = _key(message)
    names = choosable(key, owner)
    if name in type_hints(owner):
        near = _other_model(owner) if name == "memory" else "; its value is fixed"
    else:
        near = nearest(f"{key}.{name}", (f"{key}.{n}" for n in names))
    valid = ", ".join(names) or "nothing to set"
    return f"{key}.{name}: {owner.__name__} has no such setting{near}\nvalid: {valid}"


def _other_model(model: type) -> str:
    """Return a clause that names the models for the same data that take any core."""
    names = [c.__name__ for c in models_of_same_data(model) if "memory" in settings_of(c)]
    return f"; {' or '.join(names)} takes any core"


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


def _all_keys(parser: ArgumentParser) -> list[str]:
    """List every key of the command line, including those of all valid classes."""
    keys = [action.dest for action in parser._actions if action.dest != "help"]
    for action in parser._actions:
        if isinstance(action.choices, dict):
            keys += [key for subparser in action.choices.values() for key in _all_keys(subparser)]
    for root, base in ROOTS.items():
        for owner in concrete(base):
            keys += [f"{root}.{name}" for name in choosable(root, owner)]
    return list(dict.fromkeys(keys))


def _wrong_stage(message: str, parser: ArgumentParser) -> str | None:
    """Explain wrong keys in a curriculum's stage, whose number the message lacks."""
    forms = r"list\[([\w.]+)\].*?(?:Missing required|Unexpected) keys: .*?Given value: (\[.*?)$"
    found = re.search(forms, message, re.DOTALL | re.MULTILINE)
    if found is None:
        return None
    try:
        require_stages(class_at(found[1]), yaml.safe_load(found[2]))
    except ValueError as failure:
        return f"{_key(message).rpartition('.')[0]}.{failure}"
    return None


def _wrong_type(message: str, parser: ArgumentParser) -> str | None:
    key, value = _key(message), _value(message)
    choices = re.findall(r"typing\.Literal\[(.*?)\]", message)
    if choices:
        names = list(dict.fromkeys(n.strip(" '") for part in choices for n in part.split(",")))
        # A choice or a number, such as "all" or how many.
        types = [words for kind, words in NUMBERS.items() if f"<class '{kind}'>" in message]
        either = "".join(f" or {words}" for words in types)
        return (
            f"{key} must be one of {', '.join(names)}{either}, got {value}{nearest(value, names)}"
        )
    inner = message[message.rfind("Parser key") :]
    found = re.findall(r"Expected (?:a )?(?:<class '([\w.]+)'>|tuple with (\d+) elements)", inner)
    expected = list(dict.fromkeys(TYPES.get(t, t) or f"a list of {n}" for t, n in found))
    # The outermost union always allows null for the whole model.
    if len(_parser_keys(message)) > 1 and "Union" not in inner:
        expected = expected[:1]
    if expected in ([], [TYPES["NoneType"]]):
        return None
    return f"{key} must be {' or '.join(expected)}, got {value}"


def _missing_value(message: str, parser: ArgumentParser) -> str | None:
    found = re.search(r"argument ([^\s/:]+)[^\s:]*: expected one argument", message)
    return f"{found[1]}: has no value; write --KEY=VALUE" if found else None


def _nothing_to_run(message: str, parser: ArgumentParser) -> str | None:
    if "arguments are required" not in message and '"subcommand"' not in message:
        return None
    return (
        "nothing to run: name a subcommand (--help lists them) and its experiment, such as\n"
        f"{program()} fit --config {EXAMPLE}"
    )


#: Tried in order; the first that recognises a message explains it.
EXPLANATIONS = (
    _broken_file,
    _not_of_keys,
    _missing_file,
    _missing_class,
    _broken_class,
    _unknown_setting,
    _unknown_key,
    _nothing_below,
    _not_a_class,
    _wrong_stage,
    _wrong_type,
    _missing_value,
    _nothing_to_run,
)


def _parser_keys(message: str) -> list[str]:
    return re.findall(r'Parser key "([\w.]+)"', message)


def _key(message: str) -> str:
    """Return the full key: nested parsers name their parts, that of a trainer's file the whole."""
    full = ""
    for key in _parser_keys(message):
        whole = not full or f"{key}.".startswith(f"{full}.")
        full = key if whole else f"{full}.{key}"
    return plain_key(full)


def _value(message: str) -> str:
    """Return the value that the innermost parser received."""
    found = re.search(r"(?:Given|Got) value: (.*?)(?:\. Got value: .*)?$", message, re.MULTILINE)
    return found[1] if found else ""
