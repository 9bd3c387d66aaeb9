"""The README is a promise: every command in it is run here, against a hub on loopback, and must say what README shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.huggingface import HuggingFaceHub

ROOT = Path(__file__).resolve().parents[2]
BUILTIN = ROOT / "src" / "paddock" / "builtin_models"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def hub() -> Iterator[HuggingFaceHub]:
    """A hub that has the model which README pulls."""
    with HuggingFaceHub() as hub:
        hub.add_repo(
            "mlx-community/Qwen3-0.6B-4bit",
            files={path.name: path for path in (BUILTIN / "pony").iterdir()},
            tags=["mlx", "text-generation"],
            pipeline_tag="text-generation",
        )
        yield hub


def commands(document: Path) -> list[tuple[str, str]]:
    """(command, the output shown below it) of each console block, in order."""
    found: list[tuple[str, str]] = []
    for block in BLOCK.findall(document.read_text()):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


def test_every_command_in_the_readme_runs_and_says_what_it_shows(hub: HuggingFaceHub, tmp_path: Path) -> None:
    """A newcomer types these in this order; one that fails is the end of the acquaintance."""
    steps = commands(ROOT / "README.md")
    assert len(steps) >= 6, "the blocks were not found"
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PADDOCK_HOME": str(tmp_path / "paddock"),
        "HF_HOME": str(tmp_path / "huggingface"),
        "HF_ENDPOINT": hub.url,
        "COLUMNS": "120",
    }
    for command, shown in steps:
        done = subprocess.run(
            command, shell=True, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"$ {command}\n{done.stderr}"
        if shown:
            assert done.stdout.strip() == shown, f"README shows something else for `{command}`"
    assert not list(tmp_path.glob("huggingface/hub/**/*.safetensors")), "the model that README removes is still there"


def test_readme_stays_short() -> None:
    """It is the door, not the house."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130
