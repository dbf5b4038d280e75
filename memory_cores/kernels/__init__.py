"""Steps as one C++ operator each on a CPU, equal to the cores' Python up to rounding.

``building.build`` builds them all, the Python files beside it call them. Gradients are in C++, too:
registered with autograd from Python, they take 50 microseconds more a step. To add one, follow
``lstm.cpp``:

1. ``step_forward`` and ``step_backward``, on contiguous tensors of one kind of float; they check
   shapes, and return the new tensors, of which ``step_backward`` may ask for some.
2. ``step_shapes`` and ``step_backward_shapes``, which return shapes alone, for graphs.
3. ``Step``, what autograd does, and ``differentiable_step``, which calls it.
4. Schemas of both, and three blocks that register 1 for a CPU, 2 for Meta and 3 for Autograd.
5. A Python file with a call. The caller asks ``building.serve`` whether operators can take its
   step, and keeps its Python, for all other steps.
6. Tests against that Python, marked ``operators``; without the mark, tests leave operators out.
"""
