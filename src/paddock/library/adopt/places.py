"""Where the tools keep their models, by their own rules and environment variables."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Folders to search. None of them needs to exist."""

    huggingface: tuple[Path, ...] = ()
    ollama: tuple[Path, ...] = ()
    lmstudio: tuple[Path, ...] = ()
    llamacpp: tuple[Path, ...] = ()


def standard_places(environment: Mapping[str, str], home: Path, *, platform: str = sys.platform) -> Places:
    """The folders that the tools themselves would use, given this environment and home folder."""
    caches = _folder(environment, "XDG_CACHE_HOME") or home / ".cache"
    return Places(
        huggingface=(_huggingface(environment, caches),),
        ollama=_ollama(environment, home, platform),
        lmstudio=_lmstudio(home),
        llamacpp=(_llamacpp(environment, home, caches, platform),),
    )


def _huggingface(environment: Mapping[str, str], caches: Path) -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if folder := _folder(environment, variable):
            return folder
    return (_folder(environment, "HF_HOME") or caches / "huggingface") / "hub"


def _ollama(environment: Mapping[str, str], home: Path, platform: str) -> tuple[Path, ...]:
    if folder := _folder(environment, "OLLAMA_MODELS"):
        return (folder,)
    places = [home / ".ollama" / "models"]
    if platform == "linux":  # the installer runs it as a user of its own
        places.append(Path("/usr/share/ollama/.ollama/models"))
    return tuple(places)


def _lmstudio(home: Path) -> tuple[Path, ...]:
    places = [home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"]
    pointer = home / ".lmstudio-home-pointer"
    try:
        with pointer.open(encoding="utf-8") as file:
            moved_to = Path(file.read(4096).strip())
    except (OSError, ValueError):  # no pointer, or one that is no text
        return tuple(places)
    if moved_to.is_absolute():
        places.insert(0, moved_to / "models")
    return tuple(places)


def _llamacpp(environment: Mapping[str, str], home: Path, caches: Path, platform: str) -> Path:
    if folder := _folder(environment, "LLAMA_CACHE"):
        return folder
    return (home / "Library" / "Caches" if platform == "darwin" else caches) / "llama.cpp"


def _folder(environment: Mapping[str, str], variable: str) -> Path | None:
    value = environment.get(variable, "").strip()
    return Path(value).expanduser() if value else None
