"""Validations read from files that are complete, being written, or damaged."""

from math import isnan
from pathlib import Path

import pytest

from lightning_modules.records.metrics_file import read_history
from lightning_modules.records.problems import Unreadable

HEADER = "epoch,step,seconds,train/bound,val/bound,val/kl_t/01,val/kl_t/02,test/bound\n"
ROWS = "0,9,,-50,,,,\n0,19,4.5,,-40,1.5,2.5,\n0,39,9.5,,-30,1.25,,\n0,40,,,,,,-99\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")
    return path


def test_only_validations_count(file: Path):
    history, problems = read_history(file)
    assert problems == []
    assert history.steps.tolist() == [19, 39]
    assert history.seconds.tolist() == [4.5, 9.5]
    assert {name: v.tolist() for name, v in history.values.items()} == {"bound": [-40, -30]}
    assert (history.last("bound"), history.curve_name) == (-30, "kl")
    assert isnan(history.last("nll"))
    assert history.curve[0] == 1.25 and history.curve[1].isnan()


def test_half_a_line_is_left_out_and_named(file: Path):
    file.write_text(
        HEADER + ROWS + "0,59,14.5,,-2", encoding="utf-8"
    )  # cut off from -20.5, but still a valid number
    history, problems = read_history(file)
    assert history.steps.tolist() == [19, 39]
    assert problems == ["lacks the end of its last line, which is left out: 0,59,14.5,,-2..."]


def test_damaged_lines_are_counted(file: Path):
    file.write_text(HEADER + "garbage\n" + ROWS + "0,59,1,2,3,4,5,6,7,8\n", encoding="utf-8")
    history, problems = read_history(file)
    assert history.steps.tolist() == [19, 39]
    assert problems == ["has 2 damaged lines, which are left out"]


def test_a_resumed_run_s_later_validations_count(file: Path):
    file.write_text(HEADER + ROWS + "1,19,20,,-35,1,1,\n", encoding="utf-8")
    history, _ = read_history(file)
    assert history.steps.tolist() == [19, 39]
    assert history.values["bound"].tolist() == [-35, -30]


def test_older_files_have_no_seconds(file: Path):
    file.write_text("step,val/nll\n5,0.5\n", encoding="utf-8")
    history, _ = read_history(file)
    assert history.seconds.isnan().tolist() == [True]
    assert (history.curve_name, len(history.curve)) == ("", 0)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "lacks the column `step`"),
        (b"a,b\n1,2\n", "lacks the column `step`"),
        (b"\xff\xfe\x00", "is damaged: it is not a table"),
        (HEADER.encode(), "has no validation yet"),
        (HEADER.encode() + b"0,9,,-5", "lacks the end of its last line"),
    ],
)
def test_what_holds_no_validation_is_named(file: Path, content: bytes, reason: str):
    file.write_bytes(content)
    with pytest.raises(Unreadable, match=reason):
        read_history(file)


def test_steps_of_long_sequences_keep_their_order(file: Path):
    """With two digits, sorting by text would put step 100 before 11."""
    steps = range(1, 121)
    names = [f"val/kl_t/{t:02d}" for t in steps]
    file.write_text(f"step,{','.join(names)}\n0,{','.join(map(str, steps))}\n", encoding="utf-8")
    history, _ = read_history(file)
    assert history.curve.tolist() == list(steps)


def test_a_step_that_is_no_number_damages_its_line(file: Path):
    file.write_text(HEADER + ROWS + "0,nan,14.5,,-20,1,1,\n", encoding="utf-8")
    history, problems = read_history(file)
    assert history.steps.tolist() == [19, 39]
    assert problems == ["has 1 damaged lines, which are left out"]


def test_a_bad_byte_damages_its_line_only(file: Path):
    content = (HEADER + ROWS).encode().replace(b"0,19,4.5", b"0,19,4\xff5")
    file.write_bytes(content)
    history, problems = read_history(file)
    assert history.steps.tolist() == [39]
    assert problems == ["has 1 damaged lines, which are left out"]


def test_a_lone_quote_damages_its_line_only(file: Path):
    file.write_text(HEADER + '0,9,"1,-60,,,,\n' + ROWS, encoding="utf-8")
    history, problems = read_history(file)
    assert history.steps.tolist() == [19, 39]
    assert problems == ["has 1 damaged lines, which are left out"]


def test_columns_of_no_step_are_named(file: Path):
    names = ("val/kl_t/01", "val/kl_t/", "val/kl_t/x", "val/kl_t/02")
    file.write_text(f"step,{','.join(names)}\n5,1,2,3,4\n", encoding="utf-8")
    history, problems = read_history(file)
    assert history.curve.tolist() == [1, 4]
    assert problems == [
        "has a column that belongs to no step, which is left out: val/kl_t/",
        "has a column that belongs to no step, which is left out: val/kl_t/x",
    ]


def test_what_validate_wrote_at_step_0_after_training_is_no_validation_of_it(file: Path):
    file.write_text(HEADER + ROWS + "0,0,,,-7,9,9,\n", encoding="utf-8")
    history, _ = read_history(file)
    assert history.steps.tolist() == [19, 39]
    assert history.values["bound"].tolist() == [-40, -30]
    file.write_text(HEADER + "0,0,,,-80,9,9,\n" + ROWS, encoding="utf-8")
    assert read_history(file)[0].steps.tolist() == [0, 19, 39], "a validation before all others"
