"""`paddock user`: people who may sign in."""

from collections.abc import Sequence
from typing import Annotated, Final

from cyclopts import Parameter

from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import AskingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.secret_words import secret_word
from paddock.cli.tables import Cell, Column, show_table
from paddock.errors import Interrupted
from paddock.security.callers import SPEAKING, scopes_of
from paddock.security.users import User
from paddock.server.routes.admin.shapes import UserList

_NO_FLAGS = Flags()
_NO_ASKING = AskingFlags()
_ASKED: Final = "Password"

Name = Annotated[str, Parameter(help="Who it is.")]
Scopes = Annotated[
    tuple[str, ...],
    Parameter(help="`chat`, `embeddings`, `library` or `admin`; may be given again.", consume_multiple=False),
]

user = noun("user", "List people who may sign in; add, change, remove them.")


@user.default
@user.command(name="list")
async def list_users(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """List people who may sign in; add, change, remove them."""
    async with desk.accounts() as accounts:
        users = await accounts.users.list()
    desk.answer(UserList(users=tuple(users)), lambda screen: _show(screen, users))


@user.command
async def add(name: Name, /, *, scope: Scopes = (), flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Let a person sign in. The password is asked for, or read from standard input.

    Without a scope they may chat and embed. From the first user on, the server wants a key or a session of everybody.
    """
    scopes = scopes_of(scope) if scope else SPEAKING
    password = await secret_word(desk, _ASKED, twice=True)
    async with desk.accounts() as accounts:
        added = await accounts.users.add(name, password, scopes)
    desk.answer(added, lambda screen: screen.sentence(f"{added.name} may sign in."))


@user.command
async def edit(
    name: Name,
    /,
    *,
    scope: Scopes = (),
    password: Annotated[bool, Parameter(help="Ask for a new password, or read it from standard input.")] = False,
    disable: Annotated[bool, Parameter(help="Keep the person out until `--enable`.")] = False,
    enable: Annotated[bool, Parameter(help="Let the person in again.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Change a person. A new password, and being disabled, sign them out everywhere."""
    word = await secret_word(desk, _ASKED, twice=True) if password else None
    async with desk.accounts() as accounts:
        changed = await accounts.users.edit(
            name,
            password=word,
            scopes=scopes_of(scope) if scope else None,
            disabled=True if disable else False if enable else None,
        )
    desk.answer(changed, lambda screen: _show(screen, [changed]))


@user.command(name="remove", alias=("rm", "delete"))
async def remove(name: Name, /, *, flags: AskingFlags = _NO_ASKING, desk: Given[Desk]) -> None:
    """Forget a person, and sign them out."""
    async with desk.accounts() as accounts:
        if not await desk.confirm(f"Forget {name}?"):
            raise Interrupted("Nothing was changed.", hint="Say yes to go on.")
        removed = await accounts.users.remove(name)
    desk.answer(removed, lambda screen: screen.sentence(f"{removed.name} is forgotten."))


def _show(screen: Screen, users: Sequence[User]) -> None:
    rows: list[list[Cell]] = [
        [
            each.name,
            ", ".join(each.scopes),
            "disabled" if each.disabled else "",
            f"{each.last_sign_in_at:%Y-%m-%d %H:%M}" if each.last_sign_in_at else "never",
        ]
        for each in users
    ]
    columns = (Column(title="name"), Column(title="may"), Column(title="state"), Column(title="last in", rank=1))
    show_table(screen, columns, rows)
