"""Functions drawn from Gaussian processes whose kernels drift, and what can be known of them."""
