"""Episodes, samplers and loaders that all benchmarks share, checks of their settings, and files."""
