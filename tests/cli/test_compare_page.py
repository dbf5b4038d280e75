"""`compare` as a page: from a run that is trained and tested here, and usage errors."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import ExperimentCLI, main
from tests.cli.commands import ROOT


@pytest.mark.pictures
def test_a_run_that_was_really_tested(fit: Callable[..., Path], tmp_path: Path, capsys):
    run = fit("--run=r", "--trainer.val_check_interval=1", "--data.test_size=3")
    ExperimentCLI(["test", f"--ckpt_path={run / 'checkpoints/last.ckpt'}"])
    found = json.loads((run / "results.json").read_text(encoding="utf-8"))
    (foreign := tmp_path / "notes").mkdir()
    capsys.readouterr()
    main(["compare", str(run), str(foreign), f"--out={tmp_path}/out/report.html"])
    said = capsys.readouterr()
    assert said.out.startswith(f"The page is {tmp_path}/out/report.html: 1 run, ")
    assert said.err == f"skipped: {foreign} holds no run: no results.json and no metrics.csv\n"
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert f"<td>{found['scalars']['bound']:,.1f}</td>" in html
    for section in ("league", "steps", "learning", "gallery", "film", "configuration", "left_out"):
        assert f'id="{section}"' in html, section
    assert "data:image/webp" in html and '"moments":' in html
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out/report.html"]


def test_mistakes(runs: Path, complaint: Callable[..., str], tmp_path: Path):
    (tmp_path / "empty").mkdir()
    folder = str(tmp_path / "empty")
    page = f"--out={tmp_path}/a.html"
    assert "no run has measurements" in complaint("compare", folder, page)
    assert "--against: needs --out FILE.png" in complaint(
        "compare", folder, page, "--against=seconds"
    )
    assert "--port: needs --live" in complaint("compare", folder, page, "--port=8000")
    said = complaint("compare", folder, "--live", "--port=70000")
    assert "--port: must be a number from 1 to 65535, got 70000" in said
    said = complaint("compare", folder, "--live", "--out=a.png")
    assert "--out must end in .html, got a.png" in said
    assert f"there is no folder {tmp_path}/none" in complaint("compare", f"{tmp_path}/none", page)


def test_a_live_page_until_ctrl_c(tmp_path: Path):
    command = [sys.executable, "cli.py", "compare", str(tmp_path), "--live"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[3]
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert "Waiting: no run" in answer.read().decode()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
