"""Which files of a revision a pull takes. Pure: a listing in, files out.

A repository often holds the same weights several times: pickles beside safetensors, an `onnx/` folder, a consolidated
copy, ten quantizations in GGUF. A pull takes one set of weights that runs here, or the one that was named after the colon,
and the small files that go with it. It never takes pickles.

    org/name                safetensors, else GGUF in Q4_K_M or what is nearest, else Core ML, ONNX, TensorFlow Lite
    org/name:Q4_K_M         that quantization, all its parts, and the projector for pictures
    org/name:file.gguf      that file (and its other parts)
    org/name:folder         what lies in that folder
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz import process

from paddock.catalog.evidence.hub import format_of_library
from paddock.errors import Incompatible, NotFound, UsageError
from paddock.hub import weight_files
from paddock.hub.gguf_files import Choice, best, choices, is_gguf, projector_for
from paddock.hub.source import Listing, RemoteFile
from paddock.vocabulary import ModelFormat, SourceKind

_SHOWN_MAX = 12


@dataclass(frozen=True, slots=True)
class Selection:
    """What a pull fetches."""

    files: tuple[RemoteFile, ...]
    selector: str | None = None  # the quantization, file or folder that was chosen where there was a choice

    @property
    def size(self) -> int:
        """The exact bytes, where the source told every size."""
        return sum(file.size or 0 for file in self.files)

    @property
    def size_known(self) -> bool:
        return all(file.size is not None for file in self.files)


def select(listing: Listing) -> Selection:
    """The files that `listing.reference` means. Sources without choice (a URL, Ollama, a folder, an archive) give all
    they list.

    Raises NotFound for a selector that fits nothing, UsageError when only its owner knows which of several models is
    meant, Incompatible when there are only weights that must not be loaded.
    """
    if listing.source not in (SourceKind.HUGGINGFACE, SourceKind.KAGGLE) or "archive" in listing.metadata:
        return Selection(listing.files)
    selector = listing.reference.selector
    return _named(listing, selector) if selector else _unnamed(listing)


def selectors(listing: Listing) -> tuple[str, ...]:
    """Everything that may be written after the colon, for messages and completion."""
    quantizations = [choice.label or choice.files[0].path for choice in choices(listing.files)]
    precisions = [found for file in listing.files if (found := weight_files.onnx_variant(file.path))]
    packages = [found for file in listing.files if (found := weight_files.core_ml_package(file.path))]
    return tuple(dict.fromkeys([*quantizations, *weight_files.model_folders(listing.files), *precisions, *packages]))


def _unnamed(listing: Listing) -> Selection:
    """The best of what there is."""
    files = listing.files
    folders = weight_files.model_folders(files)
    if len(folders) > 1:
        raise UsageError(
            f"`{listing.name}` holds several models: {_list(folders)}.",
            hint=f"Name one: `{listing.name}:{folders[0]}`.",
        )
    if weights := weight_files.safetensors(files):
        return Selection(weight_files.beside(weights, files))
    if ggufs := choices(files):
        return _gguf(best(ggufs), ggufs, listing)
    tflite = weight_files.tflite(files, plain=_is_tflite(listing))
    for found in (weight_files.core_ml(files), weight_files.onnx(files), tflite):
        if found:
            return Selection(weight_files.beside(found, files))
    if any(weight_files.is_pickled(file.path) for file in files):
        raise Incompatible(
            f"`{listing.name}` holds its weights only in formats that Paddock does not load, such as pickles.",
            hint=f"Look for safetensors, MLX or GGUF: `paddock search {listing.name.rpartition('/')[2]}`.",
        )
    raise NotFound(f"`{listing.name}` holds no model weights.", hint="Choose another repository: `paddock search`.")


def _named(listing: Listing, selector: str) -> Selection:
    """What was written after the colon: a file, a quantization, a precision, a package or a folder."""
    files = listing.files
    ggufs = choices(files)
    wanted = selector.lower().removesuffix("/")
    if found := [choice for choice in ggufs if any(file.path.lower() == wanted for file in choice.files)]:
        return _gguf(found[0], ggufs, listing)
    if found := [choice for choice in ggufs if (choice.label or "").lower() in (wanted, f"ud-{wanted}")]:
        exact = [choice for choice in found if (choice.label or "").lower() == wanted] or found
        if len(exact) > 1:
            raise UsageError(
                f"`{listing.name}` holds several files with `{selector}`: {_list([c.files[0].path for c in exact])}.",
                hint=f"Name the file: `{listing.name}:{exact[0].files[0].path}`.",
            )
        return _gguf(exact[0], ggufs, listing)
    if (
        chosen := _one_file(files, wanted, tflite=_is_tflite(listing))
        or _one_precision(files, wanted)
        or _one_folder(files, wanted)
    ):
        return Selection(weight_files.beside(chosen, files, below=wanted), selector)
    raise _unknown(listing, selector)


def _gguf(choice: Choice, among: Sequence[Choice], listing: Listing) -> Selection:
    """The choice, its projector, and the model's card."""
    cards = [file for file in listing.files if "/" not in file.path and weight_files.is_small(file.path)]
    taken = (*choice.files, *projector_for(choice, listing.files), *cards)
    same_label = [other for other in among if other.label == choice.label]
    if choice.label is not None and len(same_label) == 1:
        selector = choice.label
    else:
        selector = choice.files[0].path if len(among) > 1 else None
    return Selection(tuple(sorted(taken, key=lambda file: file.path)), selector)


def _is_tflite(listing: Listing) -> bool:
    """Whether the source says that its `.bin` files are TensorFlow Lite graphs, as those of Gemma are."""
    return format_of_library(listing.library_name, ()) is ModelFormat.TFLITE


def _one_file(files: Iterable[RemoteFile], wanted: str, *, tflite: bool) -> list[RemoteFile]:
    found = [file for file in files if file.path.lower() == wanted and not weight_files.is_small(file.path)]
    graph = tflite and wanted.endswith(weight_files.PLAIN_TFLITE)
    if any(weight_files.is_pickled(file.path) for file in found) and not graph:
        raise Incompatible(
            f"`{found[0].path}` is a format that Paddock does not load: such weights can run code.",
            hint="Look for safetensors, MLX or GGUF.",
        )
    if found and wanted.endswith(".onnx"):
        return [file for file in files if file.path.startswith(found[0].path)]
    return found


def _one_precision(files: Sequence[RemoteFile], wanted: str) -> list[RemoteFile]:
    return weight_files.onnx(files, variant=wanted)


def _one_folder(files: Sequence[RemoteFile], wanted: str) -> list[RemoteFile]:
    """Everything of a package; of another folder its weights, each once."""
    within = [file for file in files if file.path.lower().startswith(f"{wanted}/")]
    if not within:
        return []
    folder = within[0].path[: len(wanted)]
    if package := weight_files.core_ml(within, package=folder):
        return package
    weights = weight_files.safetensors(within, below=folder)
    if not weights and (ggufs := choices(within)):
        return list(best(ggufs).files)
    return weights or weight_files.onnx(within) or weight_files.core_ml(within) or weight_files.tflite(within)


def _unknown(listing: Listing, selector: str) -> NotFound:
    there = selectors(listing) or tuple(file.path for file in listing.files if is_gguf(file.path))
    near = [name for name, _, _ in process.extract(selector, there, limit=2, score_cutoff=60)]
    if not there:
        hint = f"It has nothing to choose from: leave out `:{selector}`."
    elif near:
        hint = f"Did you mean {' or '.join(f'`{name}`' for name in near)}? There are: {_list(there)}."
    else:
        hint = f"There are: {_list(there)}."
    return NotFound(f"`{listing.name}` has no `{selector}`.", hint=hint)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN_MAX])
    return f"{shown} and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else shown
