"""Files that could not be shown, and why."""

from collections.abc import Sequence

from lightning_modules.records.problems import Problem
from lightning_modules.records.run_folder import shown
from lightning_modules.report.markup import tag
from lightning_modules.report.section import Section

LEAD = "Files and folders that could not be read, or only in part; everything else is shown."


def left_out(problems: Sequence[Problem]) -> Section:
    """Make a list, with the path of each."""
    entries = [tag("li", tag("code", shown(p.path)), f" {p.reason}") for p in problems]
    return Section("left_out", "Left out", LEAD, [tag("ul", *entries)] if entries else [])
