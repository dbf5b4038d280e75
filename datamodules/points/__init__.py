"""What benchmarks of functions known at a few points are made of."""
