"""Models that run with MLX: loading, the paged and the solo lane, sampling. The only room that imports MLX.

`opening.open_model` is the way in. It sees to the BLAS before anything here imports MLX, so `opening` and `blas` themselves
import nothing of it when they are loaded.
"""
