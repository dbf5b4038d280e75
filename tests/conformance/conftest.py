"""``pytest tests/conformance --core module.Class`` checks the contract for an external core."""

from importlib import import_module

import pytest

import memory_cores


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--core",
        metavar="module.Class",
        help="check this memory core instead of those of the project",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Replace the project's cores, before tests are parametrised by that list."""
    if name := config.getoption("core"):
        memory_cores.CORES = (imported(name),)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests of other cores, and of no core."""
    if not config.getoption("core"):
        return
    selected = [item for item in items if core_of(item) in memory_cores.CORES]
    config.hook.pytest_deselected(items=[item for item in items if item not in selected])
    items[:] = selected


def core_of(item: pytest.Item) -> object:
    return item.callspec.params.get("core_class") if hasattr(item, "callspec") else None


def imported(name: str) -> type[memory_cores.MemoryCore]:
    package, _, cls = name.rpartition(".")
    form = f"--core must be module.Class, such as my_package.MyCore, got {name}"
    if not package:
        raise pytest.UsageError(form)
    try:
        core = getattr(import_module(package), cls)
    except (ImportError, ValueError, AttributeError) as error:
        raise pytest.UsageError(f"{form}: {error}") from error
    if not (isinstance(core, type) and issubclass(core, memory_cores.MemoryCore)):
        raise pytest.UsageError(f"--core must be a subclass of MemoryCore, got {name}")
    if missing := core.__abstractmethods__:
        # Otherwise every test would fail with it.
        raise pytest.UsageError(f"--core: {cls} lacks {', '.join(sorted(missing))}")
    return core
