"""Steps that are one C++ operator each on a CPU, equal to the cores' Python but for rounding.

``building.build`` builds them all, ``lstm.py`` and ``dnc.py`` call them. Gradients are in C++, too:
told to autograd from Python, they take 50 microseconds more a step. To add one, see ``lstm.cpp``:

1. ``step_forward`` and ``step_backward``, on contiguous tensors of one kind of float; they check
   shapes, and return the new tensors, of which ``step_backward`` may ask for some.
2. ``step_shapes`` and ``step_backward_shapes``, the same without numbers, for graphs.
3. ``Step``, what autograd does, and ``differentiable_step``, which calls it.
4. Schemas of both, and three blocks that register 1 for a CPU, 2 for Meta and 3 for Autograd.
5. A Python file with ``serves``, which settles who is served, and a call. Who calls it keeps what
   it did in Python, for all others.
6. Tests against that Python, marked ``operators``; without the mark, tests leave operators out.
"""
