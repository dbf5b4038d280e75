"""Where this program lies: in a checkout, or in an environment that a wheel was installed into.

A wheel holds ``cli.py`` and ``conf/`` in a package, ``gtmm``: beside everybody else's packages
their own names would clash.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gtmm"
IN_CHECKOUT = not (PACKAGE / "cli.py").is_file()
HOME = ROOT if IN_CHECKOUT else PACKAGE
#: The script that runs every command.
PROGRAM = HOME / "cli.py"
#: Experiments, and what they are composed of.
CONFIGURATIONS = HOME / "conf"
