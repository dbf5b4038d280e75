"""Means to fast training steps: compiled loops, CUDA graphs, late gradients, C++ operators."""
