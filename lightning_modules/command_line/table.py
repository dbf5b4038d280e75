"""Metrics as a table that a terminal and a log file can hold."""

from collections.abc import Mapping


def table(title: str, scalars: Mapping[str, float | None]) -> str:
    """Names and values in two columns, a dash where there was nothing to average."""
    width = max(map(len, [title, *scalars]))
    rows = (
        f"  {name:<{width}}  {'-' if value is None else f'{value:.4f}':>12}"
        for name, value in scalars.items()
    )
    return "\n".join([f"\n  {title:<{width}}  {'value':>12}", f"  {'-' * (width + 14)}", *rows])
