"""C++ operators, each in place of many small ones in every step on a CPU, and their building.

They are built when first needed, and kept where PyTorch keeps extensions.
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
    # Otherwise a reciprocal is refined in steps, and that of infinity (sigmoid of -1e4) is NaN.
    FLAGS.append("-mrecip=none")
#: Not -march=native, since machines of several kinds may share a folder of extensions.
VECTORS = {
    "AVX2": ["-mavx2", "-mfma"],
    "AVX512": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
}

_built = False
_left_out = False
_failure: RuntimeError | OSError | None = None


def build(begin: Callable[[], object] = lambda: None) -> None:
    """Load the operators; build them first, in half a minute, if that was not done yet.

    Args:
        begin: is called before they are built, here or by another process that is waited for.

    Raises:
        RuntimeError, OSError: they cannot be built.
    """
    global _built, _failure
    if _failure is not None:  # at a second call PyTorch would load what an older source has left
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
    # Environments do not share a folder, nor do other sources: checkouts of the same ones do.
    whose = f"{torch.__version__} {torch.__file__} {FLAGS}".encode()
    digest = sha256(b"".join([whose, *(path.read_bytes() for path in ALL_SOURCES)]))
    name = f"memory_cores_{capability.lower().replace(' ', '_')}_{digest.hexdigest()[:8]}"
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or cpp_extension.get_default_build_root()
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    library, whole = folder / f"{name}.so", folder / "whole"
    if not (whole.exists() and library.exists()):
        begin()
    with FileLock(folder / "building.lock"), ninja_in_path():
        # PyTorch's own lock outlives a process that is killed, and stops all others for ever.
        (folder / "lock").unlink(missing_ok=True)
        if whole.exists() and library.exists():
            torch.ops.load_library(library)
            return
        cpp_extension.load(
            name,
            [str(source) for source in SOURCES],
            extra_cflags=FLAGS + VECTORS.get(capability, []),
            build_directory=str(folder),
            is_python_module=False,
        )
        whole.touch()


@contextmanager
def left_out() -> Iterator[None]:
    """Take all steps in Python meanwhile, as where operators cannot be built."""
    global _left_out
    before, _left_out = _left_out, True
    try:
        yield
    finally:
        _left_out = before


@contextmanager
def ninja_in_path() -> Iterator[None]:
    """Put ninja in the path: PyTorch calls it by name, even if its environment is not active."""
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([path, ninja.BIN_DIR])
    try:
        yield
    finally:
        os.environ["PATH"] = path


def are_in_use() -> bool:
    """Tell whether the operators are built, and not left out."""
    return _built and not _left_out


def serve(memory: Tensor, weight: Tensor) -> bool:
    """Tell whether operators can take a step of a core: on a CPU, with one type of float."""
    if not (are_in_use() and memory.is_cpu):
        return False
    return memory.dtype == weight.dtype and memory.dtype in (torch.float32, torch.float64)


def alike(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the tensors, contiguous, in the type of the first, the memory.

    Autocast does not lower that type, so the linear maps are computed in it, too.
    """
    kind = tensors[0].dtype
    same = (tensor if tensor.dtype is kind else tensor.to(kind) for tensor in tensors)
    return tuple(tensor.contiguous() for tensor in same)
