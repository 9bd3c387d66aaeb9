"""From a folder to a model that embeds or scores."""

from dataclasses import dataclass
from pathlib import Path

from paddock.runner.embedding.encoder import Encoder
from paddock.runner.embedding.folder import EmbeddingFolder
from paddock.runner.embedding.reader import Reader, load_tokenizer
from paddock.runner.embedding.worker import EmbeddingWorker
from paddock.runner.executor import LoadedModel
from paddock.runner.mlx.blas import load_blas
from paddock.runner.opening import LoadOptions
from paddock.runner.worker import Wires


@dataclass(frozen=True, slots=True)
class OpenedEmbedder:
    """Implements OpenedWorker."""

    encoder: Encoder
    folder: EmbeddingFolder
    reader: Reader
    options: LoadOptions
    scores: bool

    @property
    def model(self) -> LoadedModel:
        return self.encoder.model

    def worker(self, wires: Wires) -> EmbeddingWorker:
        return EmbeddingWorker(
            wires,
            self.options,
            encoder=self.encoder,
            reader=self.reader,
            folder=self.folder,
            scores=self.scores,
        )


def open_mlx(options: LoadOptions) -> OpenedEmbedder:
    """Open an MLX model in the thread that will own the device. Raises what loading raises."""
    threads = options.options.get("threads")
    blas = load_blas(threads=threads if isinstance(threads, int) and threads > 0 else None)
    # Imported only now: MLX takes the products of the BLAS that it finds loaded, once, when it is imported.
    from paddock.runner.embedding.mlx_encoder import open_encoder

    encoder, folder, tokens_max = open_encoder(options, blas=str(blas) if blas is not None else None)
    return _opened(encoder, folder, options, tokens_max, Path(options.path), scores=encoder.scores)


def open_onnx(options: LoadOptions) -> OpenedEmbedder:
    """Open a model for ONNX Runtime. Raises what loading raises."""
    from paddock.runner.embedding.onnx_encoder import open_encoder

    encoder, folder, tokens_max = open_encoder(options)
    path = Path(options.path)
    return _opened(encoder, folder, options, tokens_max, path.parent if path.is_file() else path, scores=False)


def _opened(
    encoder: Encoder, folder: EmbeddingFolder, options: LoadOptions, tokens_max: int, path: Path, *, scores: bool
) -> OpenedEmbedder:
    reader = Reader(
        load_tokenizer(path, options.name),
        folder,
        name=options.name,
        tokens_max=tokens_max,
        vocabulary=encoder.model.vocabulary,
    )
    return OpenedEmbedder(encoder, folder, reader, options, scores)
