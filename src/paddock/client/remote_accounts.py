"""Users and keys of a running server, with the interface of one's own."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from pydantic import SecretStr

from paddock.client.connection import Connection, at
from paddock.errors import NotFound
from paddock.security.api_keys import ApiKey, KeyTerms, NewKey
from paddock.security.callers import Scope
from paddock.security.users import User
from paddock.server.routes.admin.shapes import KeyList, UserList

_USERS: Final = "/admin/users"
_KEYS: Final = "/admin/keys"


class RemoteUsers:
    """Implements ManagedUsers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self) -> Sequence[User]:
        return (await self._connection.get(_USERS, UserList)).users

    async def add(self, name: str, password: SecretStr, scopes: frozenset[Scope]) -> User:
        body = {"name": name, "password": password.get_secret_value(), "scopes": sorted(scopes)}
        return await self._connection.post(_USERS, User, body)

    async def edit(
        self,
        name: str,
        *,
        password: SecretStr | None = None,
        scopes: frozenset[Scope] | None = None,
        disabled: bool | None = None,
    ) -> User:
        body: dict[str, Any] = {"disabled": disabled}
        if password is not None:
            body["password"] = password.get_secret_value()
        if scopes is not None:
            body["scopes"] = sorted(scopes)
        return await self._connection.patch(_of(_USERS, name), User, body)

    async def remove(self, name: str) -> User:
        return await self._connection.delete(_of(_USERS, name), User)


class RemoteKeys:
    """Implements ManagedKeys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self) -> Sequence[ApiKey]:
        return (await self._connection.get(_KEYS, KeyList)).keys

    async def get(self, which: str) -> ApiKey:
        return await self._connection.get(_of(_KEYS, which), ApiKey)

    async def add(self, name: str, terms: KeyTerms) -> NewKey:
        return await self._connection.post(_KEYS, NewKey, {"name": name, **_body(terms)})

    async def edit(self, which: str, terms: KeyTerms) -> ApiKey:
        return await self._connection.patch(_of(_KEYS, which), ApiKey, _body(terms))

    async def rotate(self, which: str, *, grace: timedelta = timedelta(0)) -> NewKey:
        body = {"grace_s": grace.total_seconds()}
        return await self._connection.post(f"{_of(_KEYS, which)}/rotate", NewKey, body)

    async def revoke(self, which: str) -> ApiKey:
        return await self._connection.post(f"{_of(_KEYS, which)}/revoke", ApiKey)

    async def remove(self, which: str) -> ApiKey:
        return await self._connection.delete(_of(_KEYS, which), ApiKey)


class RemoteAccounts:
    """Implements Accounts."""

    def __init__(self, connection: Connection) -> None:
        self.users = RemoteUsers(connection)
        self.keys = RemoteKeys(connection)


def _body(terms: KeyTerms) -> dict[str, Any]:
    return {
        "scopes": sorted(terms.scopes),
        "models": list(terms.models),
        "requests_per_minute": terms.requests_per_minute,
        "tokens_per_day": terms.tokens_per_day,
        "expires_at": terms.expires_at,
    }


def _of(path: str, name: str) -> str:
    if not name or "/" in name or name in (".", ".."):  # another address, which would mean something else
        raise NotFound(
            f"There is no `{name[:64]}`.", hint="`paddock user` and `paddock key` show those that there are."
        )
    return at(path, name)
