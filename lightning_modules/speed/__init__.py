"""Fast training steps: compiled loops, CUDA graphs, late gradients and C++ operators."""
