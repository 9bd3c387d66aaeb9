"""`paddock service`: units that systemd takes, property lists that launchd takes, and nothing secret in them."""

import json
import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paddock.cli.services import LABEL, Service, installation, launchd_plist, systemd_unit
from tests.server.running import finished, variables

# Writes down how it was called, as systemctl or launchctl would be, and fails where it is told to.
SCRIPT = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$TOLD"
case "$*" in *"$FAILS"*) echo "it went wrong" >&2; exit 1;; esac
"""
AWKWARD = Service(
    command=("/opt/a folder/paddock", "serve", "--port", "8485", 'quote"d', "per%cent", "dol$lar", "back\\slash"),
    environment={"PADDOCK_HOME": "/home/me/my models %h", "HF_HOME": "/data/$x"},
    log=Path("/home/me/state/service.log"),
    drain_s=15,
)


def test_launchd_reads_what_was_meant() -> None:
    document = plistlib.loads(launchd_plist(AWKWARD).encode())
    assert document["Label"] == LABEL
    assert document["ProgramArguments"] == list(AWKWARD.command)
    assert document["EnvironmentVariables"] == AWKWARD.environment
    assert document["RunAtLoad"] is True
    assert document["KeepAlive"] == {"SuccessfulExit": False}, "a crash is not the end, `serve --stop` is"
    assert document["ExitTimeOut"] > AWKWARD.drain_s, "running answers are let finish"


def test_systemd_reads_what_was_meant(tmp_path: Path) -> None:
    """By its own checker where there is one; by the rules of its manual everywhere."""
    unit = systemd_unit(AWKWARD)
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert start == (
        'ExecStart="/opt/a folder/paddock" "serve" "--port" "8485" "quote\\"d" "per%%cent" "dol$$lar" "back\\\\slash"'
    )
    assert 'Environment="PADDOCK_HOME=/home/me/my models %%h"' in unit
    assert 'Environment="HF_HOME=/data/$x"' in unit
    assert "Restart=on-failure" in unit
    if shutil.which("systemd-analyze"):
        real = systemd_unit(Service(command=(sys.executable, "serve"), environment={}, log=tmp_path, drain_s=15))
        file = tmp_path / "paddock.service"
        file.write_text(real)
        done = subprocess.run(
            ["systemd-analyze", "--user", "verify", str(file)],
            capture_output=True,
            text=True,
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
            check=False,
        )
        complaints = [line for line in done.stderr.splitlines() if "paddock.service" in line]
        assert complaints == [], done.stderr


def test_on_macos_it_is_an_agent_of_the_user() -> None:
    made = installation(AWKWARD, platform="darwin", home=Path("/Users/me"), config_home=Path("/x"), user=501)
    assert made.file == Path(f"/Users/me/Library/LaunchAgents/{LABEL}.plist")
    assert made.start == [["launchctl", "bootstrap", "gui/501", str(made.file)]]
    assert made.before == made.stop == [["launchctl", "bootout", f"gui/501/{LABEL}"]]


class Machine:
    """A user with a service manager that does as it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told = folder / "told.txt"
        programs = folder / "programs"
        programs.mkdir()
        for name in ("systemctl", "launchctl"):
            (programs / name).write_text(SCRIPT)
            (programs / name).chmod(0o755)
        self.path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def __call__(self, *words: str, fails: str = "nothing", path: str | None = None) -> tuple[int, dict[str, Any], str]:
        settings = {"PADDOCK_ADMIN_KEY": "a-secret-of-its-owner", "HF_TOKEN": "hf_secret", "TOLD": str(self.told)}
        environment = variables(self.folder, PATH=path or self.path, FAILS=fails, **settings)
        code, out, err = finished(self.folder, environment, "service", words[0], "--json", *words[1:])
        return code, json.loads(out) if out else {}, err

    @property
    def calls(self) -> list[str]:
        return self.told.read_text().splitlines() if self.told.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_installed_it_is_written_and_started_and_taken_away_again(machine: Machine) -> None:
    code, document, _ = machine("install", "--", "--port", "8499")
    assert code == 0
    file = Path(document["file"])
    assert file.read_text() == document["text"]
    assert "8499" in document["text"]
    assert str(machine.folder / "paddock") in document["text"], "the home that it serves"
    assert "secret" not in document["text"], "whoever reads the home reads the file"
    assert machine.calls[-1].split()[0] in ("systemctl", "launchctl")
    assert machine("status")[1]["installed"]

    code, _, _ = machine("remove")
    assert code == 0
    assert not file.exists()
    assert not machine("status")[1]["installed"]
    assert machine("remove")[0] == 4


def test_a_dry_run_touches_nothing(machine: Machine) -> None:
    code, document, _ = machine("install", "--dry-run")
    assert code == 0
    assert "serve" in document["text"]
    assert not Path(document["file"]).exists()
    assert machine.calls == []


def test_a_manager_that_refuses_is_an_error_with_its_words(machine: Machine) -> None:
    code, _, err = machine("install", fails="enable" if sys.platform == "linux" else "bootstrap")
    assert code == 1
    assert "it went wrong" in err


def test_without_a_manager_it_is_said_before_anything_is_written(machine: Machine, tmp_path: Path) -> None:
    code, _, err = machine("install", path=str(tmp_path / "nothing"))
    assert code == 4
    assert "is not on this system" in err
    assert not list(tmp_path.rglob("paddock.service"))
