"""Files that could not be read, and why."""

from collections.abc import Sequence

from lightning_modules.records.problems import Problem
from lightning_modules.records.run_folder import shown
from lightning_modules.report.markup import tag
from lightning_modules.report.section import Section

LEAD = "Files and folders that could not be read, or only in part. Everything else is shown."


def left_out(problems: Sequence[Problem]) -> Section:
    """Return the section, with a list of paths and reasons."""
    entries = [tag("li", tag("code", shown(p.path)), f" {p.reason}") for p in problems]
    return Section("left_out", "Left out", LEAD, [tag("ul", *entries)] if entries else [])
