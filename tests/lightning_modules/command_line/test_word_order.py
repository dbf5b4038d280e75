"""Words of a command line in the order of their effect."""

import pytest

from lightning_modules.command_line.word_order import in_order_of_effect


@pytest.mark.parametrize(
    ("typed", "ordered"),
    [
        ("fit --a.b=1 --config x", "fit --config=x --a.b=1"),
        ("fit --config x --a 1 --config=y", "fit --config=x --config=y --a=1"),
        ("fit -c x --run -3", "fit -c=x --run=-3"),
        ("fit --a.b.c=1 --a.b=B --a.b.c=2 --d", "fit --d --a.b=B --a.b.c=1 --a.b.c=2"),
        ("fit --flag --config=x=y", "fit --config=x=y --flag"),
        (
            "fit --l.l+=A --l.l.x=1 --l.l+=B --l.l.y.z=2 --l=C",
            "fit --l=C --l.l+=A --l.l.x=1 --l.l+=B --l.l.y.z=2",
        ),
        ("--config x --a.b 1 fit --a=A", "fit --config=x --a=A --a.b=1"),
        ("--config x --help", "--config x --help"),
        ("", ""),
    ],
)
def test_files_come_first_and_classes_before_their_settings(typed: str, ordered: str) -> None:
    assert in_order_of_effect(typed.split()) == ordered.split()
