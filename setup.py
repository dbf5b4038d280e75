"""Maps files to their names in the wheel; everything else is in setup.cfg.

``cli.py`` and ``conf/`` become ``gtmm/cli.py`` and ``gtmm/conf/``, since their own names would
clash with those of other packages.
"""

from setuptools import find_packages, setup

OURS = ("datamodules*", "lightning_modules*", "memory_cores*")

setup(
    # Excludes setup.py from the package `gtmm`, to which cli.py belongs.
    script_name="setup.py",
    package_dir={"gtmm": ".", "gtmm.conf": "conf"},
    packages=["gtmm", "gtmm.conf", *find_packages(include=OURS)],
)
