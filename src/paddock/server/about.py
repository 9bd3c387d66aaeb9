"""What runs here: versions, places, and whose work it is made of."""

import platform
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from paddock.config.schema import Config
from paddock.library.machine import Machine

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_LICENSE_CHARACTERS_MAX: Final = 80
_CLASSIFIER: Final = "License :: OSI Approved :: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A package that Paddock uses, as it is installed."""

    name: str
    version: str
    license: str  # as its maker calls it; empty where the package does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder or file, and what is in it."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """This server and the machine that it runs on."""

    version: str
    license: str
    python: str
    platform: str
    device: str
    memory_bytes: int
    available_bytes: int
    cores: int
    database: str  # which kind
    places: tuple[Place, ...]
    parts: tuple[Part, ...]


def about(config: Config, machine: Machine, *, version: str) -> About:
    """Reads what is installed the first time, which takes a moment: call it in a thread."""
    paths = config.paths
    places = {
        "Settings": paths.config_file,
        "Data": paths.data,
        "State and logs": paths.state,
        "Cache": paths.cache,
        "Models from Hugging Face": paths.huggingface_cache,
    }
    return About(
        version=version,
        license="Apache-2.0",
        python=platform.python_version(),
        platform=platform.platform(),
        device=machine.device,
        memory_bytes=machine.memory_bytes,
        available_bytes=machine.available_bytes,
        cores=machine.cores,
        database="PostgreSQL" if config.database.url.startswith("postgres") else "SQLite",
        places=tuple(Place(name=name, path=path) for name, path in places.items()),
        parts=parts(),
    )


@cache
def parts() -> tuple[Part, ...]:
    """Every installed package that ours needs, directly or through another one."""
    found: dict[str, Part] = {}
    waiting = ["paddock"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:  # an extra that is not wanted here, or for another system
            continue
        found[name] = Part(name=package.name, version=package.version, license=_license(package))
        needed = (_NAME.match(requirement) for requirement in package.requires or ())
        waiting += [re.sub(r"[-_.]+", "-", match[0]).lower() for match in needed if match is not None]
    return tuple(part for name, part in sorted(found.items()) if name != "paddock")


def _license(package: Distribution) -> str:
    def told(name: str) -> list[str]:
        return [str(line).strip() for line in package.metadata.get_all(name) or ()]

    for line in (*told("License-Expression"), *told("License")):
        first = line.partition("\n")[0]
        if first and len(first) <= _LICENSE_CHARACTERS_MAX:
            return first
    return ", ".join(line.removeprefix(_CLASSIFIER) for line in told("Classifier") if line.startswith(_CLASSIFIER))
