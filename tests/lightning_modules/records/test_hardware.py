"""Names of processors and GPUs."""

from pathlib import Path

import pytest
import torch

from lightning_modules.records import hardware as module
from lightning_modules.records.hardware import hardware

CPU = torch.device("cpu")


@pytest.mark.parametrize(("threads", "said"), [(1, "1 thread"), (4, "4 threads")])
def test_a_processor_is_named_with_its_threads(
    threads: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "processor\t: 0\nmodel name\t: AMD EPYC 9B45\nprocessor\t: 1\nmodel name\t: other\n"
    (tmp_path / "cpuinfo").write_text(lines, encoding="utf-8")
    monkeypatch.setattr(module, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert hardware(CPU) == f"AMD EPYC 9B45, {said}"


def test_an_unknown_processor_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(module.platform, "processor", lambda: "")
    monkeypatch.setattr(module.platform, "machine", lambda: "arm64")
    assert hardware(CPU).startswith("arm64, ")


def test_a_gpu_is_named_by_its_maker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert hardware(torch.device("cuda", 1)) == "GPU 1"
