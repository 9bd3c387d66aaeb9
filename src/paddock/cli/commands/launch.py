"""`paddock launch`."""

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.errors import Airgapped, NotFound, UsageError

if TYPE_CHECKING:
    from paddock.cli.tools import Place, Tool

_NO_FLAGS = Flags()
_NEAR_ENOUGH: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchDocument:
    """How a program is started."""

    tool: str
    model: str
    environment: Mapping[str, str]
    command: tuple[str, ...]


def launch(
    tool: Annotated[str, Parameter(help="`claude`, `codex`, `opencode`, `aider`, `goose`, `qwen`, `ollama`.")],
    /,
    *words: Annotated[str, Parameter(help="Handed to the program; what begins with a dash goes after `--`.")],
    model: Annotated[str | None, Parameter(help="The model that it talks to; usually `model.default`.")] = None,
    print_: Annotated[bool, Parameter(name="--print", help="Only show how it would be started, for a shell.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Start a coding tool with this server's models.

    The tool gets the server's address, a key and the model by its environment; its own settings stay as they are.
    """
    known = _known(tool)
    place = _place(desk, model)
    setup = known.setup(place)
    command = (known.command, *setup.words, *words)
    if print_ or flags.json:
        document = LaunchDocument(tool=known.name, model=place.model, environment=setup.variables, command=command)
        desk.answer(document, lambda screen: _show(screen, document))
        return
    if desk.config.airgap:
        raise Airgapped(
            f"`{known.command}` was not started: `--airgap` holds Paddock's own processes, and cannot hold it.",
            hint=f"`paddock launch {known.name} --print` shows what to run; what it reaches is then its own affair.",
        )
    environment = {**desk.invocation.environment, **setup.variables}
    path = shutil.which(known.command, path=environment.get("PATH"))
    if path is None:
        raise NotFound(
            f"`{known.command}` is not installed, or not on the PATH.", hint=f"People install it so: `{known.install}`."
        )
    desk.out.flush()
    desk.err.flush()
    os.execve(path, command, environment)  # noqa: S606 (the program that was asked for, found on the person's own PATH)


def _known(name: str) -> "Tool":
    from paddock.cli.tools import TOOLS

    tool = TOOLS.get(name)
    if tool is not None:
        return tool
    import difflib

    near = difflib.get_close_matches(name, TOOLS, n=2, cutoff=_NEAR_ENOUGH)
    raise UsageError(
        f"`{name}` is no tool that can be launched.",
        hint=f"Did you mean {' or '.join(f'`{each}`' for each in near)}?"
        if near
        else f"There are {', '.join(f'`{each}`' for each in TOOLS)}. Others take the address that `paddock serve` shows.",
    )


def _place(desk: Desk, model: str | None) -> "Place":
    from paddock.cli.tools import Place

    server = desk.server
    if server is None:
        raise NotFound("No server of this home runs.", hint="Start one with `paddock serve`, in another terminal.")
    return Place(url=server.url, key=server.launch_key or "none", model=model or desk.config.model.default)


def _show(screen: Screen, document: LaunchDocument) -> None:
    """Lines that a shell takes as they are."""
    for name, value in document.environment.items():
        screen.line(f"export {name}={shlex.quote(value)}")
    screen.line(shlex.join(document.command))
