"""How episodes are generated, divided among processes and loaded: the same for all benchmarks."""
