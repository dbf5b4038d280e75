"""metrics.csv is one table per run, however often the run is resumed."""

import csv
from pathlib import Path

from lightning_modules.command_line.loggers import MetricsFile
from lightning_modules.records.run_folder import RunFolder


def test_resumed_run_appends_rows_and_columns(tmp_path: Path):
    folder = RunFolder.create(tmp_path, "maze", "run")
    for step, metrics in enumerate([{"a": 1.0}, {"b": 2.0}, {"a": 3.0}]):
        logger = MetricsFile(folder)
        logger.log_metrics(metrics, step)
        logger.finalize("success")
    with open(folder.metrics, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    assert [row["a"] for row in rows] == ["1.0", "", "3.0"]
    assert [row["b"] for row in rows] == ["", "2.0", ""]


def test_settings_go_to_no_second_file(tmp_path: Path):
    folder = RunFolder.create(tmp_path, "maze", "run")
    logger = MetricsFile(folder)
    logger.log_hyperparams({"a": 1})
    logger.log_metrics({"a": 1.0}, 0)
    assert [path.name for path in folder.path.iterdir()] == ["metrics.csv"]
