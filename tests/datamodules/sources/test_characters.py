"""Splits of characters: which ones are held out."""

import hashlib
from collections import Counter

from datamodules.sources.characters import held_out


def test_three_characters_of_each_alphabet_are_held_out_by_their_hashes() -> None:
    names = tuple(f"{alphabet}/{i}" for alphabet in ("A", "B") for i in range(9))
    chosen = [names[number] for number in held_out(names)]
    assert Counter(name[0] for name in chosen) == {"A": 3, "B": 3}
    ranked = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    for alphabet in ("A", "B"):
        first = [name for name in ranked if name[0] == alphabet][:3]
        assert set(first) == {name for name in chosen if name[0] == alphabet}
    shuffled = names[::-1]
    assert {shuffled[number] for number in held_out(shuffled)} == set(chosen)
