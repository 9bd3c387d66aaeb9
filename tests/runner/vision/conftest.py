"""The BLAS first: MLX takes what is there when it is imported, and everything below imports MLX."""

from paddock.runner.mlx.blas import load_blas

load_blas()
