"""How a command ends badly: one message, one hint, one number. A traceback never reaches the terminal."""

import platform
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from paddock.cli.invocation import Invocation
from paddock.cli.output import json_line
from paddock.cli.screen import Screen
from paddock.errors import Defect, PaddockError
from paddock.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """What went wrong, for programs by `code`, for people in words."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDocument:
    """The last line of stderr when a command fails with `--json`."""

    error: ErrorBody


def error_body(error: PaddockError) -> ErrorBody:
    return ErrorBody(code=error.code, message=error.message, hint=error.hint)


def show_error(invocation: Invocation, error: PaddockError, *, json: bool) -> None:
    """Write `error` to stderr."""
    if json:
        invocation.stderr.write(json_line(ErrorDocument(error=error_body(error))))
    else:
        screen = Screen.on(invocation.stderr, invocation.environment)
        screen.sentence(f"error: {error.message}", style="red" if screen.colour else "")
        screen.sentence(f"hint: {error.hint}")
    invocation.stderr.flush()


def defect(invocation: Invocation, error: BaseException) -> Defect:
    """What to tell about an exception that nobody expected; its traceback goes to a file."""
    what = f"Paddock itself broke: {type(error).__name__}."
    text = "".join(
        [
            f"paddock {VERSION}, Python {platform.python_version()}, {platform.platform()}\n",
            f"{invocation.now().isoformat()}  command: {_command(invocation)}\n\n",
            *traceback.format_exception(error),
        ]
    )
    where = _keep(invocation, text)
    if where is None:
        return Defect(what, hint="Please report it. (Where it happened could not be written down: no disk takes it.)")
    return Defect(what, hint=f"Please report it with {where}, which tells where it happened.")


def _command(invocation: Invocation) -> str:
    """Only the command's own name: what follows may be private."""
    return invocation.arguments[0] if invocation.arguments else "(none)"


def _keep(invocation: Invocation, text: str) -> Path | None:
    """Write the report to the state folder, or where that is impossible, to the system's folder for such things."""
    name = f"crash-{invocation.now():%Y%m%d-%H%M%S}.log"
    try:
        folder = _state_folder(invocation)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    except OSError:
        try:
            with tempfile.NamedTemporaryFile(
                "w", prefix="paddock-", suffix=".log", delete=False, encoding="utf-8"
            ) as file:
                file.write(text)
                return Path(file.name)
        except OSError:
            return None
    return folder / name


def _state_folder(invocation: Invocation) -> Path:
    import sys

    from paddock.config.paths import find_paths

    home = Path(invocation.environment.get("HOME") or Path.home())
    paths = find_paths(invocation.environment, workspace=invocation.workspace, home=home, platform=sys.platform)
    return paths.state
