"""Versions of the code and packages behind a result."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from lightning_modules.installation import IN_CHECKOUT, ROOT

#: Packages that decide results.
PACKAGES = ("torch", "lightning", "jsonargparse", "gtmm")


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of ``PACKAGES``, and the git revision of this code."""
    return {
        "python": platform.python_version(),
        **{package: package_version(package) for package in PACKAGES},
        "revision": revision(),
    }


def package_version(package: str) -> str | None:
    """Return the version of a package, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def revision() -> str | None:
    """Return the commit of the checkout with this file, marked "+" if files were changed.

    It is None where there is no checkout, or no git: an environment that a wheel was installed into
    may lie in somebody else's repository.
    """
    if not IN_CHECKOUT:
        return None
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
