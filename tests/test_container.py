"""The container file, read: nothing builds it here, so what it names must exist, and what it promises must stand in it."""

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from paddock.config.environment import variable_of
from paddock.config.keys import leaves

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Stage:
    base: str
    name: str
    commands: list[tuple[str, str]]

    def all(self, instruction: str) -> list[str]:
        return [rest for word, rest in self.commands if word == instruction]


def stages() -> list[Stage]:
    text = (ROOT / "Containerfile").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name, []))
        elif found:
            found[-1].commands.append((word, rest.strip()))
    return found


def test_every_stage_is_built_on_one_that_is_there() -> None:
    known: set[str] = set()
    for stage in stages():
        base = stage.base
        if "/" not in base:
            for device in ("cpu", "cuda"):
                assert base.replace("${DEVICE}", device) in known, f"{base} for {device}"
        else:
            assert re.search(r":[\w.${}-]+$", base), f"{base} has no version"
            assert not base.endswith(":latest")
        for source in re.findall(r"--from=(\S+)", " ".join(stage.all("COPY"))):
            assert source in known
        known.add(stage.name)


def test_what_is_copied_is_in_the_tree_and_let_in() -> None:
    """What `.dockerignore` keeps out cannot be copied, and a file that moved breaks the build of whoever tries it first."""
    rules = (ROOT / ".dockerignore").read_text().split()
    for stage in stages():
        for copied in stage.all("COPY"):
            if "--from" in copied:
                continue
            for name in copied.split()[:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name.split('/')[0]}" in rules, f"{name} is kept out"
    assert any(fnmatch("src/paddock/web_pages", rule) for rule in rules), "pages are built in the container, for it"


def test_what_runs_is_pinned_hashed_and_nobody_in_particular() -> None:
    text = (ROOT / "Containerfile").read_text()
    last = stages()[-1]
    assert "--require-hashes --no-deps -r requirements/runtime.txt" in text
    assert last.all("USER") == ["10001"], "never root; a number, so that a cluster can tell"
    assert last.all("ENTRYPOINT") == ['["paddock"]']
    assert last.all("CMD") == ['["serve"]']
    assert last.all("VOLUME") == ["/data"]
    assert "/healthz" in last.all("HEALTHCHECK")[0]
    assert last.all("STOPSIGNAL") == ["SIGTERM"], "what drains a server"


def test_every_variable_is_one_that_paddock_knows() -> None:
    known = {variable_of(key) for key, _ in leaves()} | {"PADDOCK_HOME"}
    named = re.findall(r"\b(PADDOCK_\w+)=", stages()[-1].all("ENV")[0])
    assert named
    assert set(named) <= known


def test_the_gpu_s_engine_is_the_one_that_the_package_asks_for() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["cuda"]
    wanted = next(one.split(";")[0] for one in extra if one.startswith("mlx["))
    cuda = next(stage for stage in stages() if stage.name == "package-cuda")
    assert f'"{wanted}"' in cuda.all("RUN")[0]


@pytest.mark.parametrize("secret", ["TOKEN", "SECRET", "PASSWORD", "ADMIN_KEY"])
def test_no_secret_is_baked_in(secret: str) -> None:
    for stage in stages():
        assert not any(secret in command for command in [*stage.all("ENV"), *stage.all("ARG")])
