"""Versions of the code and packages behind a result."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from lightning_modules.installation import IN_CHECKOUT, ROOT

#: Packages that affect results.
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
    """Return the commit of this checkout, with "+" if files were changed.

    None outside a checkout or without git. An installed wheel is not in a checkout, even if its
    environment lies in another repository.
    """
    if not IN_CHECKOUT:
        return None
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        git = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return git.stdout.strip()
