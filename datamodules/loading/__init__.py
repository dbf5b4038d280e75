"""Episodes, samplers and loaders that all benchmarks share, and checks of their settings."""
