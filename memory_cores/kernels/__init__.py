"""Steps as single C++ operators on a CPU, equal to the cores' Python up to rounding.

``building.build`` compiles them; the Python files next to it call them. Gradients are in C++, too:
registered from Python, they cost another 50 microseconds per step. To add an operator, follow
``lstm.cpp``:

1. ``step_forward`` and ``step_backward``, on contiguous tensors of one float type; they check
   shapes. ``step_forward`` also returns the tensors that ``step_backward`` needs.
2. ``step_shapes`` and ``step_backward_shapes``, which return empty tensors, for tracing.
3. ``Step``, the autograd function, and ``differentiable_step``, which calls it.
4. Schemas of both, and three blocks that register 1 for CPU, 2 for Meta and 3 for Autograd.
5. A Python file with a call. The caller checks with ``building.serve`` whether operators support
   its step, and keeps its Python version for all other cases.
6. Tests against the Python version, marked ``operators``; without the mark, tests run without
   operators.
"""
