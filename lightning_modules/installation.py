"""Location of this program: a checkout, or an environment with the wheel installed.

The wheel has ``cli.py`` and ``conf/`` in a package, ``gtmm``, because their own names would clash
with other packages.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gtmm"
IN_CHECKOUT = not (PACKAGE / "cli.py").is_file()
HOME = ROOT if IN_CHECKOUT else PACKAGE
#: The script that runs every command.
PROGRAM = HOME / "cli.py"
#: Experiments and their components.
CONFIGURATIONS = HOME / "conf"
