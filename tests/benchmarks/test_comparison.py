"""Ratios within a run, and compared with an earlier one."""

from pathlib import Path
from typing import Any

import pytest

from comparison import about_earlier, earlier_ratio, ratio, read_results, write_results
from cores import report, with_ratios

SIZES = {"steps": 25}


def row(eager: float, compiled: float | None = None) -> dict[str, Any]:
    return {"eager_ms": eager, "compiled_ms": compiled}


@pytest.fixture
def now() -> dict[str, Any]:
    return {"sizes": SIZES, "lstm": row(10.0), "pypi_dnc": row(150.0), "dnc": row(100.0, 40.0)}


@pytest.fixture
def earlier() -> dict[str, Any]:
    """Results of a machine that was twice as busy."""
    return {
        "sizes": SIZES,
        "git_revision": "abc",
        "lstm_ms": 20.0,
        "lstm": row(20.0),
        "dnc": row(240.0),
    }


def test_a_ratio_is_to_the_lstm_of_the_same_results(earlier: dict[str, Any]) -> None:
    assert ratio(50.0, earlier) == 2.5
    assert ratio(None, earlier) is None


def test_rows_have_their_own_and_the_earlier_ratio(
    now: dict[str, Any], earlier: dict[str, Any]
) -> None:
    with_ratios(now, earlier, batch=10)
    assert (now["lstm_ms"], now["pypi_dnc_ms"]) == (10.0, 150.0)
    dnc = now["dnc"]
    assert (dnc["eager_ratio"], dnc["compiled_ratio"]) == (10.0, 4.0)
    assert (dnc["eager_ratio_before"], dnc["compiled_ratio_before"]) == (12.0, None)
    # As fast as it can be had.
    assert dnc["sequences_per_s"] == 250.0


def test_results_without_a_public_dnc_have_no_time_for_it(now: dict[str, Any]) -> None:
    del now["pypi_dnc"]
    with_ratios(now, None, batch=10)
    assert now["pypi_dnc_ms"] is None


def test_results_of_other_sizes_are_not_compared(
    now: dict[str, Any], earlier: dict[str, Any]
) -> None:
    earlier["sizes"] = {"steps": 50}
    assert earlier_ratio("dnc", "eager_ms", now, earlier) is None
    assert "other sizes" in about_earlier(now, earlier)


def test_it_is_said_what_is_compared(now: dict[str, Any], earlier: dict[str, Any]) -> None:
    assert "abc" in about_earlier(now, earlier)
    assert "--keep" in about_earlier(now, None)


def test_results_are_read_as_they_were_written(tmp_path: Path, earlier: dict[str, Any]) -> None:
    path = tmp_path / "new" / "results.json"
    assert read_results(path) is None
    write_results(path, earlier)
    assert read_results(path) == earlier


def test_a_table_has_no_columns_that_nobody_has_anything_in(now: dict[str, Any]) -> None:
    with_ratios(now, None, batch=10)
    table = report(now)
    assert "compiled ms" in table and "kernels" not in table
