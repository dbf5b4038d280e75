"""Of what code and packages results come."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: Those that decide results.
PACKAGES = ("torch", "lightning", "jsonargparse", "gtmm")


def versions() -> dict[str, str | None]:
    """Of Python and of the packages that decide results, and the git revision of this code."""
    return {
        "python": platform.python_version(),
        **{package: package_version(package) for package in PACKAGES},
        "revision": revision(),
    }


def package_version(package: str) -> str | None:
    """Of an installed package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def revision() -> str | None:
    """The commit of the checkout that this file lies in, marked "+" if files were changed.

    None where there is no checkout, or no git.
    """
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    folder = Path(__file__).parent
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
