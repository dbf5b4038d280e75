"""Text is UTF-8 whatever the locale: Ruff's rule sees this only where it knows a path's type."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("memory_cores", "datamodules", "lightning_modules", "benchmarks", "tests")
FILES = [ROOT / "cli.py", *(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))]
#: Words that make a subprocess's streams text in the locale's encoding.
LOCALE = ("text", "universal_newlines")


def in_the_locale(tree: ast.AST) -> Iterator[int]:
    """Lines of calls that read or write text without saying in which encoding."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            given = {word.arg for word in node.keywords}
            as_text = name in ("read_text", "write_text") or given & set(LOCALE)
            if as_text and "encoding" not in given:
                yield node.lineno


def test_texts_have_an_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in FILES
        for line in in_the_locale(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found, f'without encoding="utf-8": {found}'


def test_calls_without_an_encoding_are_found():
    source = (
        "p.read_text()\np.write_text(x, encoding='utf-8')\nrun(c, text=True)\np.read_text(errors=x)"
    )
    assert [*in_the_locale(ast.parse(source))] == [1, 3, 4]
