"""What makes training steps fast: compiled loops, CUDA graphs, late gradients, C++ operators."""
