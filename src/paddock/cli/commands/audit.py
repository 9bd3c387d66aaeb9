"""`paddock audit`: who asked what of whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from paddock.app import open_ledger
from paddock.audit.filters import AuditFilter
from paddock.audit.ledger import AuditCheck, AuditPage
from paddock.audit.record import AuditRow
from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.cli.times import point_in_time
from paddock.errors import StorageError, UsageError

_NO_FLAGS = Flags()

Since = Annotated[str | None, Parameter(help="From then on: a date, a time, or how long ago, such as `24h`.")]
Until = Annotated[str | None, Parameter(help="Up to then, in the same ways.")]

audit = noun("audit", "See who asked what of whom; check and export it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRows:
    """A file with rows."""

    path: str
    size: int


@audit.default
@audit.command(name="list")
async def list_rows(
    *,
    since: Since = None,
    until: Until = None,
    caller: Annotated[str | None, Parameter(help="Of one caller: `key:…`, `user:…`, `admin`, `local`.")] = None,
    model: Annotated[str | None, Parameter(help="Of one model, asked for or answering.")] = None,
    provider: Annotated[str | None, Parameter(help="Of one provider.")] = None,
    status: Annotated[int | None, Parameter(help="With one HTTP status.")] = None,
    failed: Annotated[bool, Parameter(help="Only those that were not answered well.")] = False,
    limit: Annotated[int, Parameter(help="How many.")] = 50,
    before: Annotated[int | None, Parameter(help="Rows before this number.")] = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """See who asked what of whom; check and export it.

    The latest requests first. What was asked is not kept, unless `audit.prompts` is on; then it is sealed.
    """
    wanted = AuditFilter(
        since=point_in_time(desk, since),
        until=point_in_time(desk, until),
        caller=caller,
        model=model,
        provider=provider,
        status=status,
        failed=failed,
    )
    async with open_ledger(desk.config, desk.invocation.world) as ledger:
        page = await ledger.list(wanted, limit=limit, before=before)
    desk.answer(page, lambda screen: _show(screen, page.rows))


@audit.command
async def verify(
    *,
    row: Annotated[int | None, Parameter(help="The number of a row whose hash you noted earlier.")] = None,
    hash_: Annotated[str | None, Parameter(name="--hash", help="That hash.")] = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Check every row against the one before it.

    Finds what was altered, taken away or moved. Note the last hash elsewhere: whoever can write the whole database could make
    a new chain, but not one with that hash. Exit code 1 says that something is wrong.
    """
    if (row is None) != (hash_ is None):
        raise UsageError("A row and its hash go together.", hint="Give both `--row` and `--hash`.")
    async with open_ledger(desk.config, desk.invocation.world) as ledger:
        check = await ledger.verify(expected=(row, hash_) if row is not None and hash_ is not None else None)
    desk.answer(check, lambda screen: _show_check(screen, check))
    if not check.is_sound:
        desk.fail(1)


@audit.command
async def export(
    file: Annotated[Path | None, Parameter(help="The file to write; standard output when left out.")] = None,
    /,
    *,
    format_: Annotated[Literal["csv", "jsonl"], Parameter(name="--format", help="How rows are written.")] = "jsonl",
    since: Since = None,
    until: Until = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Write rows as CSV or JSON lines, the oldest first."""
    if file is None and flags.json:
        raise UsageError("With `--json` the rows need a file of their own.", hint="Name one, or leave `--json` out.")
    wanted = AuditFilter(since=point_in_time(desk, since), until=point_in_time(desk, until))
    path = desk.invocation.workspace / file if file is not None else None
    size = 0
    async with open_ledger(desk.config, desk.invocation.world) as ledger:
        try:
            with path.open("wb") if path is not None else _Stdout(desk) as stream:
                async for piece in ledger.export(wanted, format_):
                    size += len(piece)
                    stream.write(piece)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StorageError(
                f"`{path}` cannot be written: {error.strerror}.", hint="Choose another place, or make room."
            ) from error
    if path is not None:
        written = ExportedRows(path=str(path), size=size)
        desk.answer(written, lambda screen: screen.sentence(f"The rows are in {path}."))


class _Stdout:
    """Standard output, as a file of bytes."""

    def __init__(self, desk: Desk) -> None:
        self._stream = desk.out.stream

    def write(self, data: bytes) -> None:
        self._stream.write(data.decode())

    def __enter__(self) -> "_Stdout":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()


def _show(screen: Screen, rows: Sequence[AuditRow]) -> None:
    cells: list[list[Cell]] = [
        [
            f"{row.at:%Y-%m-%d %H:%M:%S}",
            row.caller or "anyone",
            row.endpoint,
            row.model or row.asked_model,
            f"{row.status} {row.error_code}".strip(),
            f"{row.duration_us / 1e6:.2f} s",
            f"{row.prompt_tokens}+{row.completion_tokens}" if row.prompt_tokens or row.completion_tokens else "",
        ]
        for row in rows
    ]
    columns = (
        Column(title="when"),
        Column(title="who", rank=1),
        Column(title="what"),
        Column(title="model"),
        Column(title="came of it"),
        Column(title="took", rank=2),
        Column(title="tokens", rank=1),
    )
    show_table(screen, columns, cells)


def _show_check(screen: Screen, check: AuditCheck) -> None:
    for problem in check.problems:
        screen.sentence(f"Row {problem.seq}: {problem.what}.", style="red")
    if check.dropped:
        screen.sentence(f"{check.dropped} requests came faster than they could be written down.", style="yellow")
    verdict = "All is as it was written" if check.is_sound else "This is not as it was written"
    screen.sentence(f"{verdict}: {check.rows} rows, {check.pruned} before them let go in time.")
    if check.rows:
        screen.line(f"row {check.head_seq} {check.head_hash}")


__all__ = ["AuditCheck", "AuditPage", "ExportedRows", "audit"]
