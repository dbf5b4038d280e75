"""A wheel is complete: in its own environment and folder it works like a checkout."""

import json
import os
import re
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.cli.commands import ROOT, TINY, UNVALIDATED

pytestmark = pytest.mark.processes

PACKAGES = ("datamodules", "lightning_modules", "memory_cores")
#: What a wheel is built from.
SOURCES = (*PACKAGES, "conf", "cli.py", "setup.py", "setup.cfg", "pyproject.toml")
SOURCES += ("README.md", "LICENSE")
Gtmm = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the wheel from a copy, without leaving or using build files here."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    options = "--no-deps", "--no-build-isolation", "--quiet", f"--wheel-dir={built}"
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Installs the wheel into an environment that shares all other packages."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin/python")
    # A checkout in PYTHONPATH would pass for an installation, and stay the only one.
    options = "--ignore-installed", "--no-deps", "--no-index", "--quiet", str(wheel)
    pip = [sys.executable, "-m", "pip", "--python", python, "install"]
    subprocess.run([*pip, *options], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # Links to editable installations are files of these folders that are not followed from here.
    borrowed = "\n".join(path for path in site.getsitepackages() if Path(path).is_dir())
    (packages / "borrowed.pth").write_text(borrowed, encoding="utf-8")
    return folder


@pytest.fixture
def gtmm(environment: Path, tmp_path: Path) -> Gtmm:
    """Runs the command in an empty folder, and returns its output."""
    # Neither may take the place of ours.
    (tmp_path / "conf.py").write_text("raise SystemExit('not ours')", encoding="utf-8")
    (tmp_path / "cli.py").write_text("raise SystemExit('not ours')", encoding="utf-8")
    names = ("PYTHONPATH", "PYTHONSAFEPATH", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if key not in names}
    own = {
        "PATH": f"{environment}/bin{os.pathsep}{os.environ['PATH']}",
        "WANDB_MODE": "disabled",
        "OMP_NUM_THREADS": "1",
    }

    def run(*words: str) -> str:
        done = subprocess.run(
            ["gtmm", *words],
            cwd=tmp_path,
            env=kept | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_every_file_is_inside(wheel: Path) -> None:
    """Code, settings, sources of operators, scripts and styles of the page; nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES, "conf"], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    if listed.returncode:
        pytest.skip("not in a checkout")
    # Settings of a formatter are for a checkout.
    ours = {name for name in listed.stdout.split() if not Path(name).name.startswith(".")}
    expected = {f"gtmm/{name}" if name.startswith("conf/") else name for name in ours}
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected | {"gtmm/cli.py"}


def test_from_an_empty_folder(gtmm: Gtmm, environment: Path, tmp_path: Path) -> None:
    """The main job cut short, a sweep of two runs, a table, and the page."""
    small = (*TINY, "--data.source=mnist5k", "--trainer.max_steps=2")
    said = gtmm("fit", "--config", "conf/dnc_gtmm_maze.yaml", *small)
    assert "Model: GTMM" in said
    (run,) = tmp_path.glob("runs/dnc_gtmm_maze/*")
    assert (run / "pictures/generations.png").is_file()
    hints = re.findall(r": +(\S+) (test|predict|fit|compare) ", said)
    assert [command for _, command in hints] == ["test", "predict", "fit", "fit", "compare"]
    assert {program for program, _ in hints} == {"gtmm"}

    sweep = "conf/sweeps/maze_replicas.yaml", "--trials=2", "--jobs=2"
    said = gtmm("sweep", *sweep, *small, UNVALIDATED, "--model.controller_size=8")
    assert "2 of 2 runs finished" in said
    assert "Compare them: gtmm compare runs/maze_replicas --out maze_replicas.html" in said
    (log, _) = tmp_path.glob("runs/maze_replicas/*.log")
    assert "generate from it:            gtmm predict" in log.read_text(encoding="utf-8")

    said = gtmm("compare", "runs", "--out=report.html")
    assert "report.html: 3 runs" in said
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(part in page for part in ("Which memory", "plotly", "<style>"))
    # Not that of somebody's repository in which the environment lies.
    results, _ = tmp_path.glob("runs/maze_replicas/*/results.json")
    assert json.loads(results.read_text(encoding="utf-8"))["versions"]["revision"] is None


def test_claims_need_neither_a_checkout_nor_records(gtmm: Gtmm) -> None:
    assert "runs/claims_A7_cpu:\n  seed31-asnp_rmr: starts" in gtmm("reproduce", "A7", "--dry_run")
