"""Imports point one way: from the command line down to cores, benchmarks and arrays."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("memory_cores", "datamodules", "lightning_modules")
LIGHTNING = ROOT / "lightning_modules"
FAMILIES = ("temporal_vaes", "neural_processes")
#: What the folders of lightning_modules may import of each other; "" is what lies beside them.
MAY_IMPORT = {
    "pictures": {"pictures"},
    "speed": {"speed"},
    "metrics": {"metrics", ""},
    "": {"", "metrics", "speed"},
    "temporal_vaes": {"temporal_vaes", "", "metrics", "speed"},
    "neural_processes": {"neural_processes", "", "metrics", "speed"},
    "records": {"records", ""},
    "callbacks": {"callbacks", "records", "pictures", "metrics", ""},
    "report": {"report", "records", "pictures", ""},
    "command_line": {"command_line", "report", "records", "callbacks", "pictures", "speed", ""},
}
#: What lies beside the folders and needs neither torch nor a model.
PLAIN = {"declarations", "installation", "names", "table"}


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
} | {"cli": ROOT / "cli.py"}


def imports(name: str, lazy: bool = True) -> set[str]:
    """Our modules that a module imports, those within functions too if ``lazy``."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    return {found for node in _statements(tree, lazy) for found in _imported(node)}


def _statements(node: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
            continue
        yield child
        yield from _statements(child, lazy)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in MODULES)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            if f"{node.module}.{alias.name}" in MODULES:
                yield f"{node.module}.{alias.name}"
            elif node.module in MODULES:
                yield node.module


def folder(name: str) -> str:
    """The folder of lightning_modules that a module lies in, "" beside them."""
    below = name.split(".")[1:]
    inside = MODULES[name].parent != LIGHTNING
    return below[0] if inside else ""


def arrows(package: str) -> Iterator[tuple[str, str]]:
    """All imports of a package's modules."""
    for name in MODULES:
        if name.split(".")[0] == package:
            yield from ((name, other) for other in sorted(imports(name)))


@pytest.mark.parametrize("package", ["memory_cores", "datamodules"])
def test_cores_and_benchmarks_know_nobody_else(package: str) -> None:
    others = {(a, b) for a, b in arrows(package) if b.split(".")[0] != package}
    assert others == set()


def test_nobody_imports_the_command_line() -> None:
    for package in PACKAGES:
        for name, other in arrows(package):
            assert other != "cli", name
            if not name.startswith("lightning_modules.command_line"):
                assert not other.startswith("lightning_modules.command_line"), (name, other)


def test_folders_point_one_way() -> None:
    wrong = [
        (name, other)
        for name, other in arrows("lightning_modules")
        if name != "lightning_modules" and not allowed(name, other)
    ]
    assert wrong == []


def allowed(name: str, other: str) -> bool:
    """Tell whether a module of lightning_modules may import another one of ours."""
    if name == "lightning_modules.records.before_declarations":
        return True  # it declares runs from before runs declared themselves, from their models
    if not other.startswith("lightning_modules"):
        return folder(name) not in ("pictures", "records", "report")
    if other == "lightning_modules":
        return folder(name) == "command_line"
    if folder(name) in FAMILIES and folder(other) == "pictures":
        return name.endswith(".pictures")
    if folder(name) in ("records", "report") and folder(other) == "":
        return other.rpartition(".")[2] in PLAIN
    return folder(other) in MAY_IMPORT[folder(name)]


def test_windows_can_import_every_command() -> None:
    """What it lacks is imported within functions, behind what says so in a line."""
    lacking = {"fcntl", "grp", "pwd", "resource", "termios"}
    found = {
        (name, alias.name)
        for name, path in MODULES.items()
        for node in _statements(ast.parse(path.read_text(encoding="utf-8")), lazy=False)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in lacking
    }
    assert found == set()


def test_nothing_goes_in_a_circle() -> None:
    """Only imports at start count: a function may import what draws when it draws."""
    seen: dict[str, bool] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert seen.get(name, True), f"a circle: {' -> '.join((*path, name))}"
        if name not in seen:
            seen[name] = False
            for other in sorted(imports(name, lazy=False)):
                visit(other, (*path, name))
            seen[name] = True

    for name in MODULES:
        visit(name, ())


def test_no_file_is_long_and_no_function_larger_than_a_screen() -> None:
    folders = (*PACKAGES, "benchmarks", "tests")
    for path in (ROOT / "cli.py", *(f for name in folders for f in (ROOT / name).rglob("*.py"))):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= 50, (path, node.name, lines)


def test_every_test_of_the_packages_has_a_namesake() -> None:
    for package in (*PACKAGES, "benchmarks"):
        for test in (ROOT / "tests" / package).rglob("test_*.py"):
            inside = test.relative_to(ROOT / "tests")
            file = ROOT / inside.with_name(inside.name.removeprefix("test_"))
            assert file.exists() or file.with_suffix("").is_dir(), f"{inside} tests no {file}"
