"""Models that turn texts into vectors, or score pairs of them, inside the runner's process.

`worker` answers requests; `batching` says which inputs go together next; `reader` turns texts into tokens; `folder` is what a
model's files say about pooling, prompts and lengths. An `Encoder` computes: `mlx_encoder` through mlx-embeddings' model code,
`onnx_encoder` through ONNX Runtime.
"""
