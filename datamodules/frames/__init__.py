"""What benchmarks of frames are made of."""
