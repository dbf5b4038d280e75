"""Finds configuration files: in the working folder, else among those installed with this package.

``conf/dnc_gtmm_maze.yaml`` is the user's own file if there is one, else the installation's.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import yaml

from lightning_modules.installation import CONFIGURATIONS

FOLDER = "conf"
#: Settings whose value may be a file.
FILES = ("config", "model", "data", "trainer")


def find(path: Path) -> Path:
    """Return the installation's file or folder in place of one that does not exist.

    Args:
        path: as typed; only paths that begin with ``conf/`` can be the installation's.
    """
    ours = _installed(path)
    return path if ours is None or path.exists() or not ours.exists() else ours


def listed(folder: Path) -> list[Path]:
    """List a folder's files, including the installation's if it is ``conf`` or below it.

    Returns:
        paths as a user would type them.
    """
    ours = _installed(folder)
    folders = [each for each in (folder, ours) if each is not None and each.is_dir()]
    names = {file.name for each in folders for file in each.iterdir() if file.is_file()}
    return [folder / name for name in sorted(names)]


def resolve_words(words: Iterable[str]) -> list[str]:
    """Resolve the configuration files named on a command line.

    Args:
        words: options, each joined with its value.
    """
    return [_resolve_word(word) for word in words]


def resolve_content(content: str) -> str:
    """Resolve the configuration files named in another one.

    Names such as ``models/dnc_gtmm.yaml`` are relative to the file's folder, which is the working
    folder while the file is read; names not found there may be the installation's.

    Args:
        content: YAML.
    """
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return content  # the parser says what is wrong
    if not isinstance(root, yaml.MappingNode):
        return content
    # Replace from the end, so that earlier offsets stay valid. The file is not dumped again, since
    # YAML and the parser read numbers differently.
    for key, value in reversed(root.value):
        ours = CONFIGURATIONS / value.value if isinstance(value, yaml.ScalarNode) else None
        if key.value in FILES and ours and ours.is_file() and not Path(value.value).exists():
            start, end = value.start_mark.index, value.end_mark.index
            content = f"{content[:start]}{json.dumps(str(ours))}{content[end:]}"
    return content


def _installed(path: Path) -> Path | None:
    """Return a path's place in the installation; None for paths not below ``conf``."""
    first, *rest = path.parts or ("",)
    return CONFIGURATIONS.joinpath(*rest) if first == FOLDER else None


def _resolve_word(word: str) -> str:
    option, equals, value = word.partition("=")
    is_file = option.lstrip("-") in (*FILES, "c") and value.startswith(f"{FOLDER}/")
    return f"{option}={find(Path(value))}" if equals and is_file else word
