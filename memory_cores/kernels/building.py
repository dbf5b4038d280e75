"""Compilation of the C++ operators, which replace many small operators per step on a CPU.

They are compiled on first use, and cached in PyTorch's folder of extensions.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import ninja
import torch
from filelock import FileLock
from torch import Tensor
from torch.utils import cpp_extension

FOLDER = Path(__file__).parent
SOURCES = sorted(FOLDER.glob("*.cpp"))
ALL_SOURCES = [*SOURCES, *sorted(FOLDER.glob("*.h"))]
FLAGS = ["-O3", "-ffast-math", "-Wno-psabi"]
if sys.platform == "linux":
    FLAGS.append("-fopenmp")
if platform.machine().lower() in ("x86_64", "amd64"):
    # Otherwise reciprocals get Newton steps, which make that of infinity (sigmoid(-1e4)) NaN.
    FLAGS.append("-mrecip=none")
#: Not -march=native: different machines may share a folder of extensions.
VECTORS = {
    "AVX2": ["-mavx2", "-mfma"],
    "AVX512": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
}

_built = False
_left_out = False
_failure: RuntimeError | OSError | None = None


def build(begin: Callable[[], object] = lambda: None) -> None:
    """Load the operators; compile them first, in half a minute, if necessary.

    Args:
        begin: called before compilation, whether in this process or in one that it waits for.

    Raises:
        RuntimeError, OSError: compilation failed.
    """
    global _built, _failure
    if _failure is not None:  # a second call could load a stale library
        raise _failure.with_traceback(None)
    if _built:
        return
    try:
        _load(begin)
    except (RuntimeError, OSError) as failure:
        _failure = failure
        raise
    _built = True


def _load(begin: Callable[[], object]) -> None:
    if sys.platform == "win32":
        raise RuntimeError("they are written for gcc and clang, not for Windows' compiler")
    capability = torch.backends.cpu.get_cpu_capability()  # such as AVX2, or NO AVX
    # One folder per environment and version of the sources; checkouts of one version share it.
    environment = f"{torch.__version__} {torch.__file__} {FLAGS}".encode()
    digest = sha256(b"".join([environment, *(path.read_bytes() for path in ALL_SOURCES)]))
    name = f"memory_cores_{capability.lower().replace(' ', '_')}_{digest.hexdigest()[:8]}"
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or cpp_extension.get_default_build_root()
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    library, complete = folder / f"{name}.so", folder / "whole"
    if not (complete.exists() and library.exists()):
        begin()
    with FileLock(folder / "building.lock"), ninja_in_path():
        # PyTorch's own lock outlives a killed process and would block all others forever.
        (folder / "lock").unlink(missing_ok=True)
        if complete.exists() and library.exists():
            torch.ops.load_library(library)
            return
        cpp_extension.load(
            name,
            [str(source) for source in SOURCES],
            extra_cflags=FLAGS + VECTORS.get(capability, []),
            build_directory=str(folder),
            is_python_module=False,
        )
        complete.touch()


@contextmanager
def left_out() -> Iterator[None]:
    """Run all steps in Python, as if operators were unavailable."""
    global _left_out
    before, _left_out = _left_out, True
    try:
        yield
    finally:
        _left_out = before


@contextmanager
def ninja_in_path() -> Iterator[None]:
    """Add ninja to PATH: PyTorch calls it by name, and the environment may not be active."""
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([path, ninja.BIN_DIR])
    try:
        yield
    finally:
        os.environ["PATH"] = path


def are_in_use() -> bool:
    """Tell whether the operators are loaded and not disabled by ``left_out``."""
    return _built and not _left_out


def serve(memory: Tensor, weight: Tensor) -> bool:
    """Tell whether operators support a core's step: on a CPU, in one float type."""
    if not (are_in_use() and memory.is_cpu):
        return False
    return memory.dtype == weight.dtype and memory.dtype in (torch.float32, torch.float64)


def alike(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the tensors contiguous, in the dtype of the first, the memory.

    Autocast does not lower that dtype, so the linear maps are computed in it, too.
    """
    kind = tensors[0].dtype
    same = (tensor if tensor.dtype is kind else tensor.to(kind) for tensor in tensors)
    return tuple(tensor.contiguous() for tensor in same)
