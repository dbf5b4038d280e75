"""``probe.json``: what a model recalls when its memory is changed, and of longer sequences."""

from collections.abc import Mapping
from math import isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

from lightning_modules.records.problems import NewerFormat, Unreadable
from lightning_modules.records.reading import FORMAT, is_whole, read_json
from lightning_modules.records.run_folder import write_json


class Changed(NamedTuple):
    """What was measured under one change of what is stored."""

    change: str
    value: float
    own: float  #: share of frames of the own class, 0 to 1; NaN where classes are not known
    donor: float  #: of the donor's class


class Lengthened(NamedTuple):
    """What was measured on sequences of some length."""

    times: int  #: as long as in training
    steps: int
    stored: float  #: items of a sequence
    state: int | None  #: numbers that are carried from step to step; None if they grow
    value: float

    @property
    def load(self) -> float:
        """Items stored for each thousand numbers that are carried; NaN if these grow."""
        return 1000 * self.stored / self.state if self.state else nan


class Probe(NamedTuple):
    """All results of a probe."""

    measure: str  #: its name in tables
    unit: str  #: "-" for ratios
    sentence: str  #: what was changed and measured
    sequences: int
    changed: list[Changed]
    lengthened: list[Lengthened]
    notes: list[str]  #: what was left out, and why

    @property
    def label(self) -> str:
        """Measure and unit, for a heading or an axis."""
        return self.measure if self.unit == "-" else f"{self.measure} ({self.unit})"


def save_probe(probe: Probe, path: Path) -> None:
    """Write a probe's results; what is not finite becomes null."""
    rows = {
        "changed": [row._asdict() for row in probe.changed],
        "lengthened": [row._asdict() for row in probe.lengthened],
    }
    write_json(path, _plain({"format": FORMAT, **probe._asdict(), **rows}))


def load_probe(path: Path) -> Probe:
    """Read what ``save_probe`` wrote.

    Raises:
        Unreadable: the file is damaged, or of another form.
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
    return kind(**{name: READ[name](content[name]) for name in kind._fields})


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


#: Readers of the fields of rows.
READ: dict[str, Any] = {
    **dict.fromkeys(("value", "own", "donor", "stored"), _number),
    **dict.fromkeys(("times", "steps"), _whole),
    "change": _word,
    "state": lambda value: None if value is None else _whole(value),
}
