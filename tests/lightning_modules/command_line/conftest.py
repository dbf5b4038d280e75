"""Command lines are read as in tests/cli, where the fixtures for whole commands are."""

from tests.cli.conftest import build, in_the_repository  # noqa: F401
