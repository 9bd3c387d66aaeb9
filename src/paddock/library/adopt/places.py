"""Where the tools keep their models."""

from dataclasses import dataclass
from pathlib import Path

from paddock.config.paths import Paths

_POINTER_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Folders to search. None of them needs to exist."""

    huggingface: tuple[Path, ...] = ()
    ollama: tuple[Path, ...] = ()
    lmstudio: tuple[Path, ...] = ()
    llamacpp: tuple[Path, ...] = ()


def places_in(paths: Paths) -> Places:
    """The folders that the tools themselves would use, given this machine's paths."""
    return Places(
        huggingface=(paths.huggingface_cache,),
        ollama=paths.ollama_folders,
        lmstudio=_where_lmstudio_moved(paths) + paths.lmstudio_folders,
        llamacpp=paths.llamacpp_folders,
    )


def _where_lmstudio_moved(paths: Paths) -> tuple[Path, ...]:
    """LM Studio writes the folder that its owner moved it to into a file beside the usual one."""
    for folder in paths.lmstudio_folders:
        try:
            with (folder.parent.parent / ".lmstudio-home-pointer").open(encoding="utf-8") as file:
                moved_to = Path(file.read(_POINTER_BYTES_MAX).strip())
        except (OSError, ValueError):  # no pointer, or one that is no text
            continue
        if moved_to.is_absolute():
            return (moved_to / "models",)
    return ()
