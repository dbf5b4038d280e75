"""Names in the wheel that are not those of folders and files here; all else is in setup.cfg.

``cli.py`` and ``conf/`` become ``gtmm/cli.py`` and ``gtmm/conf/``: in an environment with other
packages, their own names would clash.
"""

from setuptools import find_packages, setup

OURS = ("datamodules*", "lightning_modules*", "memory_cores*")

setup(
    package_dir={"gtmm": ".", "gtmm.conf": "conf"},
    py_modules=["gtmm.cli"],
    packages=["gtmm.conf", *find_packages(include=OURS)],
)
