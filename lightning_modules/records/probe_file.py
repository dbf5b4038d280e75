"""``probe.json``: recall after changes to the stored content, and on longer sequences."""

from collections.abc import Mapping
from math import isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

from lightning_modules.records.problems import NewerFormat, Unreadable
from lightning_modules.records.reading import FORMAT, is_whole, read_json
from lightning_modules.records.run_folder import write_json


class Changed(NamedTuple):
    """Result after one change to the stored content."""

    change: str
    value: float
    own: float  #: share of frames of the own class, 0 to 1; NaN if classes are unknown
    donor: float  #: share of frames of the donor's class


class Lengthened(NamedTuple):
    """Result on sequences of one length."""

    times: int  #: length as a multiple of that in training
    steps: int
    stored: float  #: items stored per sequence
    state: int | None  #: numbers carried from step to step; None if the state grows
    value: float

    @property
    def load(self) -> float:
        """Items stored per thousand numbers of state; NaN if the state grows."""
        return 1000 * self.stored / self.state if self.state else nan


class Probe(NamedTuple):
    """All results of a probe."""

    measure: str  #: its name in tables
    unit: str  #: "-" for ratios
    sentence: str  #: what was changed and measured
    sequences: int
    changed: list[Changed]
    lengthened: list[Lengthened]
    notes: list[str]  #: what was skipped, and why

    @property
    def label(self) -> str:
        """Measure with its unit, for a heading or an axis."""
        return self.measure if self.unit == "-" else f"{self.measure} ({self.unit})"


def save_probe(probe: Probe, path: Path) -> None:
    """Write a probe's results; NaN and infinity become null."""
    rows = {
        "changed": [row._asdict() for row in probe.changed],
        "lengthened": [row._asdict() for row in probe.lengthened],
    }
    write_json(path, _plain({"format": FORMAT, **probe._asdict(), **rows}))


def load_probe(path: Path) -> Probe:
    """Read results that ``save_probe`` wrote.

    Raises:
        Unreadable: the file is damaged or malformed.
    """
    content = read_json(path)
    try:
        return Probe(
            measure=_word(content["measure"]),
            unit=_word(content["unit"]),
            sentence=_word(content["sentence"]),
            sequences=_whole(content["sequences"]),
            changed=[_row(Changed, each) for each in content["changed"]],
            lengthened=[_row(Lengthened, each) for each in content["lengthened"]],
            notes=[_word(each) for each in content["notes"]],
        )
    except NewerFormat:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as failure:
        raise Unreadable("does not have the form that `probe` writes") from failure


def _row(kind: type[Any], content: Mapping[str, Any]) -> Any:
    return kind(**{name: PARSERS[name](content[name]) for name in kind._fields})


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if not is_whole(value) or value < 1:
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool | str):
        raise TypeError
    return nan if value is None else float(value)


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _plain(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    return None if isinstance(content, float) and not isfinite(content) else content


#: Parsers of the rows' fields.
PARSERS: dict[str, Any] = {
    **dict.fromkeys(("value", "own", "donor", "stored"), _number),
    **dict.fromkeys(("times", "steps"), _whole),
    "change": _word,
    "state": lambda value: None if value is None else _whole(value),
}
