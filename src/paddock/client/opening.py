"""`paddock.open()`: a `Paddock` in this process, or one that a server works for."""

import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.client.connection import Connection
from paddock.client.discovery import Address, find_server
from paddock.client.paddock import Paddock
from paddock.client.remote_chats import RemoteChats
from paddock.client.remote_library import RemoteLibrary
from paddock.client.remote_pool import RemotePool
from paddock.client.remote_provider import RemoteProvider
from paddock.config.schema import Config
from paddock.config.sources import load_config

if TYPE_CHECKING:
    from paddock.app import World


@asynccontextmanager
async def open_paddock(
    url: str | None = None,
    *,
    key: str | None = None,
    in_process: bool = False,
    settings: Mapping[str, Any] | None = None,
    config: Config | None = None,
    world: "World | None" = None,
) -> AsyncGenerator[Paddock]:
    """A Paddock, until the block ends.

    With `url` (and `key`, if that server wants one) a server does the work. Without, the server of this home does when one
    runs, so that no model is in memory twice; else, and always with `in_process`, it is done here, and models leave memory
    with the block. `settings` maps dotted keys to values that stand above the files: `{"pool.max_models": 1}`. Raises
    InvalidConfig.
    """
    if url is not None:
        async with _behind(Address(url=url, key=key)) as paddock:
            yield paddock
        return
    config = config or load_config(environment=os.environ, workspace=Path.cwd(), flags=settings)
    address = None if in_process else find_server(config.paths.state)
    opened = _behind(address) if address is not None else _here(config, world)
    async with opened as paddock:
        yield paddock


@asynccontextmanager
async def connected(address: Address) -> AsyncGenerator[Connection]:
    """A connection to a server, until the block ends."""
    connection = Connection(address)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _behind(address: Address) -> AsyncGenerator[Paddock]:
    async with connected(address) as connection:
        yield Paddock(
            library=RemoteLibrary(connection),
            chats=RemoteChats(connection),
            pool=RemotePool(connection),
            provider=RemoteProvider(connection),
            url=connection.url,
        )


@asynccontextmanager
async def _here(config: Config, world: "World | None") -> AsyncGenerator[Paddock]:
    from paddock.app import open_server
    from paddock.server.models_document import ModelsInMemory

    async with open_server(config, world, token=secrets.token_hex()) as rooms:
        yield Paddock(
            library=rooms.library,
            chats=rooms.chats,
            pool=ModelsInMemory(rooms.pool, rooms.library, now=rooms.now),
            provider=rooms.provider,
            url=None,
        )
