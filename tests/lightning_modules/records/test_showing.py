"""The last resort: a run that can be read but not shown does not hide others."""

import pytest

from lightning_modules.command_line.compare import comparison
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records import reader
from lightning_modules.records.problems import LAST_RESORT, NoRuns
from lightning_modules.records.reader import Found, read_runs
from lightning_modules.records.showing import shown_by
from lightning_modules.report.page import content_of, page


@pytest.fixture
def found(runs) -> Found:
    """Three runs, of which the second lacks its declaration."""
    for seed, core in enumerate(("DNC", "NTM", "LRU")):
        runs.frames(core, seed)
    first, bad, last = sorted(read_runs([runs.root]).runs, key=lambda run: run.name)
    assert bad.tested is not None
    odd = bad.tested._replace(declared=None)  # type: ignore[arg-type]
    return Found([first, bad._replace(declared=None, tested=odd), last], [])  # type: ignore[arg-type]


def test_the_page_shows_the_others_and_names_it(found: Found):
    with pytest.raises(AttributeError):
        content_of(found)
    html = page(found)
    assert f"{LAST_RESORT}AttributeError: 'NoneType' object has no attribute" in html
    assert "DNC-0</span></th>" in html and "NTM-1</span></th>" in html


def test_the_table_shows_the_others(found: Found):
    drawn, (problem,) = shown_by(lambda some: comparison(some, None), found, UsageError)
    assert problem.path == found.runs[1].folder
    table = drawn.table
    assert "DNC" in table and "NTM" in table and "LRU" not in table


def test_what_is_no_run_s_fault_is_raised(found: Found):
    def fail(some: Found) -> None:
        if len(some.runs) > 1:
            raise ValueError("together")

    with pytest.raises(ValueError, match="together"):
        shown_by(fail, found)
    with pytest.raises(NoRuns):
        shown_by(lambda some: page(Found([], [])), found)


def test_a_reader_that_fails_hides_no_other(runs, monkeypatch: pytest.MonkeyPatch):
    folders = [runs.frames("DNC", seed) for seed in range(2)]
    read_run = reader.read_run

    def failing(path):
        if path == folders[0]:
            raise ZeroDivisionError("two\nlines")
        return read_run(path)

    monkeypatch.setattr(reader, "read_run", failing)
    found = read_runs([runs.root])
    assert [run.folder for run in found.runs] == folders[1:]
    ((path, reason),) = found.problems
    assert (path, reason) == (folders[0], f"{LAST_RESORT}ZeroDivisionError: two lines")
