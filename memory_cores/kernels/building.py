"""Building C++ operators, which take the place of many small ones in every step on a CPU.

They are built when they are first needed, and kept where PyTorch keeps extensions.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import ninja
import torch
from filelock import FileLock
from torch.utils import cpp_extension

SOURCES = [Path(__file__).with_name(name) for name in ("dnc.cpp", "lstm.cpp")]
FLAGS = ["-O3", "-ffast-math", "-Wno-psabi"]
if sys.platform == "linux":
    FLAGS.append("-fopenmp")
#: Not -march=native, since machines of several kinds may share a folder of extensions.
VECTORS = {
    "AVX2": ["-mavx2", "-mfma"],
    "AVX512": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
}

_built = False
_failure: RuntimeError | OSError | None = None


def build() -> None:
    """Build the operators in half a minute if nobody has, and load them.

    Raises:
        RuntimeError, OSError: they can not be built.
    """
    global _built, _failure
    if _failure is not None:  # at a second call PyTorch would load what an older source has left
        raise _failure
    if _built:
        return
    try:
        _load()
    except (RuntimeError, OSError) as failure:
        _failure = failure
        raise
    _built = True


def _load() -> None:
    capability = torch.backends.cpu.get_cpu_capability()  # such as AVX2, or NO AVX
    # Environments do not share, or each would build anew what another one has built.
    environment = sha256(f"{torch.__version__} {torch.__file__}".encode()).hexdigest()[:8]
    name = f"memory_cores_{capability.lower().replace(' ', '_')}_{environment}"
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or cpp_extension.get_default_build_root()
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "building.lock"), ninja_in_path():
        # PyTorch's own lock outlives a process that is killed, and stops all others for ever.
        (folder / "lock").unlink(missing_ok=True)
        cpp_extension.load(
            name,
            [str(source) for source in SOURCES],
            extra_cflags=FLAGS + VECTORS.get(capability, []),
            build_directory=str(folder),
            is_python_module=False,
        )


@contextmanager
def left_out() -> Iterator[None]:
    """Let all steps be taken in Python meanwhile, as where operators can not be built."""
    global _built
    was_built, _built = _built, False
    try:
        yield
    finally:
        _built = was_built


@contextmanager
def ninja_in_path() -> Iterator[None]:
    """PyTorch calls ninja by name, and its environment need not be activated."""
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([path, ninja.BIN_DIR])
    try:
        yield
    finally:
        os.environ["PATH"] = path


def is_done() -> bool:
    """Whether the operators are built."""
    return _built
