"""Whatever a logger raises, the run goes on without it, and says so once."""

from pathlib import Path
from typing import Any

import lightning as L
import pytest
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from lightning_modules.command_line.expendable_logger import expendable, in_a_line
from lightning_modules.command_line.loggers import MetricsFile, TensorBoardFiles, make_expendable
from lightning_modules.records.run_folder import RunFolder


class Theirs(Logger):
    """A user's logger, whose method of one name fails from the second call on."""

    name = "theirs"
    version = 0

    def __init__(self, failing: str) -> None:
        self.failing, self.calls = failing, list[str]()

    def called(self, method: str) -> None:
        self.calls.append(method)
        if method == self.failing and self.calls.count(method) == 2:
            raise ConnectionError("gone\nand a traceback of the server")

    @property
    def experiment(self) -> "Theirs":
        self.called("experiment")
        return self

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.called("log_metrics")

    def log_hyperparams(self, params: Any, *others: Any) -> None:
        self.called("log_hyperparams")

    def save(self) -> None:
        self.called("save")


def trained(logger: Logger, folder: Path) -> MetricsFile:
    """Logs of a short training beside a logger."""
    own = MetricsFile(RunFolder(folder))
    make_expendable([own, logger])
    trainer = L.Trainer(
        default_root_dir=folder,
        logger=[logger, own],
        max_steps=4,
        log_every_n_steps=1,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    model = BoringModel()
    step = model.training_step

    def logged_step(*args: Any) -> Any:
        loss = step(*args)
        model.log("loss", loss["loss"])
        return loss

    model.training_step = logged_step  # type: ignore[method-assign]
    trainer.fit(model)
    assert trainer.global_step == 4
    return own


@pytest.mark.parametrize("failing", ["log_metrics", "save", "experiment"])
def test_a_training_goes_on_without_a_logger_that_fails(
    failing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = Theirs(failing)
    own = trained(theirs, tmp_path)
    assert isinstance(theirs, Theirs)
    if failing == "experiment":  # which Lightning asks for once
        assert theirs.experiment is not theirs
    said = capsys.readouterr().out
    assert said == "Theirs failed and is disabled from here on: gone\n"
    assert theirs.calls.count(failing) == 2
    with open(own.experiment.metrics_file_path, encoding="utf-8") as file:
        assert len(file.readlines()) == 1 + 4


def test_pictures_are_taken_by_those_who_take_them(capsys: pytest.CaptureFixture[str]) -> None:
    class Viewer(Theirs):
        def log_image(self, key: str, images: list[str], step: int) -> None:
            raise OSError(f"no space for {key}")

    expendable(Theirs("")).log_image("a", [], step=1)  # type: ignore[attr-defined]
    assert capsys.readouterr().out == ""
    viewer = expendable(Viewer(""))
    for _ in range(2):
        viewer.log_image("a", [], step=1)  # type: ignore[attr-defined]
    assert capsys.readouterr().out == (
        "Viewer failed and is disabled from here on: no space for a\n"
    )


def test_tensorboard_without_a_folder_to_write_into(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "tensorboard").touch()
    trained(TensorBoardFiles(folder), tmp_path)
    said = capsys.readouterr().out
    assert said.startswith("TensorBoardFiles failed and is disabled from here on: ")
    assert said.count("\n") == 1 and f"{tmp_path}/tensorboard" in said


def test_tensorboard_on_a_full_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EventFileWriter, "flush", full)
    logger = TensorBoardFiles(RunFolder(tmp_path))
    trained(logger, tmp_path)
    assert capsys.readouterr().out == (
        "TensorBoardFiles failed and is disabled from here on: [Errno 28] No space left on device\n"
    )


def test_a_logger_stays_what_it_is(tmp_path: Path) -> None:
    logger = TensorBoardLogger(tmp_path)
    assert expendable(logger) is logger and isinstance(logger, TensorBoardLogger)
    assert expendable(expendable(logger)).__class__.__mro__.count(TensorBoardLogger) == 1
    needed = MetricsFile(RunFolder(tmp_path))
    make_expendable([needed])
    assert type(needed) is MetricsFile and isinstance(needed, CSVLogger)


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (OSError(28, "No space left"), "[Errno 28] No space left"),
        (ValueError(), "ValueError"),
        (ValueError("a\nb"), "a"),
    ],
)
def test_failures_take_a_line(failure: Exception, line: str) -> None:
    assert in_a_line(failure) == line
