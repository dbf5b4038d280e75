"""Parts of benchmarks of functions that are known at a few points, and their contract."""
