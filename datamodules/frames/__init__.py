"""Parts of benchmarks of frames: batches, scripts, datasets, and their contract."""
