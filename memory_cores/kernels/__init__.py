"""Steps that are one C++ operator each on a CPU, equal to the cores' Python but for rounding.

``building.build`` builds them all, ``lstm.py`` and ``dnc.py`` call them. Gradients are in C++, too:
a call of autograd's from Python takes as long as a whole step does.
"""
