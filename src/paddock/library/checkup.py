"""What `paddock doctor` and the dashboard look at to say how this installation is.

A check is a function of the patient; a new one joins by standing in `CHECKS`.
"""

import asyncio
import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from paddock.errors import PaddockError
from paddock.units import human_bytes
from paddock.version import VERSION
from paddock.vocabulary import ModelInfo, Origin

if TYPE_CHECKING:
    from paddock.config.schema import Config
    from paddock.library.machine import Machine
    from paddock.runner.mlx.blas import Blas
    from paddock.store.space import FreeSpace

DISK_BYTES_MIN: Final = 5_000_000_000  # below that hardly any model fits
_ENGINES: Final = ("mlx", "mlx-lm")
_HUB_WAIT_S: Final = 5.0
_FIND_BLAS: Final = (
    "import dataclasses, json; from paddock.runner.mlx.blas import load_blas; found = load_blas(); "
    "print(json.dumps(found and dataclasses.asdict(found)))"
)


class Outcome(StrEnum):
    OK = "ok"
    NOTE = "note"  # works, but worth knowing
    PROBLEM = "problem"  # something will not work


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `remedy` says what to do about it."""

    check: str
    outcome: Outcome
    message: str
    remedy: str | None = None


class Downloads(Protocol):
    """Those of a library."""

    async def list(self, *, unfinished: bool = False) -> Sequence[Any]: ...


class Shelves(Protocol):
    """What is looked at of a library, wherever that is."""

    @property
    def pulls(self) -> Downloads: ...

    async def list(self) -> Sequence[ModelInfo]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What checks look at; settings that cannot be read are a finding, and later checks do without them."""

    config: "Config | PaddockError"
    free_space: "FreeSpace"
    machine: "Callable[[], Machine]"
    blas: "Callable[[], Blas | None]"
    library: Callable[[], AbstractAsyncContextManager[Shelves]]


Check = Callable[[Patient], Awaitable[Sequence[Finding]]]


def _ok(check: str, message: str) -> Finding:
    return Finding(check=check, outcome=Outcome.OK, message=message)


def _note(check: str, message: str, remedy: str) -> Finding:
    return Finding(check=check, outcome=Outcome.NOTE, message=message, remedy=remedy)


def _problem(check: str, error: PaddockError) -> Finding:
    return Finding(check=check, outcome=Outcome.PROBLEM, message=error.message, remedy=error.hint)


async def versions(patient: Patient) -> list[Finding]:
    """Ours, Python's, and those of what runs models."""
    findings = [_ok("versions", f"paddock {VERSION}, Python {platform.python_version()}, {platform.platform()}")]
    found = {name: told for name in _ENGINES if (told := _installed(name))}
    if len(found) == len(_ENGINES):
        findings.append(_ok("engine", ", ".join(f"{name} {told}" for name, told in found.items())))
    else:
        missing = ", ".join(name for name in _ENGINES if name not in found)
        findings.append(
            _note(
                "engine",
                f"Not installed: {missing}. Models can be kept here, but not run.",
                "Install `paddock[cpu]`, or `paddock[cuda]` for an NVIDIA GPU.",
            )
        )
    return findings


def blas_apart() -> "Blas | None":
    """What `load_blas` finds, in a process of its own: one that goes on must not be left with its threads and memory."""
    from paddock.runner.mlx.blas import Blas

    told = subprocess.run([sys.executable, "-c", _FIND_BLAS], capture_output=True, text=True, timeout=60, check=False)
    found = json.loads(told.stdout or "null") if told.returncode == 0 else None
    return Blas(**found) if found is not None else None


def _installed(package: str) -> str | None:
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return None


async def settings(patient: Patient) -> list[Finding]:
    config = patient.config
    if isinstance(config, PaddockError):
        return [_problem("settings", config)]
    files = [path for path in (config.paths.workspace_file, config.paths.config_file) if path.exists()]
    where = ", ".join(str(path) for path in files) or "defaults and environment only"
    notes = [_note("settings", warning, "See `paddock config show --source`.") for warning in config.warnings]
    return notes or [_ok("settings", where)]


async def folders(patient: Patient) -> list[Finding]:
    """Everything that we write to can be written to."""
    config = patient.config
    if isinstance(config, PaddockError):
        return []
    paths = config.paths
    wanted = {
        "config": paths.config,
        "data": paths.data,
        "state": paths.state,
        "cache": paths.cache,
        "Hugging Face": paths.huggingface_cache,
    }
    bad = [_unwritable(name, place) for name, place in wanted.items() if not _may_write(place)]
    return bad or [_ok("folders", f"{paths.data} and {_several(len(wanted) - 1, 'other')} can be written to")]


def _may_write(path: Path) -> bool:
    """Without writing: the folder, or the nearest one above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def _unwritable(name: str, path: Path) -> Finding:
    return Finding(
        check="folders",
        outcome=Outcome.PROBLEM,
        message=f"The {name} folder {path} cannot be written to.",
        remedy="Change its permissions, or set `PADDOCK_HOME` (for Hugging Face `HF_HOME`) to another folder.",
    )


async def disk(patient: Patient) -> list[Finding]:
    config = patient.config
    if isinstance(config, PaddockError):
        return []
    try:
        free = patient.free_space(config.paths.huggingface_cache)
    except PaddockError as error:
        return [_problem("disk", error)]
    message = f"{human_bytes(free)} free for models in {config.paths.huggingface_cache}"
    if free < DISK_BYTES_MIN:
        return [_note("disk", message, "`paddock df` shows what is big, `paddock prune` cleans up.")]
    return [_ok("disk", message)]


async def machine(patient: Patient) -> list[Finding]:
    config = patient.config
    found = await asyncio.to_thread(patient.machine)
    text = f"{found.device}, {human_bytes(found.memory_bytes)} memory, {human_bytes(found.available_bytes)} free"
    if isinstance(config, PaddockError):
        return [_ok("device", text)]
    budget = config.pool.memory.of(found.memory_bytes)
    return [_ok("device", f"{text}; models may fill {human_bytes(budget)} (`pool.memory`)")]


async def blas(patient: Patient) -> list[Finding]:
    """What does the products on a Linux CPU: MLX's own is thirty times slower than a real one."""
    if not _installed("mlx"):
        return []
    found = await asyncio.to_thread(patient.blas)
    if found is None:
        return []
    if found.remedy is not None:
        return [_note("blas", "MLX is left with its own slow products on this CPU", found.remedy)]
    return [_ok("blas", f"{found} from {found.path}")]


async def library(patient: Patient) -> list[Finding]:
    """The database opens, and what is found on this disk."""
    if isinstance(patient.config, PaddockError):
        return []
    try:
        async with patient.library() as opened:
            models = await opened.list()
            unfinished = await opened.pulls.list(unfinished=True)
    except PaddockError as error:
        return [_problem("library", error)]
    origins = Counter(model.origin for model in models)
    words = {Origin.PULLED: "pulled", Origin.ADOPTED: "of other tools", Origin.REGISTERED: "registered"}
    told = [f"{origins[origin]} {word}" for origin, word in words.items() if origins[origin]]
    told.append(f"{origins[Origin.BUILTIN]} built in")
    findings = [_ok("library", f"{_several(len(models), 'model')}: {', '.join(told)}")]
    if unfinished:
        findings.append(
            _note(
                "downloads",
                f"{_several(len(unfinished), 'download')} not complete.",
                "`paddock pulls` lists them; `paddock pulls resume NAME` goes on, `cancel` deletes the parts.",
            )
        )
    return findings


async def stores(patient: Patient) -> list[Finding]:
    """Where other tools keep models on this machine."""
    from paddock.library.adopt.places import places_in

    config = patient.config
    if isinstance(config, PaddockError):
        return []
    places = places_in(config.paths)
    tools = {
        "Hugging Face": places.huggingface,
        "Ollama": places.ollama,
        "LM Studio": places.lmstudio,
        "llama.cpp": places.llamacpp,
    }
    found = [f"{tool} ({path})" for tool, paths in tools.items() for path in paths if path.is_dir()]
    return [_ok("stores", ", ".join(found) or "no other tool keeps models here")]


async def airgap(patient: Patient) -> list[Finding]:
    """Whether Paddock keeps to this machine, and whether what should hold it does."""
    from paddock.airgap.airgap import refusals_at
    from paddock.airgap.status import read_status

    config = patient.config
    if isinstance(config, PaddockError) or not config.airgap:
        return []
    status = await asyncio.to_thread(read_status, refusals_at(config.paths.airgap_ledger), airgap=True)
    told = f"kept to this machine ({config.source_of('airgap')})"
    if status.refusals:
        told += f"; {_several(len(status.refusals), 'destination')} turned down lately, see `paddock airgap`"
    if not status.kernel:
        return [
            _note(
                "airgap",
                f"{told}; code that is not Python's is not held on this system",
                "On Linux with seccomp the kernel holds it. Elsewhere use the system's firewall, too.",
            )
        ]
    return [_ok("airgap", told)]


async def hub(patient: Patient) -> list[Finding]:
    """Whether Hugging Face answers, or whoever stands in for it."""
    config = patient.config
    if isinstance(config, PaddockError):
        return []
    if config.airgap:
        return [
            _note("hub", "Kept to this machine; no hub is asked.", "Start without `--airgap`, or set `airgap: false`.")
        ]
    if config.hub.offline:
        return [_note("hub", "Offline by choice; no hub is asked.", "Unset `HF_HUB_OFFLINE` or `hub.offline`.")]
    endpoint = config.hub.endpoint.rstrip("/")
    try:
        await asyncio.to_thread(_ask, endpoint)
    except PaddockError as error:
        return [_note("hub", error.message, "Models that are here work all the same. Check the network or a proxy.")]
    token = "with a token" if config.hub.token else "without a token: gated models want one"
    return [_ok("hub", f"{endpoint} answers, {token}")]


def _ask(endpoint: str) -> None:
    from paddock.hub.http import HttpClient, HttpLimits

    limits = HttpLimits(connect_timeout_s=_HUB_WAIT_S, read_timeout_s=_HUB_WAIT_S, attempts_max=1)
    with HttpClient(limits=limits) as client:
        client.get(f"{endpoint}/api/models?limit=1")


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


async def examine(patient: Patient) -> list[Finding]:
    """Everything that was found, in the order of the checks."""
    return [finding for check in CHECKS for finding in await check(patient)]


CHECKS: Final[tuple[Check, ...]] = (versions, settings, folders, disk, machine, blas, library, stores, hub, airgap)
