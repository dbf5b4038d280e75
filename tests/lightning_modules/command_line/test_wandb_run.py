"""A W&B that cannot be had costs a line within seconds, and the run is kept offline."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb
from lightning.pytorch.loggers import WandbLogger

from lightning_modules.command_line import wandb_run, wandb_server
from lightning_modules.command_line.loggers import finish, make_expendable, run_loggers
from lightning_modules.command_line.wandb_run import WandbRun
from lightning_modules.records.run_folder import RunFolder
from tests.cli.wandb_stub import KEY, Run, serving
from tests.lightning_modules.command_line.wandb_servers import absent, refusing, silent


@pytest.fixture
def environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[dict[str, str]], None]]:
    """Sets what W&B reads, for a user who has a key and nothing else."""
    wandb.teardown()
    monkeypatch.setattr(wandb_server, "PATIENCE", 1)
    for name in ("WANDB_MODE", *wandb_run.LIMITS):
        monkeypatch.delenv(name, raising=False)
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "1")

    def set_(values: dict[str, str]) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    yield set_
    wandb.teardown()


@pytest.fixture
def logger(tmp_path: Path) -> WandbRun:
    *_, found = run_loggers(RunFolder.create(tmp_path, "maze", "run"))
    assert isinstance(found, WandbRun)
    return found


def log(logger: WandbRun) -> None:
    """Do what a run does."""
    logger.log_hyperparams({"a": 1})
    logger.log_metrics({"b": 2.0}, step=1)
    logger.finalize("success")
    finish([logger])


def kept(folder: Path) -> list[str]:
    """What W&B keeps of a run, without the time and the name."""
    return sorted(path.name.split("-2")[0] for path in folder.glob("maze/run/wandb/*run-*"))


@pytest.mark.parametrize("server", [silent, absent, refusing])
def test_a_server_that_takes_no_run(
    server: Callable[[], Any],
    environment: Callable[[dict[str, str]], None],
    logger: WandbRun,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with server() as address:
        environment({"WANDB_BASE_URL": address})
        began = time.monotonic()
        log(logger)
        assert time.monotonic() - began < 20
    (line,) = capfd.readouterr().out.splitlines()
    reason, _, rest = line.partition("; the run is stored offline; upload it later: wandb sync ")
    if server is refusing:
        assert f"credentials with {address}: returned error 401" in reason
    else:
        assert reason == f"W&B: {address} did not answer within 1 s"
    assert Path(rest).is_dir()
    assert kept(tmp_path) == ["offline-run"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"WANDB_API_KEY": "short"}, "WANDB_API_KEY invalid: API key must have 40+ characters"),
        ({"WANDB_API_KEY": "", "WANDB_MODE": "online"}, "not logged in (`wandb login`)"),
        ({"WANDB_MODE": "offlin"}, "WANDB_MODE must be one of online, shared, run, offline, "),
        ({"WANDB_BASE_URL": "nowhere"}, "1 validation error for Settings base_url Input should"),
        ({"WANDB_API_KEY": ""}, None),
        ({"WANDB_MODE": "offline"}, None),
    ],
)
def test_settings_that_are_none(
    values: dict[str, str],
    said: str | None,
    environment: Callable[[dict[str, str]], None],
    logger: WandbRun,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    environment(values)
    log(logger)
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == (said is not None)
    if said is not None:
        assert lines[0].startswith(f"W&B: {said}")
    assert kept(tmp_path) == ["offline-run"]


def test_a_folder_that_cannot_be_written(
    environment: Callable[[dict[str, str]], None],
    logger: WandbRun,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    environment({"WANDB_MODE": "offline"})
    (tmp_path / "maze/run/wandb").touch()
    log(logger)
    assert len(capfd.readouterr().out.splitlines()) <= 1


def test_a_server_that_knows_the_user_and_takes_no_run(
    environment: Callable[[dict[str, str]], None],
    logger: WandbRun,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with serving(100) as (address, sweeps):
        environment({"WANDB_BASE_URL": address})
        sweeps.upsert_run = lambda given: time.sleep(3)  # type: ignore[method-assign, assignment]
        log(logger)
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith("W&B: Timed out initializing run")
    assert kept(tmp_path) == ["offline-run"]


def test_a_server_that_is_silent_from_the_middle_on(
    environment: Callable[[dict[str, str]], None],
    logger: WandbRun,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with serving(100) as (address, sweeps):
        environment({"WANDB_BASE_URL": address})
        sweeps.runs[str(logger.version)] = Run({})
        logger.log_metrics({"b": 2.0}, step=1)
        assert kept(tmp_path) == ["run"]
        sweeps.stream = lambda name, sent: time.sleep(3)  # type: ignore[method-assign]
        began = time.monotonic()
        log(logger)
        assert time.monotonic() - began < 10
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith(
        "W&B did not receive the whole run in time; upload the rest: wandb sync "
    )
    assert Path(line.rpartition(" ")[2]).is_dir()


def test_a_run_that_breaks_is_left_out(
    logger: WandbRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """W&B's own process, say, was killed."""

    def broken(*args: Any, **kwargs: Any) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    logger._experiment = SimpleNamespace(log=broken, finish=broken)
    log_twice = [logger.log_metrics({"b": 2.0}, step=step) for step in (1, 2)]
    assert log_twice == [None, None]
    finish([logger])
    assert capsys.readouterr().out == (
        "WandbRun failed and is disabled from here on: [Errno 32] Broken pipe\n"
    )
    logger.is_disabled = False
    finish([logger])
    assert capsys.readouterr().out == "W&B failed at the run's end: [Errno 32] Broken pipe\n"


def test_a_user_s_own_logger_is_as_patient(tmp_path: Path) -> None:
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    make_expendable([logger])
    assert isinstance(logger, WandbRun)
    assert logger._wandb_init["project"] == "lightning_logs"
