"""Settings of the documentation site: ``sphinx-build -W docs build/site``."""

import re
from typing import Any

from sphinx.application import Sphinx

project = "Which memory should my sequence model have?"
html_title = "GTMM: which memory?"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["claims", "records"]
html_theme = "furo"
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# The notebook runs when the site is built, and stops the build if a cell fails.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_show_tb = True

# What is before the colon of "Returns:" is a name, not a type to link to.
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}


def setup(app: Sphinx) -> None:
    """Show the indented equations of docstrings as they are written."""
    app.connect("autodoc-process-docstring", set_equations_apart, priority=400)


def set_equations_apart(*event: Any) -> None:
    """Put ``::`` before each block that is indented after an empty line."""
    lines: list[str] = event[-1]
    text = re.sub(r"(?m)^(\S.*\n)\n(?=    )", r"\1\n::\n\n", "\n".join(lines))
    lines[:] = text.split("\n")
