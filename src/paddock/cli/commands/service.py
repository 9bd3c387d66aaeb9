"""`paddock service`: a server that starts when its owner signs in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.services import CARRIED, Installation, Service, installation, shown
from paddock.errors import NotFound, StorageError, UsageError

_NO_FLAGS = Flags()
_NO_CHANGING = ChangingFlags()
_WAIT_S: Final = 60.0

service = noun("service", "Start the server at sign-in, with systemd or launchd.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDocument:
    """The service of this user: the file that says how it is started, and whether it is there."""

    file: str
    installed: bool
    address: str | None  # of the server of this home; null when none runs
    text: str  # what the file holds, or would


@service.default
@service.command(name="status")
def status(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Start the server at sign-in, with systemd or launchd.

    Shows whether it is installed, and whether the server of this home runs.
    """
    made = _made(desk, ())
    document = _document(desk, made, installed=made.file.exists())
    told = "installed" if document.installed else "not installed; `paddock service install` does it"
    running = f"answers at {document.address}" if document.address else "does not run"
    desk.answer(document, lambda screen: screen.sentence(f"The service is {told}. The server of this home {running}."))


@service.command
def install(
    *words: Annotated[str, Parameter(help="Options of `paddock serve`, after `--`.", allow_leading_hyphen=True)],
    flags: ChangingFlags = _NO_CHANGING,
    desk: Given[Desk],
) -> None:
    """Write the service's file and start it.

    It is started again when it crashes, not when it is ended. Keys are not written into the file. `--dry-run` only shows it.
    """
    if desk.config.airgap and "--airgap" not in words:
        words = (*words, "--airgap")
    made = _made(desk, words)
    document = _document(desk, made, installed=not flags.dry_run)
    if not flags.dry_run:
        _check_tool(made)
        _write(made)
        for command in made.before:
            _run(command, must=False)
        for command in made.start:
            _run(command, must=True)
    told = f"The server starts at sign-in, and now: {document.file}"
    desk.answer(document, lambda screen: _show_text(screen, document.text) if flags.dry_run else screen.sentence(told))


@service.command(name=("remove", "uninstall"))
def remove(*, flags: ChangingFlags = _NO_CHANGING, desk: Given[Desk]) -> None:
    """End the service and take its file away.

    Models, settings and conversations stay.
    """
    made = _made(desk, ())
    if not made.file.exists():
        raise NotFound(f"There is no service: {made.file} is not there.", hint="`paddock service install` makes one.")
    document = _document(desk, made, installed=flags.dry_run)
    if not flags.dry_run:
        for command in made.stop:
            _run(command, must=False)
        made.file.unlink()
    what = "would be taken away" if flags.dry_run else "is taken away"
    desk.answer(document, lambda screen: screen.sentence(f"The service {what}: {document.file}"))


def _show_text(screen: Screen, text: str) -> None:
    for line in text.splitlines():
        screen.line(line)


def _made(desk: Desk, words: Sequence[str]) -> Installation:
    if sys.platform not in ("linux", "darwin"):
        raise UsageError("Services are installed on Linux and macOS only.", hint="Start `paddock serve` another way.")
    environment = desk.invocation.environment
    home = Path(environment.get("HOME") or Path.home())
    config_home = environment.get("XDG_CONFIG_HOME", "")
    return installation(
        Service(
            command=(*_program(), "serve", *words),
            environment={name: environment[name] for name in CARRIED if environment.get(name)},
            log=desk.config.paths.state / "logs" / "service.log",
            drain_s=desk.config.server.drain_s,
        ),
        platform=sys.platform,
        home=home,
        config_home=Path(config_home) if config_home.startswith("/") else home / ".config",
        user=os.getuid(),
    )


def _program() -> Sequence[str]:
    """The program beside this Python: a service has no PATH to find it by."""
    script = Path(sys.executable).with_name("paddock")
    return [str(script)] if script.exists() else [sys.executable, "-c", "from paddock.cli.main import main; main()"]


def _document(desk: Desk, made: Installation, *, installed: bool) -> ServiceDocument:
    from paddock.client.discovery import find_server

    server = find_server(desk.config.paths.state)
    return ServiceDocument(
        file=str(made.file), installed=installed, address=server.url if server else None, text=made.text
    )


def _check_tool(made: Installation) -> None:
    tool = made.start[0][0]
    if shutil.which(tool) is None:
        raise NotFound(
            f"`{tool}` is not on this system, so that nobody would start the service.",
            hint="Start `paddock serve` by what this system starts programs with; `--dry-run` shows a unit to begin with.",
        )


def _write(made: Installation) -> None:
    try:
        made.file.parent.mkdir(parents=True, exist_ok=True)
        half = made.file.with_name(f"{made.file.name}.{os.getpid()}")
        half.write_text(made.text)
        half.replace(made.file)
    except OSError as error:
        raise StorageError(
            f"`{made.file}` cannot be written: {error.strerror}.", hint="Make its folder writable for this user."
        ) from error


def _run(command: Sequence[str], *, must: bool) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WAIT_S, check=False)
        said, failed = (done.stderr or done.stdout).strip().split("\n")[-1], done.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, failed = str(error), True
    if must and failed:
        raise StorageError(
            f"`{shown([command])}` failed: {said or 'it does not say why'}",
            hint="The file is written. Without a session of yours (over ssh, in a container) `loginctl enable-linger` helps.",
        )
