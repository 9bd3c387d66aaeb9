"""What every command works at: where its answer goes, whom it may ask, and the library when it wants one."""

import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter

from paddock.cli.flags import Flags
from paddock.cli.invocation import Invocation
from paddock.cli.output import json_document, json_line
from paddock.cli.questions import ask
from paddock.cli.screen import Screen
from paddock.errors import InUse, NetworkError, NotFound, UsageError

if TYPE_CHECKING:
    from paddock.client.discovery import Address
    from paddock.client.interface import Accounts, ModelLibrary, ModelPool, SavedChats
    from paddock.config.schema import Config
    from paddock.library.library import Library

T = TypeVar("T")
Given = Annotated[T, Parameter(parse=False, show=False)]
"""A parameter that `main` fills in, not the person."""


@contextmanager
def target(path: Path, *, dry_run: bool) -> Generator[Path]:
    """Where to write a file: `path`, or with `dry_run` a place that is gone afterwards, so that all but the file is real."""
    if not dry_run:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / path.name


class Desk:
    """One command's surroundings. With `--json` stdout carries one document and stderr one JSON object a line."""

    def __init__(self, invocation: Invocation, flags: Flags) -> None:
        self.invocation = invocation
        self.flags = flags
        self.out = Screen.on(invocation.stdout, invocation.environment)
        self.err = Screen.on(invocation.stderr, invocation.environment)
        self.exit_code = 0

    # What a command says

    def answer(self, document: object, text: Callable[[Screen], None]) -> None:
        """The result: `document` with `--json`, else `text` draws it."""
        if self.flags.json:
            self.out.stream.write(json_document(document))
        else:
            text(self.out)
        self.out.flush()

    def notice(self, text: str) -> None:
        """A sentence beside the result."""
        if self.flags.json:
            self.report("notice", text)
        else:
            self.err.sentence(text)
            self.err.flush()

    def warn(self, text: str) -> None:
        """A sentence that somebody should read."""
        if self.flags.json:
            self.report("warning", text)
        else:
            self.err.sentence(f"warning: {text}", style="yellow")
            self.err.flush()

    def report(self, kind: str, value: object) -> None:
        """One JSON line on stderr: `{"notice": …}`, `{"progress": …}`."""
        self.err.stream.write(json_line({kind: value}))
        self.err.flush()

    def fail(self, exit_code: int) -> None:
        """The answer was given, and it is not the one that was hoped for."""
        self.exit_code = exit_code

    # Whom it may ask

    async def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question; `--yes` answers it. Raises UsageError when nobody is there to answer."""
        if self.flags.assume_yes:
            return True
        if self.flags.json or not self.invocation.may_ask:
            raise UsageError(f"This wants an answer: {question}", hint="Say yes beforehand with `--yes`.")
        return await ask(self.err, self.invocation.stdin, question)

    # What it works with

    @cached_property
    def config(self) -> "Config":
        """The settings; what is odd about them is said once. Raises InvalidConfig."""
        return self.config_with({})

    def config_with(self, flags: Mapping[str, Any], *, again: bool = False) -> "Config":
        """The settings with `flags` above them: values by dotted key, None where a flag was not given.

        `again` is for a process that runs already: whether it keeps to this machine was settled when it started.
        """
        from paddock.config.sources import load_config

        if self.flags.airgap:
            flags = {**flags, "airgap": True}
        config = load_config(environment=self.invocation.environment, workspace=self.invocation.workspace, flags=flags)
        if not again:
            self._keep_here(config)
        for warning in config.warnings:
            self.warn(warning)
        return config

    def _keep_here(self, config: "Config") -> None:
        """Before anything is asked of anybody: settings are the first that a command reads."""
        if config.airgap:
            from paddock.airgap.airgap import airgap_at

            self.invocation.hold(airgap_at(config.paths.airgap_ledger))

    @cached_property
    def server(self) -> "Address | None":
        """The server of this home, if one runs: it has the models in memory, and what it remembers must stay true.

        Raises InUse for one that reaches out, where this command must not: it would do so in our place.
        """
        from paddock.client.discovery import find_server

        server = find_server(self.config.paths.state)
        if server is not None and self.config.airgap and not server.airgap:
            raise InUse(
                f"The server at {server.url} was started without `--airgap`, and would reach out for this command.",
                hint="End it with `paddock serve --stop`, and start it with `--airgap`.",
            )
        return server

    @asynccontextmanager
    async def library(self) -> AsyncGenerator["ModelLibrary"]:
        """The library: that of the server of this home when one runs, else opened in this process and closed again.

        What this process pulls is paused when the block ends; what a server pulls goes on.
        """
        if self.server is None:
            async with self.own_library() as library:
                yield library
            return
        from paddock.client.opening import connected
        from paddock.client.remote_library import RemoteLibrary

        async with connected(self.server) as connection:
            yield RemoteLibrary(connection)

    @asynccontextmanager
    async def own_library(self) -> AsyncGenerator["Library"]:
        """The library in this process, for what reads or writes the caller's files. A server looks again afterwards."""
        from paddock.app import open_library

        async with open_library(self.config, self.invocation.world) as library:
            for notice in library.notices:
                self.warn(notice)
            yield library
        if self.server is not None:
            from paddock.client.opening import connected
            from paddock.client.remote_library import RemoteLibrary

            with suppress(NetworkError):  # it has just ended, and the next one starts with a fresh look
                async with connected(self.server) as connection:
                    await RemoteLibrary(connection).list(refresh=True)

    @asynccontextmanager
    async def chats(self) -> AsyncGenerator["SavedChats"]:
        """The conversations that are kept: through the server of this home when one runs, else in this process."""
        if self.server is None:
            from paddock.app import open_chats

            async with open_chats(self.config, self.invocation.world) as chats:
                yield chats
            return
        from paddock.client.opening import connected
        from paddock.client.remote_chats import RemoteChats

        async with connected(self.server) as connection:
            yield RemoteChats(connection)

    @asynccontextmanager
    async def accounts(self) -> AsyncGenerator["Accounts"]:
        """Users and keys: through the server of this home when one runs, so that it knows at once, else in this process."""
        if self.server is None:
            from paddock.app import open_accounts

            async with open_accounts(self.config, self.invocation.world) as accounts:
                yield accounts
            return
        from paddock.client.opening import connected
        from paddock.client.remote_accounts import RemoteAccounts

        async with connected(self.server) as connection:
            yield RemoteAccounts(connection)

    @asynccontextmanager
    async def pool(self) -> AsyncGenerator["ModelPool"]:
        """The models in memory of the server of this home. Raises NotFound when none runs."""
        if self.server is None:
            raise NotFound(
                "No server of this home runs, so no model stays in memory.",
                hint="Start one with `paddock serve`; `paddock run` loads a model for one answer.",
            )
        from paddock.client.opening import connected
        from paddock.client.remote_pool import RemotePool

        async with connected(self.server) as connection:
            yield RemotePool(connection)
