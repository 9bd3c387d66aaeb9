"""`docs/reference/cli.md`, written from the help of the commands themselves. A test fails when it is out of date."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cyclopts import App
from cyclopts.help import HelpEntry, HelpPanel, format_doc

from paddock.cli.application import COMMANDS, PROGRAM, build_application, load
from paddock.cli.help import explanation, label, words_of
from paddock.cli.schemas import SCHEMA_FILE, render_schemas

_HEAD: Final = f"""\
# The command line

Written from the commands' own help; `python -m paddock.cli.reference` writes it anew.

Data goes to stdout, everything else to stderr. `--json` writes one JSON document to stdout, as
[{SCHEMA_FILE}]({SCHEMA_FILE}) describes it, and one JSON object a line to stderr: `{{"progress": …}}` while a pull runs,
`{{"notice": …}}`, `{{"warning": …}}`, and
`{{"error": …}}` with `code`, `message` and `hint` when the command fails. Sizes are integers of bytes,
times are ISO 8601 in UTC. `NO_COLOR` is honoured, and `COLUMNS` says how wide a table may be; what is piped is never
cut. A question is asked on a terminal only; elsewhere a command that has one fails unless `--yes` is given.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the command line, a setting or a file is not as it must be |
| 3 | will not fit, or is incompatible |
| 4 | not found |
| 5 | the network, or a hub, did not do its part |
| 6 | somebody uses it |
| 130 | interrupted; a pull is paused and can be resumed |
"""


def render_reference() -> str:
    """The whole page."""
    application = build_application()
    lines = [_HEAD]
    for title, commands in COMMANDS.items():
        lines.append(f"## {title}\n")
        for command in commands:
            app = load(application, command.names[0])
            lines += _command((application, app), [command.names[0]], command.names[1:])
    return "\n".join(lines).rstrip() + "\n"


def _command(chain: tuple[App, ...], words: Sequence[str], aliases: Sequence[str] = ()) -> Iterator[str]:
    """The section of `chain`'s last command, then those of its own commands."""
    app = chain[-1]
    name = " ".join([PROGRAM, *words])
    also = f", also `{'`, `'.join(aliases)}`" if aliases else ""
    yield f"{'#' * (2 + len(words))} `{name}`{also}\n"
    if description := words_of(format_doc(app, "plaintext")).strip():
        yield f"{description}\n"
    if entries := _entries(chain, words):
        yield _table(entries)
    for child in _children(app):
        yield from _command((*chain, app[child]), [*words, child])


def _entries(chain: tuple[App, ...], words: Sequence[str]) -> list[HelpEntry]:
    """Its arguments, then its options, as `--help` shows them."""
    root: Any = chain[0]
    with root.app_stack(list(chain), {}):
        # The only function of cyclopts that knows what help would show.
        panels: list[tuple[object, HelpPanel]] = root._assemble_help_panels(list(words), "plaintext")
    return [entry for _, panel in panels if panel.format == "parameter" for entry in panel.entries]


def _children(app: App) -> list[str]:
    """Subcommands by their first name."""
    return [name for name in app if not name.startswith("-") and app[name].name[0] == name]


def _table(entries: Sequence[HelpEntry]) -> str:
    rows = [f"| `{label(entry)}` | {explanation(entry)} |" for entry in entries]
    return "\n".join(["| | |", "|---|---|", *rows, ""])


def main() -> None:
    """Write the page and the schemas."""
    folder = Path("docs/reference")
    (folder / "cli.md").write_text(render_reference(), encoding="utf-8")
    (folder / SCHEMA_FILE).write_text(render_schemas(), encoding="utf-8")


if __name__ == "__main__":
    main()
