"""Appending to metrics.csv after its writer was killed."""

from pathlib import Path

import pytest

from lightning_modules.command_line.loggers import AppendingWriter
from lightning_modules.records import table_file
from lightning_modules.records.durable_file import unfinished_file
from lightning_modules.records.metrics_file import read_history
from lightning_modules.records.table_file import continue_table, widen_table

TABLE = b"step,val/bound\r\n10,-5.0\r\n20,-4.0\r\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "metrics.csv").write_bytes(TABLE)
    return tmp_path / "metrics.csv"


@pytest.mark.parametrize("torn", [b"", b"3", b"30,-3.", b"30,-3.25\r", b"30,\xff"])
def test_half_a_row_is_not_joined_to_the_next(file: Path, torn: bytes):
    file.write_bytes(TABLE + torn)
    writer = AppendingWriter(str(file.parent))
    writer.log_metrics({"val/bound": -1.0}, 40)
    writer.save()
    assert file.read_bytes() == TABLE + b"40,-1.0\r\n"
    history, problems = read_history(file)
    assert history.steps.tolist() == [10, 20, 40] and problems == []


@pytest.mark.parametrize("content", [b"", b"\r\n", b"step,val"])
def test_a_table_without_a_whole_first_line_is_begun_anew(file: Path, content: bytes):
    file.write_bytes(content)
    assert continue_table(file) == [] and not file.exists()
    assert continue_table(file) == []


def test_more_columns_leave_the_rows_and_the_old_file_if_the_disk_is_full(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    file.write_bytes(TABLE + b"1,2,3\r\n30,\xff\r\n")
    assert continue_table(file) == ["step", "val/bound"]
    before = file.read_bytes()

    def fail(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(table_file, "write_durably", fail)
        with pytest.raises(OSError, match="No space"):
            widen_table(file, ["step", "train/loss", "val/bound"])
    assert file.read_bytes() == before
    widen_table(file, ["step", "train/loss", "val/bound"])
    rows = b"10,,-5.0\r\n20,,-4.0\r\n30,,\xff\r\n"
    assert file.read_bytes() == b"step,train/loss,val/bound\r\n" + rows


def test_new_columns_are_added_at_one_stroke(file: Path):
    writer = AppendingWriter(str(file.parent))
    unfinished_file(file).write_bytes(b"of a dead writer")
    writer.log_metrics({"train/loss": 2.0}, 30)
    writer.save()
    assert file.read_bytes() == b"step,train/loss,val/bound\r\n10,,-5.0\r\n20,,-4.0\r\n30,2.0,\r\n"
    assert [path.name for path in file.parent.iterdir()] == ["metrics.csv"]
