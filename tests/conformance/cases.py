"""Runs the SDKs' cases against a server and says of each how it went."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from anthropic.resources.messages import DEPRECATED_MODELS

from tests.conformance.sources import Suite, sources_of
from tests.server.running import Process

HERE: Final = Path(__file__).parent
EXPECTED: Final = HERE / "expected.toml"
# Names of models that the cases use; in a library they are second names of one that is here.
TEXT_MODELS: Final = ("gpt-6-astra", "gpt-3.5-turbo-instruct", "claude-opus-5-5", "model", "model_id")
EMBEDDING_MODELS: Final = ("text-embedding-3-small",)


class How(StrEnum):
    AS_IT_IS = "as it is"
    WITHOUT = "without what is refused by name"
    FAILED = "failed"
    ELSEWHERE = "of an endpoint that is not here"
    CLIENT = "of the client alone"


@dataclass(frozen=True, slots=True)
class Case:
    """One case that was run."""

    suite: str
    name: str
    how: How
    left_out: tuple[tuple[str, str], ...]  # endpoint and field
    said: str  # by the server or the case, when it failed

    @property
    def file(self) -> str:
        return self.name.partition("::")[0].removeprefix("tests/api_resources/")


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known not to pass, and why."""

    refused: Sequence[Mapping[str, str]]
    fails: Sequence[Mapping[str, str]]

    @classmethod
    def read(cls, path: Path = EXPECTED) -> "Expected":
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(told["refused"], told["fails"])

    def reason(self, case: Case) -> str | None:
        """Why `case` is known to fail; None when it should pass."""
        known = self._known(case)
        return None if known is None else known["reason"]

    def is_the_client_s(self, case: Case) -> bool:
        """Whether `case` would fail with any server that does what its client asks for."""
        known = self._known(case)
        return known is not None and known.get("by") == "client"

    def _known(self, case: Case) -> Mapping[str, str] | None:
        # `[strict]` would be a set of letters in a pattern; entries write `(strict]`.
        return next(
            (
                each
                for each in self.fails
                if each["suite"] == case.suite and fnmatch(case.name.replace("[", "("), f"*{each['cases']}")
            ),
            None,
        )


def name_models(server: Process) -> None:
    """Give the built-in models the names that the cases use."""
    given = {"pony": (*TEXT_MODELS, *DEPRECATED_MODELS), "pony-embed": EMBEDDING_MODELS}
    for model, names in given.items():
        for name in names:
            answer = server.post("/api/copy", json={"source": model, "destination": name})
            assert answer.status_code == 200, answer.text


def run(suite: Suite, server: Process, expected: Expected, folder: Path, *, only: str = "") -> list[Case]:
    """Every case of `suite`, or those that `only` names. `folder` is for what is noted on the way."""
    source, journal = sources_of(suite), folder / f"{suite.name}.jsonl"
    environment = {
        **os.environ,
        "CONFORMANCE_SUITE": suite.name,
        "CONFORMANCE_JOURNAL": str(journal),
        "CONFORMANCE_REFUSALS": json.dumps([dict(each) for each in expected.refused]),
        "TEST_API_BASE_URL": server.address,
        "PYTHONPATH": os.pathsep.join([str(HERE / "plugin"), str(source)]),
    }
    plugins = ["-p", "sdk_fixtures", "-p", "no:xdist", "-p", "no:cacheprovider"]
    settings = ["-o", "addopts=", "-o", "filterwarnings=", "-o", "asyncio_mode=auto"]
    command = [sys.executable, "-m", "pytest", "--noconftest", "-q", "--tb=no", *plugins, *settings]
    files = [f"tests/api_resources/{file}" for file in suite.files]
    ended = subprocess.run(
        [*command, "-k", only, *files],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stdout[-2000:] + ended.stderr[-2000:]  # 1: some failed
    endpoints = _endpoints(server)
    lines = journal.read_text(encoding="utf-8").splitlines()
    return [_judged(suite.name, json.loads(line), endpoints) for line in lines]


def _judged(suite: str, told: Mapping[str, Any], endpoints: Sequence[tuple[str, "re.Pattern[str]"]]) -> Case:
    requests = told["requests"]
    passed = told["outcome"] == "passed"
    said = "" if passed else next((each["said"] for each in requests if each["said"]), told["failure"])
    left_out = tuple((each["endpoint"], each["field"]) for each in told["left_out"])
    if not requests:
        how = How.CLIENT if passed else How.FAILED
    elif not all(_is_here(request, endpoints) for request in requests):
        how = How.ELSEWHERE
    elif not passed:
        how = How.FAILED
    else:
        how = How.WITHOUT if left_out else How.AS_IT_IS
    return Case(suite, told["case"], how, left_out, said)


def _endpoints(server: Process) -> list[tuple[str, "re.Pattern[str]"]]:
    """Method and address of all that the server describes."""
    paths = server.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) + "$"))
        for path, methods in paths.items()
        for method in methods
    ]


def _is_here(request: Mapping[str, Any], endpoints: Sequence[tuple[str, "re.Pattern[str]"]]) -> bool:
    return any(method == request["method"] and path.match(request["path"]) for method, path in endpoints)
