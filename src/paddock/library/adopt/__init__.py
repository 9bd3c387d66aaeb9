"""Models that other tools already keep on this disk, found in place.

Reads folders and small manifests; opens no weight file, writes nothing, follows no link out of a tool's own store.
Is handed the folders to look into. Blocking: the library calls it from a worker thread.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from paddock.library.adopt.found import (
    AdoptedFrom,
    FileRole,
    Findings,
    FoundFile,
    FoundModel,
    Note,
)
from paddock.library.adopt.huggingface import find_in_huggingface_cache
from paddock.library.adopt.llamacpp import find_in_llamacpp_cache
from paddock.library.adopt.lmstudio import find_in_lmstudio_models
from paddock.library.adopt.ollama import find_in_ollama_store
from paddock.library.adopt.places import Places, places_in

__all__ = [
    "AdoptedFrom",
    "FileRole",
    "Findings",
    "FoundFile",
    "FoundModel",
    "Note",
    "Places",
    "find_models",
    "places_in",
]


def find_models(places: Places) -> Findings:
    """Every complete model of every tool in `places`, and a note for each entry that was passed over.

    Never raises for what it meets on the disk: a folder that is missing holds no models, one that cannot be read is a
    note. A folder named twice (llama.cpp now keeps its models in the Hugging Face cache) is read once.
    """
    notes: list[Note] = []
    models: list[FoundModel] = []
    seen: set[Path] = set()
    for tool, folder, find in _searches(places):
        try:
            real = folder.expanduser().resolve()
            if real in seen or not real.is_dir():
                continue
            seen.add(real)
            models.extend(find(real, notes))
        except (OSError, RuntimeError) as error:  # RuntimeError: links that go round in circles
            notes.append(Note(tool=tool, path=folder, reason=f"cannot be read: {error}"))
    return Findings(models=tuple(models), notes=tuple(notes))


_Search = Callable[[Path, list[Note]], Iterator[FoundModel]]


def _searches(places: Places) -> Iterator[tuple[AdoptedFrom, Path, _Search]]:
    for folder in places.huggingface:
        yield AdoptedFrom.HUGGINGFACE, folder, find_in_huggingface_cache
    for folder in places.ollama:
        yield AdoptedFrom.OLLAMA, folder, find_in_ollama_store
    for folder in places.lmstudio:
        yield AdoptedFrom.LMSTUDIO, folder, find_in_lmstudio_models
    for folder in places.llamacpp:
        yield AdoptedFrom.LLAMACPP, folder, find_in_llamacpp_cache
