"""What systemd and launchd are told about a server that nobody at a terminal runs. Pure; `commands/service` acts on it."""

import plistlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNIT: Final = "paddock.service"
LABEL: Final = "org.paddock.server"
_FINISH_S: Final = 30  # beyond `server.drain_s`: runners end, rows are written
# Where things are. Never a key: the file is read by whoever may read the home.
CARRIED: Final = (
    "PADDOCK_HOME",
    "HF_HOME",
    "HF_HUB_CACHE",
    "OLLAMA_MODELS",
    "LLAMA_CACHE",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One server, started when its owner signs in, and again when it crashes."""

    command: Sequence[str]  # absolute
    environment: Mapping[str, str]
    log: Path
    drain_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A file, what makes it hold, and what takes it back. Commands of `before` may fail: there may be nothing to stop."""

    file: Path
    text: str
    before: Sequence[Sequence[str]]
    start: Sequence[Sequence[str]]
    stop: Sequence[Sequence[str]]


def installation(service: Service, *, platform: str, home: Path, config_home: Path, user: int) -> Installation:
    """How `service` is installed for this user. `platform` is what `sys.platform` says."""
    if platform == "darwin":
        file = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        domain = f"gui/{user}"
        stop = [["launchctl", "bootout", f"{domain}/{LABEL}"]]
        return Installation(
            file=file,
            text=launchd_plist(service),
            before=stop,
            start=[["launchctl", "bootstrap", domain, str(file)]],
            stop=stop,
        )
    return Installation(
        file=config_home / "systemd" / "user" / UNIT,
        text=systemd_unit(service),
        before=[],
        start=[["systemctl", "--user", "daemon-reload"], ["systemctl", "--user", "enable", "--now", UNIT]],
        stop=[["systemctl", "--user", "disable", "--now", UNIT]],
    )


def systemd_unit(service: Service) -> str:
    """A unit of a user's own service manager."""
    variables = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in service.environment.items())
    return f"""\
[Unit]
Description=Paddock serves the AI models of this machine
After=network.target

[Service]
Type=exec
ExecStart={" ".join(_quoted(word, command=True) for word in service.command)}
{variables}Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec={round(service.drain_s) + _FINISH_S}
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def launchd_plist(service: Service) -> str:
    """A property list of a user's own agents."""
    document = {
        "Label": LABEL,
        "ProgramArguments": list(service.command),
        "EnvironmentVariables": dict(service.environment),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 5,
        "ExitTimeOut": round(service.drain_s) + _FINISH_S,
        "ProcessType": "Interactive",  # else macOS slows down what nobody looks at
        "StandardErrorPath": str(service.log),
        "StandardOutPath": "/dev/null",
    }
    return plistlib.dumps(document).decode()


def shown(commands: Sequence[Sequence[str]]) -> str:
    """Commands as a shell takes them."""
    return "; ".join(shlex.join(command) for command in commands)


def _quoted(word: str, *, command: bool = False) -> str:
    """A word as systemd reads it back: `%` begins a specifier, and `$` in a command a variable."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return f'"{word.replace("$", "$$") if command else word}"'
