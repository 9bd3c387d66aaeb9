"""Runs the program within the test's own process: the same words, the same exit codes, streams that can be read.

done = cli("plan", "org/tiny", "--json")
assert done.code == 0
assert done.document["name"] == "org/tiny"
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from paddock.app import World
from paddock.cli.invocation import Invocation
from paddock.cli.main import run
from paddock.errors import NetworkError
from tests.fakes.faults import Drop, Unavailable
from tests.library import models
from tests.library.rooms import Site


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Done:
    """What one run came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` wrote: exactly one document."""
        return json.loads(self.out)

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The lines of stderr with `--json`."""
        return [json.loads(line) for line in self.err.splitlines()]

    @property
    def error(self) -> dict[str, str]:
        return self.reports[-1]["error"]


@dataclass
class Cli:
    """The program on one machine. `terminal` lets its output believe that somebody looks."""

    site: Site
    columns: int = 100
    terminal: bool = False
    world: World | None = None

    def __call__(self, *words: str, stdin: str = "", environment: dict[str, str] | None = None) -> Done:
        invocation = self.invocation(words, stdin)
        if environment:
            invocation = replace(invocation, environment={**invocation.environment, **environment})
        code = run(invocation)
        assert isinstance(invocation.stdout, io.StringIO)
        assert isinstance(invocation.stderr, io.StringIO)
        return Done(code, invocation.stdout.getvalue(), invocation.stderr.getvalue())

    def break_off(self, name: str) -> None:
        """Add a model to the hub and begin to pull it: its first kilobytes arrive, then the hub is gone."""
        hub = self.site.hub
        hub.add_repo(name, models.mlx(kib=64, seed=len(name)))
        weights = f"{name}/model.safetensors"
        assert self("plan", name).code == 0
        headers = len(hub.requests(weights, at="storage"))  # a pull reads as much before it moves anything
        hub.fail(weights, Drop(after=8192), at="storage", skip=headers)
        hub.fail(weights, Unavailable(), at="storage", skip=headers + 1, times=None)
        assert self("pull", name, environment={"PADDOCK_HUB__RETRIES": "0"}).code == NetworkError.exit_code
        hub.heal()

    def invocation(self, words: Sequence[str], stdin: str = "") -> Invocation:
        stream = Terminal if self.terminal else io.StringIO
        return Invocation(
            arguments=words,
            environment={**self.site.variables, "COLUMNS": str(self.columns), "TERM": "xterm-256color"},
            workspace=self.site.folder,
            stdin=io.StringIO(stdin),
            stdout=stream(),
            stderr=stream(),
            now=self.site.clock.now,
            world=self.world or self.site.world,
        )
