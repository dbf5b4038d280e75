"""Functions from Gaussian processes with drifting kernels, and their Bayes-optimal prediction."""
