"""Functions drawn from Gaussian processes whose kernels drift, and how well they can be known."""
