"""`paddock completion`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from paddock.cli.application import build_application
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags

_NO_FLAGS = Flags()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionDocument:
    shell: str
    script: str


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell that you use.")],
    /,
    *,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Print a completion script for your shell.

    bash: `paddock completion bash > ~/.local/share/bash-completion/completions/paddock`

    zsh: `paddock completion zsh > ~/.zfunc/_paddock`, with `fpath+=~/.zfunc` before `compinit` in `~/.zshrc`

    fish: `paddock completion fish > ~/.config/fish/completions/paddock.fish`
    """
    script = build_application().generate_completion(shell=shell)
    desk.answer(CompletionDocument(shell=shell, script=script), lambda screen: screen.line(script.rstrip()))
