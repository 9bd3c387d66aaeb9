"""From a folder to a model's weights and tokenizer, and to its sight where it has one."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from paddock.errors import Corrupt, Incompatible
from paddock.runner.features import FeatureStore, feature_room
from paddock.runner.mlx.folder import read_folder
from paddock.runner.mlx.loading import Weights, load_weights
from paddock.runner.mlx.tokenizer import Blindness, MlxTokenizer, load_tokenizer, load_wrapper
from paddock.runner.mlx.vision import seam
from paddock.runner.mlx.vision.architectures import ARCHITECTURES, Architecture, package_of, place_token_of
from paddock.runner.mlx.vision.column import Pictures, add_dense
from paddock.runner.mlx.vision.features import Features
from paddock.runner.mlx.vision.processing import PictureReader
from paddock.runner.mlx.vision.sight import MlxSight
from paddock.runner.mlx.vision.tokenizer import SeeingTokenizer, templates_beside
from paddock.runner.opening import LoadOptions, Sight
from paddock.vocabulary import ModelKind

_EXTRA: Final = Blindness(
    "the library that it sees with is not installed",
    "Install it: `pip install 'paddock[vision]'`, and load the model again.",
)
_TOWERS: Final = ("vision", "visual")  # in the names of weights; conversions for mlx-lm leave them out
_SEEN: Final = f"Send text only, or ask a model of one of these: {', '.join(sorted(ARCHITECTURES))}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a model that answers is made of."""

    weights: Weights
    tokenizer: MlxTokenizer
    sight: Sight | None = None
    pictures: Pictures | None = None


def open_parts(options: LoadOptions) -> Parts:
    """Raises what loading raises.

    A model that sees and cannot be opened with mlx-vlm is opened as a text model if mlx-lm knows it: a model is never in
    two minds about who takes its pictures.
    """
    path = Path(options.path)
    if options.kind is not ModelKind.VISION:
        return _text_parts(options, Blindness())
    if not seam.is_installed():
        try:
            return _text_parts(options, _EXTRA)
        except Incompatible as error:
            raise Incompatible(f"`{options.name}` is a model that sees; {_EXTRA.why}.", hint=_EXTRA.hint) from error
    files = read_folder(path, options.name)
    towers = any(word in name for name in files.tensors for word in _TOWERS)
    if files.architecture not in ARCHITECTURES:
        blindness = Blindness(f"Paddock does not see with models of architecture `{files.architecture}` yet", _SEEN)
    elif towers:
        return _seeing_parts(options)
    else:
        blindness = Blindness("its files have no weights to see with", "Take a conversion that kept them.")
    with suppress(Incompatible, Corrupt):  # words are answered by whichever library has the faster way
        return _text_parts(options, blindness)
    return _seeing_parts(options)


def _text_parts(options: LoadOptions, blindness: Blindness) -> Parts:
    path = Path(options.path)
    weights = load_weights(path, options.name, memory_bytes_max=options.memory_bytes_max)
    folder = weights.folder
    return Parts(
        weights=weights,
        tokenizer=load_tokenizer(
            path, options.name, folder.end_token_ids, architecture=folder.architecture, blindness=blindness
        ),
    )


def _seeing_parts(options: LoadOptions) -> Parts:
    path = Path(options.path)
    weights = load_weights(
        path,
        options.name,
        memory_bytes_max=options.memory_bytes_max,
        opener=seam.open_lazily,
        language_of=lambda model: getattr(model, "language_model", model),
    )
    folder = weights.folder
    wrapper = load_wrapper(path, options.name, folder.end_token_ids)
    found = _eyes(path, weights, wrapper)
    if isinstance(found, Blindness):
        tokenizer = MlxTokenizer(wrapper, options.name, architecture=folder.architecture, blindness=found)
        return Parts(weights=weights, tokenizer=tokenizer)
    tokenizer = SeeingTokenizer(
        wrapper,
        options.name,
        architecture=folder.architecture,
        reader=found.reader,
        templates=tuple(templates_beside(path, found.processor)),
    )
    store = FeatureStore[Features](feature_room(weights.limit_bytes))
    sight = MlxSight(
        weights.whole,
        found.architecture,
        tokenizer=tokenizer,
        reader=found.reader,
        store=store,
        context_window=min(folder.context_window, options.context_window or folder.context_window),
    )
    backbone = getattr(weights.model, "model", weights.model)
    if found.architecture.deep:
        add_dense(backbone)
    pictures = Pictures(store, backbone.embed_tokens, turns=sight.turns if found.architecture.turns else None)
    return Parts(weights=weights, tokenizer=tokenizer, sight=sight, pictures=pictures)


@dataclass(frozen=True, slots=True)
class _Eyes:
    architecture: Architecture
    processor: Any
    reader: PictureReader


def _eyes(path: Path, weights: Weights, wrapper: Any) -> _Eyes | Blindness:
    """What it takes to read pictures for a model, or why that cannot be done."""
    package = package_of(weights.whole)
    architecture = ARCHITECTURES.get(package)
    if architecture is None:
        return Blindness(f"Paddock does not see with models of architecture `{package}` yet", _SEEN)
    try:
        processor = seam.read_processor(path)
    except Exception as error:  # noqa: BLE001  (a stranger's files in another project's hands; the model can still speak)
        return Blindness(f"its processor cannot be read ({_in_short(error)})")
    place_token = place_token_of(weights.whole)
    mark = getattr(processor, architecture.mark, None)
    known: Mapping[str, int] = wrapper.get_vocab()
    if not isinstance(mark, str) or mark not in known:
        return Blindness("its tokenizer has no token for a picture")
    if place_token is None or place_token not in known.values():
        return Blindness("its config.json names no token for a picture")
    return _Eyes(architecture, processor, PictureReader(processor, mark=mark, place_token=place_token))


def _in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
