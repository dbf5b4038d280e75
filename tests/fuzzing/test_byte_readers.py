"""Some thousand damaged files for the readers of bytes; `python -m tests.fuzzing.byte_readers`."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from datamodules.sources.unreadable import UnreadableData
from tests.fuzzing.byte_mutations import damage
from tests.fuzzing.byte_readers import Subject, outcome_of, run, subjects

CASES = 4_500


def test_damaged_files_give_images_or_one_line() -> None:
    report = run(CASES)
    assert report.failures == []
    for name, outcome in report.outcomes:
        # Damage that no reader notices, or that none gets past, would test nothing.
        assert report.outcomes[name, outcome] > 5, (name, outcome)
    assert len(report.outcomes) == 2 * 9
    assert report.peak < 200 << 20


def test_intact_files_are_read(tmp_path: Path) -> None:
    assert all(subject.read(subject.intact) for subject in subjects(tmp_path).values())


def test_a_case_depends_on_its_number_alone(tmp_path: Path) -> None:
    for name, subject in subjects(tmp_path).items():
        for mutation in subject.mutations:
            first, second = (mutation(subject.intact, Random(7)) for _ in range(2))
            assert first == second, name


def raising(error: Exception) -> Callable[[bytes], bool]:
    def read(content: bytes) -> bool:
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        (lambda content: True, "read"),
        (lambda content: False, "gave something else"),
        (raising(UnreadableData("a: is cut")), "refused"),
        (raising(UnreadableData("a:\nis cut")), "is refused in 'a:\\nis cut'"),
        (raising(ValueError("a: is cut")), "raised ValueError: a: is cut"),
        (raising(MemoryError()), "raised MemoryError: "),
    ],
)
def test_a_broken_contract_is_found(read: Callable[[bytes], bool], outcome: str) -> None:
    assert outcome_of(Subject(read, b"intact", (damage,)), Random(0)) == outcome
