"""Columns line up."""

from lightning_modules.table import columns


def test_words_are_flush_left_and_numbers_flush_right():
    lines = columns(("name", "n"), [("a", "1"), ("longer", "1,000")], texts=1).splitlines()
    assert lines == [
        "  name        n",
        "  -------------",
        "  a           1",
        "  longer  1,000",
    ]
