"""The SDKs' own cases: the source archives of the versions that are installed here, pinned by the hashes in requirements/."""

import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "sdk-cases"
_PINS: Final = ROOT / "requirements" / "dev.txt"


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one SDK that concern what is served here, whole files of them."""

    name: str
    files: tuple[str, ...]


SUITES: Final = (
    Suite(
        "openai",
        (
            "chat/test_completions.py",
            "test_completions.py",
            "test_embeddings.py",
            "test_models.py",
            "test_responses.py",
            "responses",
        ),
    ),
    Suite("anthropic", ("test_messages.py", "test_models.py", "beta/test_messages.py", "beta/test_models.py")),
)


def sources_of(suite: Suite) -> Path:
    """Where its source lies, fetched by pip if it is not there. Nothing of it is ever installed."""
    pin = _pin(suite.name)
    version = re.match(rf"{suite.name}==(\S+)", pin)
    assert version is not None
    folder = CACHE / f"{suite.name}-{version[1]}"
    if not (folder / "tests").is_dir():
        _fetch(pin, folder)
    return folder


def _pin(name: str) -> str:
    """The lines of requirements/dev.txt that pin it; the hash of its source archive is among those."""
    found = re.search(rf"^{name}==[^\n]*(\n {{4}}--hash=[^\n]*)+", _PINS.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"requirements/dev.txt pins no {name}"
    return found[0]


def _fetch(pin: str, folder: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    requirement = CACHE / f"{folder.name}.txt"
    requirement.write_text(pin + "\n", encoding="utf-8")
    # Without isolation, so that what pip asks for its name and version is what is pinned here, too.
    options = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "--quiet"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options]
    subprocess.run([*command, "-d", str(CACHE), "-r", str(requirement)], check=True)
    with tarfile.open(CACHE / f"{folder.name}.tar.gz") as archive:
        archive.extractall(CACHE, filter="data")
