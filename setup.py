"""Names in the wheel that are not those of folders and files here; all else is in setup.cfg.

``cli.py`` and ``conf/`` become ``gtmm/cli.py`` and ``gtmm/conf/``: in an environment with other
packages, their own names would clash.
"""

from setuptools import find_packages, setup

OURS = ("datamodules*", "lightning_modules*", "memory_cores*")

setup(
    # It is no module of `gtmm`, as cli.py beside it is; builds do not run it by its name.
    script_name="setup.py",
    package_dir={"gtmm": ".", "gtmm.conf": "conf"},
    packages=["gtmm", "gtmm.conf", *find_packages(include=OURS)],
)
