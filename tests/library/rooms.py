"""A machine for a library under test: its folders, its hub, its clock, its disk. Only what lies outside is made up.

    async with site.open() as library:
        await library.pull("org/tiny")

`Site.open` opens the real library of `paddock.app` on the site's folders. Opened again, it is the next process: the rows and
files are there, what was in memory is not.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paddock.app import World, open_library
from paddock.config.schema import Config
from paddock.config.sources import load_config
from paddock.library.library import Library
from paddock.library.machine import Machine
from paddock.vocabulary import ProgressEvent
from tests.fakes.huggingface import HuggingFaceHub

NOBODY = "http://127.0.0.1:9"  # a port where nothing listens: refuses at once
GIB = 1 << 30


@dataclass
class Clock:
    """Time that passes when a test says so; both the seconds of a stopwatch and the time of day."""

    seconds: float = 1000.0
    began: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.seconds - 1000.0)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Site:
    """Everything around one library. Change any field before `open`, `free_bytes` and `users` also while it is open."""

    folder: Path
    hub: HuggingFaceHub
    builtin_models: Path
    clock: Clock = field(default_factory=Clock)
    machine: Machine = field(default_factory=lambda: Machine("cpu", 64 * GIB, 64 * GIB))
    free_bytes: int = 1 << 40
    users: dict[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def hub_cache(self) -> Path:
        return self.folder / "huggingface" / "hub"

    @property
    def home(self) -> Path:
        return self.folder / "paddock"

    @property
    def store(self) -> Path:
        """Paddock's own store, for what does not go to the Hugging Face cache."""
        return self.home / "data" / "store"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process on this machine."""
        return {
            "HOME": str(self.folder / "home"),
            "PADDOCK_HOME": str(self.home),
            "HF_HOME": str(self.folder / "huggingface"),
            "HF_ENDPOINT": self.hub.url,
            "OLLAMA_MODELS": str(self.folder / "ollama"),
            "LLAMA_CACHE": str(self.folder / "llama.cpp"),
            "PADDOCK_HUB__KAGGLE_ENDPOINT": NOBODY,
            "PADDOCK_HUB__OLLAMA_REGISTRY": NOBODY,
            "PADDOCK_HUB__RETRIES": "1",
            "PADDOCK_VAULT__MASTER_KEY": "file",  # never the keyring of whoever runs the tests
            "PADDOCK_HUB__STALL_TIMEOUT_S": "2",
            **self.environment,
        }

    @property
    def config(self) -> Config:
        return load_config(environment=self.variables, workspace=self.folder)

    @property
    def world(self) -> World:
        return World(
            clock=self.clock,
            now=self.clock.now,
            free_space=lambda _: self.free_bytes,
            machine=lambda: self.machine,
            builtin_models=self.builtin_models,
            users_of=lambda name: self.users.get(name, ()),
        )

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Library]:
        """The library of this machine, as a process that starts now sees it."""
        async with open_library(self.config, self.world) as library:
            yield library

    def leftovers(self) -> list[Path]:
        """Files that only a pull under way may have: parts, bindings, temporary links. Locks may stay."""
        roots = (self.hub_cache, self.store)
        found = [path for root in roots for path in root.rglob("*") if path.is_file() or path.is_symlink()]
        return [path for path in found if path.name.endswith(".partial") or ".paddock-" in path.name]


@dataclass
class Events:
    """Collects the progress that a pull reports."""

    seen: list[ProgressEvent] = field(default_factory=list[ProgressEvent])

    def __call__(self, event: ProgressEvent) -> None:
        self.seen.append(event)

    @property
    def last(self) -> ProgressEvent:
        return self.seen[-1]


def no_bundle(folder: Path) -> Path:
    """A package without built-in models, where a test counts models or wants to be fast."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.toml").write_text('version = 1\nname = "builtin"\ndescription = "Nothing"\n')
    return folder
