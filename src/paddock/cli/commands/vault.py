"""`paddock vault`: the keys of providers, sealed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from paddock.app import open_vault
from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.secret_words import secret_word
from paddock.cli.tables import Column, show_table
from paddock.errors import InvalidFile, NotFound, StorageError, TooLarge
from paddock.security.backup import FILE_BYTES_MAX, Restored
from paddock.security.private_file import write_private
from paddock.security.rotation import Rotated
from paddock.security.vault import VaultEntry, VaultStatus

PASSPHRASE: Final = "PADDOCK_VAULT_PASSPHRASE"  # noqa: S105 (the name of a variable)
_NO_FLAGS = Flags()

vault = noun("vault", "See how provider keys are kept; rotate, back up.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultDocument:
    """How the vault stands, and the names of what it holds."""

    status: VaultStatus
    entries: tuple[VaultEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFile:
    """A backup that was written."""

    path: str
    size: int


@vault.default
@vault.command(name="status")
async def show(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """See how provider keys are kept; rotate, back up.

    Shows whether the vault opens, and the names of what is in it. What is in it is never shown.
    """
    async with open_vault(desk.config, desk.invocation.world) as room:
        document = VaultDocument(status=await room.status(), entries=tuple(await room.list()))
    desk.answer(document, lambda screen: _show(screen, document))
    if not document.status.is_open:
        desk.fail(1)


@vault.command
async def rotate(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Change the master key and all keys below it.

    A server that runs goes on undisturbed. Broken off, it is finished by the next server, or by this command.
    """
    async with open_vault(desk.config, desk.invocation.world) as room:
        done = await room.rotate()
    desk.answer(
        done,
        lambda screen: screen.sentence(
            f"The master key is a new one, {done.master_id}; sealed anew: {done.entries}. Make a new backup."
        ),
    )


@vault.command
async def backup(
    file: Annotated[Path, Parameter(help="The file to write; one that is there is replaced.")],
    /,
    *,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Write all of the vault to a file that a passphrase opens.

    The passphrase is asked for, or taken from standard input or `PADDOCK_VAULT_PASSPHRASE`.
    """
    async with open_vault(desk.config, desk.invocation.world) as room:
        passphrase = await secret_word(desk, "Passphrase", variable=PASSPHRASE, twice=True)
        data = await room.backup(passphrase)
    path = desk.invocation.workspace / file
    write_private(path, data)
    written = BackupFile(path=str(path), size=len(data))
    desk.answer(written, lambda screen: screen.sentence(f"The vault is in {path}. Without the passphrase it is lost."))


@vault.command
async def restore(
    file: Annotated[Path, Parameter(help="What `paddock vault backup` wrote.")],
    /,
    *,
    replace: Annotated[bool, Parameter(help="Take the backup's value where one is there that differs.")] = False,
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Bring back what a backup holds, on this machine or another; also a master key that was lost.

    The passphrase is asked for, or taken from standard input or `PADDOCK_VAULT_PASSPHRASE`.
    """
    data = _read(desk.invocation.workspace / file)
    async with open_vault(desk.config, desk.invocation.world) as room:
        passphrase = await secret_word(desk, "Passphrase", variable=PASSPHRASE)
        restored = await room.restore(data, passphrase, replace=replace)
    desk.answer(restored, lambda screen: _show_restored(screen, restored))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file `{path}`.", hint="Check the path.") from error
    except IsADirectoryError as error:
        raise InvalidFile(f"`{path}` is a folder.", hint="Name the file that `paddock vault backup` wrote.") from error
    except OSError as error:
        raise StorageError(f"`{path}` cannot be read: {error.strerror}.", hint="Make it readable for you.") from error
    if len(data) > FILE_BYTES_MAX:
        raise TooLarge(f"`{path}` is too large for a backup.", hint="Name the file that `paddock vault backup` wrote.")
    return data


def _show(screen: Screen, document: VaultDocument) -> None:
    status = document.status
    if status.problem:
        screen.sentence(f"The vault does not open. {status.problem} {status.hint}", style="red")
    elif status.master_id is None:
        screen.sentence("The vault is empty.")
    else:
        screen.sentence(f"The vault opens. Its master key, {status.master_id}, is in the {status.master_place}.")
    if status.is_rotating:
        screen.sentence("A change of keys was broken off; `paddock vault rotate` finishes it.", style="yellow")
    if document.entries:
        screen.line()
        show_table(
            screen,
            (Column(title="name"), Column(title="changed")),
            [[entry.name, f"{entry.updated_at:%Y-%m-%d %H:%M}"] for entry in document.entries],
        )


def _show_restored(screen: Screen, restored: Restored) -> None:
    if restored.master_key_restored:
        screen.sentence("The master key that was lost is back.")
    for names, what in (
        (restored.added, "brought back"),
        (restored.replaced, "replaced"),
        (restored.kept, "left as they are; `--replace` takes the backup's"),
    ):
        if names:
            screen.sentence(f"{', '.join(names)}: {what}.")
    if not (restored.added or restored.replaced or restored.kept or restored.master_key_restored):
        screen.sentence("All of it was there already.")


__all__ = ["BackupFile", "Restored", "Rotated", "VaultDocument", "vault"]
