"""From words to a call. What cyclopts refuses is said in our own words, with the nearest name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cyclopts import App, CycloptsError, UnknownCommandError, UnknownOptionError
from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    RepeatArgumentError,
    UnusedCliTokensError,
    ValidationError,
)

from paddock.cli.application import PROGRAM, build_application, command_names, load
from paddock.cli.flags import Flags
from paddock.cli.invocation import Invocation
from paddock.cli.screen import Screen
from paddock.errors import UsageError

_NEAR_ENOUGH = 0.6


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its arguments. `wants` names the parameters that we hand over, not the person."""

    function: Callable[..., Any]
    positional: tuple[Any, ...]
    named: dict[str, Any]
    wants: frozenset[str]

    @property
    def flags(self) -> Flags:
        """The shared options that were given."""
        return next((value for value in self.named.values() if isinstance(value, Flags)), Flags())


def parse(invocation: Invocation) -> Call:
    """What `invocation` asks for; `--help` and `--version` are calls, too. Raises UsageError."""
    application = build_application()
    words = list(invocation.arguments)
    if words and words[0] in command_names():
        load(application, words[0])
    try:
        # Without words there is nothing to do but to show what could be done.
        function, bound, wants = application.parse_args(
            words or ["--help"],
            console=Screen.on(invocation.stdout, invocation.environment).console,
            print_error=False,
            exit_on_error=False,
            verbose=False,
        )
    except CycloptsError as error:
        raise _in_our_words(error, words) from error
    return Call(function, bound.args, dict(bound.kwargs), frozenset(wants))


def wants_json(words: list[str]) -> bool:
    """Whether errors of words that cannot be parsed should be JSON."""
    before_dashes = words[: words.index("--")] if "--" in words else words
    return "--json" in before_dashes


def _in_our_words(error: CycloptsError, words: list[str]) -> UsageError:
    command = " ".join([PROGRAM, *(error.command_chain or ())])
    see = f"See `{command} --help`."
    match error:
        case UnknownCommandError(unused_tokens=[word, *_]):
            return UsageError(
                f"There is no command `{command} {word}`.", hint=_did_you_mean(word, _subcommands(error.app)) or see
            )
        case UnknownOptionError():
            option = error.token.keyword or error.token.value
            known = [name for argument in error.argument_collection for name in argument.names if name.startswith("-")]
            return UsageError(f"`{command}` has no option `{option}`.", hint=_did_you_mean(option, known) or see)
        case MissingArgumentError(argument=argument) if argument is not None:
            return UsageError(f"`{command}` needs {_named(argument.name)}.", hint=see)
        case UnusedCliTokensError(unused_tokens=[word, *_]):
            return UsageError(f"`{command}` does not know what to do with `{word}`.", hint=see)
        case RepeatArgumentError():
            return UsageError(f"`{error.token.keyword}` is given twice.", hint="Give it once.")
        case CoercionError() | ValidationError():
            return UsageError(str(error), hint=see)
        case _:
            return UsageError(str(error) or "The command line cannot be read.", hint=see)


def _subcommands(app: App | None) -> list[str]:
    """Names only: the modules behind them stay unloaded."""
    if app is None or app.name[0] == PROGRAM:
        return command_names()
    return [name for name in app if not name.startswith("-")]


def _named(argument: str) -> str:
    return f"`{argument}`" if argument.startswith("-") else argument.upper().replace("-", "_")


def _did_you_mean(word: str, known: list[str]) -> str | None:
    import difflib

    near = difflib.get_close_matches(word, known, n=2, cutoff=_NEAR_ENOUGH)
    return f"Did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else None
