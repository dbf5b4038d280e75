"""``probe.json``: results survive a round trip, and all else is refused with one line."""

import json
from math import isnan, nan
from pathlib import Path
from typing import Any

import pytest

from lightning_modules.records.probe_file import Changed, Lengthened, Probe, load_probe, save_probe
from lightning_modules.records.problems import NewerFormat, Unreadable

PROBE = Probe(
    measure="KL ratio, old",
    unit="-",
    sentence="memory changed",
    sequences=200,
    changed=[Changed("untouched", 0.25, 0.9, 0.1), Changed("transplanted", 20.0, nan, nan)],
    lengthened=[Lengthened(1, 15, 10.0, 2_000, 0.25), Lengthened(2, 25, 20.0, None, 0.5)],
    notes=["shuffled: left out"],
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    save_probe(PROBE, tmp_path / "probe.json")
    found = load_probe(tmp_path / "probe.json")
    assert repr(found) == repr(PROBE)  # NaN is not equal to itself
    assert found.lengthened[0].load == 5, "10 items, 2 thousand numbers"
    assert isnan(found.lengthened[1].load)
    assert found.label == "KL ratio, old"
    assert found._replace(unit="nats").label == "KL ratio, old (nats)"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("changed", [{"change": "zeroed"}]),
        ("changed", 3),
        ("measure", None),
        ("sequences", 0),
        ("notes", [1]),
        ("lengthened", [{"times": 0.5, "steps": 1, "stored": 1, "state": 1, "value": 1}]),
        ("lengthened", [{"times": 1, "steps": 1, "stored": "1", "state": 1, "value": 1}]),
        ("lengthened", [{"times": 1, "steps": 1, "stored": 1, "state": 0, "value": 1}]),
    ],
)
def test_another_form_is_refused(name: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "probe.json"
    save_probe(PROBE, path)
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, name: value}), encoding="utf-8")
    with pytest.raises(Unreadable, match="not have the form that `probe` writes"):
        load_probe(path)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "probe.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(NewerFormat, match="its format is 99"):
        load_probe(tmp_path / "probe.json")
