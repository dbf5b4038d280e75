"""A DNC's write, its read, and both together as one C++ operator each, for a CPU.

A step of ``dnc.py`` is a hundred small operators. Calling them takes as long as they do where they
are compiled, and many times as long where not. ``dnc_kernel.cpp`` takes each sequence by itself,
for one write head and links of all slots, with its read heads side by side in vectors. It is built
when it is first needed, and kept where PyTorch keeps extensions.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import ninja
import torch
from filelock import FileLock
from torch import Tensor
from torch.library import register_autograd, register_fake
from torch.utils import cpp_extension

SOURCE = Path(__file__).with_suffix(".cpp")
FLAGS = ["-O3", "-ffast-math", "-Wno-psabi"]
if sys.platform == "linux":
    FLAGS.append("-fopenmp")
#: Not -march=native, since machines of several kinds may share a folder of extensions.
VECTORS = {
    "AVX2": ["-mavx2", "-mfma"],
    "AVX512": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
}

_built = False


def build() -> None:
    """Build the operators in half a minute if nobody has, and load them.

    Raises:
        RuntimeError, OSError: they can not be built.
    """
    global _built
    if _built:
        return
    capability = torch.backends.cpu.get_cpu_capability()  # such as AVX2, or NO AVX
    # Environments do not share, or each would build anew what another one has built.
    environment = sha256(f"{torch.__version__} {torch.__file__}".encode()).hexdigest()[:8]
    name = f"dnc_kernel_{capability.lower().replace(' ', '_')}_{environment}"
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or cpp_extension.get_default_build_root()
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    flags = FLAGS + VECTORS.get(capability, [])
    with FileLock(folder / "building.lock"), ninja_in_path():
        # PyTorch's own lock outlives a process that is killed, and stops all others for ever.
        (folder / "lock").unlink(missing_ok=True)
        cpp_extension.load(
            name,
            [str(SOURCE)],
            extra_cflags=flags,
            build_directory=str(folder),
            is_python_module=False,
        )
    _register()
    _built = True


@contextmanager
def ninja_in_path() -> Iterator[None]:
    """PyTorch calls ninja by name, and its environment need not be activated."""
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([path, ninja.BIN_DIR])
    try:
        yield
    finally:
        os.environ["PATH"] = path


def is_ready() -> bool:
    """Whether the operators are built."""
    return _built


def serves(write_weights: Tensor, interface: Tensor) -> bool:
    """Whether the operators are built, and know such a step: on a CPU, of one kind of float."""
    if not (_built and interface.is_cpu and write_weights.shape[1] == 1):
        return False
    known = interface.dtype in (torch.float32, torch.float64)
    return known and write_weights.dtype == interface.dtype


def write(
    state: tuple[Tensor, ...], interface: Tensor, present: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Write a step.

    Args:
        state: a ``DNCState`` of one write head: memory [B, N, W], usage [B, N], precedence
            [B, 1, N], link [B, 1, N, N], write weights [B, 1, N], read weights [B, R, N].
        interface: [B, 3 W + 3 + R], as the write interface's linear map leaves it.
        present: [B, 1], 0 closes the write gate.

    Returns:
        The new memory, usage, precedence, link and write weights.
    """
    return torch.ops.dnc_kernel.write(*_contiguous(*state, interface, present))


def read(
    memory: Tensor, link: Tensor, read_weights: Tensor, interface: Tensor
) -> tuple[Tensor, Tensor]:
    """Read a step, from the memory and the links after its write.

    Args:
        memory: [B, N, W].
        link: [B, 1, N, N].
        read_weights: [B, R, N], of the step before.
        interface: [B, R (W + 4)], as the read interface's linear map leaves it.

    Returns:
        What is read, [B, R W], and the read weights.
    """
    return torch.ops.dnc_kernel.read(*_contiguous(memory, link, read_weights, interface))


def step(
    state: tuple[Tensor, ...], write_interface: Tensor, present: Tensor, read_interface: Tensor
) -> tuple[Tensor, ...]:
    """Write and read a step; the second call, and three sums of gradients, are saved.

    Returns:
        What ``write`` returns, and then what ``read`` does.
    """
    asked = write_interface, present, read_interface
    return torch.ops.dnc_kernel.step(*_contiguous(*state, *asked))


def _contiguous(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(tensor.contiguous() for tensor in tensors)


def _register() -> None:
    """Tell PyTorch the operators' shapes and gradients."""
    register_fake("dnc_kernel::write", _written)
    register_fake("dnc_kernel::write_backward", _write_gradients)
    register_fake("dnc_kernel::read", _read)
    register_fake("dnc_kernel::read_backward", _read_gradients)
    register_fake("dnc_kernel::step", _stepped)
    register_fake("dnc_kernel::step_backward", _step_gradients)
    register_autograd("dnc_kernel::write", _write_backward, setup_context=_keep_inputs)
    register_autograd("dnc_kernel::read", _read_backward, setup_context=_keep_inputs)
    register_autograd("dnc_kernel::step", _step_backward, setup_context=_keep_step)


def _keep_inputs(ctx: Any, inputs: tuple[Tensor, ...], output: Any) -> None:
    ctx.save_for_backward(*inputs)


def _write_backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
    saved = ctx.saved_tensors
    found = torch.ops.dnc_kernel.write_backward(*saved, *_contiguous(*gradients))
    memory, usage, precedence, link, read_weights, interface = found
    return memory, usage, precedence, link, None, read_weights, interface, None


def _read_backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
    return torch.ops.dnc_kernel.read_backward(*ctx.saved_tensors, *_contiguous(*gradients))


def _keep_step(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    new_memory, _, _, new_link, *_ = output
    ctx.save_for_backward(*inputs, new_memory, new_link)


def _step_backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
    saved = ctx.saved_tensors
    found = torch.ops.dnc_kernel.step_backward(*saved, *_contiguous(*gradients))
    memory, usage, precedence, link, read_weights, write_interface, read_interface = found
    state = memory, usage, precedence, link, None, read_weights
    return *state, write_interface, None, read_interface


def _written(
    memory: Tensor, usage: Tensor, precedence: Tensor, link: Tensor, writes: Tensor, *_: Tensor
) -> tuple[Tensor, ...]:
    return tuple(map(torch.empty_like, (memory, usage, precedence, link, writes)))


def _write_gradients(
    memory: Tensor,
    usage: Tensor,
    precedence: Tensor,
    link: Tensor,
    writes: Tensor,
    reads: Tensor,
    interface: Tensor,
    *_: Tensor,
) -> tuple[Tensor, ...]:
    return tuple(map(torch.empty_like, (memory, usage, precedence, link, reads, interface)))


def _read(memory: Tensor, link: Tensor, reads: Tensor, interface: Tensor) -> tuple[Tensor, Tensor]:
    found = memory.new_empty(len(memory), reads.shape[1] * memory.shape[2])
    return found, torch.empty_like(reads)


def _read_gradients(
    memory: Tensor, link: Tensor, reads: Tensor, interface: Tensor, *_: Tensor
) -> tuple[Tensor, ...]:
    return tuple(map(torch.empty_like, (memory, link, reads, interface)))


def _stepped(*inputs: Tensor) -> tuple[Tensor, ...]:
    memory, _, _, link, _, read_weights, _, _, read_interface = inputs
    return *_written(*inputs[:5]), *_read(memory, link, read_weights, read_interface)


def _step_gradients(*inputs: Tensor) -> tuple[Tensor, ...]:
    memory, usage, precedence, link, _, read_weights, to_write, _, to_read, *_ = inputs
    wanted = memory, usage, precedence, link, read_weights, to_write, to_read
    return tuple(map(torch.empty_like, wanted))
