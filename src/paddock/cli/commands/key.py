"""`paddock key`: keys of programs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Final

from cyclopts import Parameter

from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import AskingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.config.units import parse_duration
from paddock.errors import Interrupted, UsageError
from paddock.security.api_keys import ApiKey, KeyTerms, NewKey
from paddock.security.callers import scopes_of
from paddock.server.routes.admin.shapes import KeyList

_NO_FLAGS = Flags()
_NO_ASKING = AskingFlags()
_NEVER: Final = "never"

Which = Annotated[str, Parameter(help="The name of a key, or its id.")]
Scopes = Annotated[
    tuple[str, ...],
    Parameter(help="`chat`, `embeddings`, `library` or `admin`; may be given again.", consume_multiple=False),
]
Models = Annotated[
    tuple[str, ...],
    Parameter(
        help="A model that it may use, or a pattern such as `qwen*`; may be given again.", consume_multiple=False
    ),
]
Expires = Annotated[
    str | None, Parameter(help="When it ends: after a time such as `90d`, on a date such as `2027-01-31`, or `never`.")
]
Requests = Annotated[int | None, Parameter(help="How often it may ask in a minute; 0 is without limit.")]
Tokens = Annotated[int | None, Parameter(help="How many tokens it may take in a day; 0 is without limit.")]

key = noun("key", "List keys of programs; make, change, revoke them.")


@key.default
@key.command(name="list")
async def list_keys(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """List keys of programs; make, change, revoke them.

    From the first key on, the server wants one of everybody, from this machine too. The keys themselves are never shown.
    """
    async with desk.accounts() as accounts:
        keys = await accounts.keys.list()
    desk.answer(KeyList(keys=tuple(keys)), lambda screen: _show(screen, keys, desk.invocation.now()))


@key.command
async def add(
    name: Annotated[str, Parameter(help="What you call it.")],
    /,
    *,
    scope: Scopes = (),
    model: Models = (),
    expires: Expires = None,
    requests_per_minute: Requests = None,
    tokens_per_day: Tokens = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Make a key. It is shown once, now.

    Without a scope it may chat and embed; without models it may use all.
    """
    terms = _terms(desk, KeyTerms(), scope, model, expires, requests_per_minute, tokens_per_day)
    async with desk.accounts() as accounts:
        made = await accounts.keys.add(name, terms)
    _tell(desk, made)


@key.command
async def edit(
    which: Which,
    /,
    *,
    scope: Scopes = (),
    model: Models = (),
    expires: Expires = None,
    requests_per_minute: Requests = None,
    tokens_per_day: Tokens = None,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Change what a key may. What is left out stays; `--model '*'` is every model."""
    async with desk.accounts() as accounts:
        before = (await accounts.keys.get(which)).terms
        terms = _terms(desk, before, scope, model, expires, requests_per_minute, tokens_per_day)
        changed = await accounts.keys.edit(which, terms)
    desk.answer(changed, lambda screen: _show(screen, [changed], desk.invocation.now()))


@key.command
async def rotate(
    which: Which,
    /,
    *,
    grace: Annotated[str, Parameter(help="How long the old secret still holds, such as `24h`.")] = "0s",
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Give a key a new secret. It is shown once, now."""
    span = _duration(grace, "grace")
    async with desk.accounts() as accounts:
        made = await accounts.keys.rotate(which, grace=span)
    _tell(desk, made)


@key.command
async def revoke(which: Which, /, *, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Take a key back: it opens nothing any more. It stays listed."""
    async with desk.accounts() as accounts:
        revoked = await accounts.keys.revoke(which)
    desk.answer(revoked, lambda screen: screen.sentence(f"{revoked.name} opens nothing any more."))


@key.command(name="remove", alias=("rm", "delete"))
async def remove(which: Which, /, *, flags: AskingFlags = _NO_ASKING, desk: Given[Desk]) -> None:
    """Forget a key. When it was the last and there are no users, the server wants none any more."""
    async with desk.accounts() as accounts:
        found = await accounts.keys.get(which)
        if not await desk.confirm(f"Forget the key {found.name}?"):
            raise Interrupted("Nothing was changed.", hint="Say yes to go on.")
        removed = await accounts.keys.remove(found.id)
    desk.answer(removed, lambda screen: screen.sentence(f"{removed.name} is forgotten."))


def _terms(
    desk: Desk,
    before: KeyTerms,
    scopes: Sequence[str],
    models: Sequence[str],
    expires: str | None,
    requests: int | None,
    tokens: int | None,
) -> KeyTerms:
    """`before` with what was said."""
    terms = before
    if scopes:
        terms = replace(terms, scopes=scopes_of(scopes))
    if models:
        terms = replace(terms, models=() if tuple(models) == ("*",) else tuple(models))
    if requests is not None:
        terms = replace(terms, requests_per_minute=requests or None)
    if tokens is not None:
        terms = replace(terms, tokens_per_day=tokens or None)
    if expires is not None:
        terms = replace(terms, expires_at=_end(expires, desk.invocation.now()))
    return terms


def _end(text: str, now: datetime) -> datetime | None:
    if text == _NEVER:
        return None
    try:
        when = datetime.fromisoformat(text)
        return when if when.tzinfo is not None else when.astimezone()
    except ValueError:
        return now + _duration(text, "expires")


def _duration(text: str, param: str) -> timedelta:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"`{text[:40]}` is no time.", hint="Write one like `90d` or `24h`.", param=param) from error
    if span > timedelta(days=36500):
        raise UsageError(f"`{text[:40]}` is too long.", hint="Leave it out for a key that never ends.", param=param)
    return span


def _tell(desk: Desk, made: NewKey) -> None:
    desk.answer(made, lambda screen: screen.line(made.secret))
    if not desk.flags.json:
        desk.notice(f"This is the key {made.key.name}. It is shown only now; what is kept of it is a hash.")


def _show(screen: Screen, keys: Sequence[ApiKey], now: datetime) -> None:
    rows: list[list[Cell]] = [
        [
            each.name,
            each.id,
            ", ".join(each.scopes),
            ", ".join(each.models) or "all",
            _state(each, now),
            f"{each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never",
        ]
        for each in keys
    ]
    columns = (
        Column(title="name"),
        Column(title="id", rank=2),
        Column(title="may"),
        Column(title="models", rank=1),
        Column(title="state"),
        Column(title="last used", rank=1),
    )
    show_table(screen, columns, rows)


def _state(each: ApiKey, now: datetime) -> str:
    if each.revoked_at is not None:
        return "revoked"
    if each.expires_at is None:
        return "holds"
    return f"until {each.expires_at:%Y-%m-%d}" if each.expires_at > now else "expired"
