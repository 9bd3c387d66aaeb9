"""The child process of one loaded model: it owns the device, the weights and the KV cache, and is ended to unload them.

`channel` and `messages` are the wire to the server process; `loop` turns requests into steps; `executor` is the seam to the
device, `mlx/` the only room that imports MLX. Nothing here runs in the server process but `channel` and `messages`.
"""
