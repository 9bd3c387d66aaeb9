"""A machine of one's own for each test: a home, a workspace, and an environment that says nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paddock.config.schema import Config
from paddock.config.sources import Outcome, inspect_config, load_config


@dataclass
class Machine:
    home: Path
    workspace: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def user_file(self) -> Path:
        return self.home / ".config" / "paddock" / "config.yaml"

    @property
    def workspace_file(self) -> Path:
        return self.workspace / ".paddock" / "config.yaml"

    def user_says(self, text: str) -> None:
        _write(self.user_file, text)

    def workspace_says(self, text: str) -> None:
        _write(self.workspace_file, text)

    def load(self, flags: Mapping[str, Any] | None = None) -> Config:
        return load_config(environment=self._environment, workspace=self.workspace, flags=flags, platform="linux")

    def inspect(self, flags: Mapping[str, Any] | None = None) -> Outcome:
        return inspect_config(environment=self._environment, workspace=self.workspace, flags=flags, platform="linux")

    @property
    def _environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), **self.environment}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home, workspace = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    workspace.mkdir()
    return Machine(home, workspace)
