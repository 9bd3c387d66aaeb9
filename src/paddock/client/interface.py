"""What a library and a pool can do, wherever they are: in this process, or behind a server."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from pydantic import SecretStr

from paddock.catalog.compare import Comparison
from paddock.chats.chats import Branches, Chat, ChatOptions, ChatPage, ChatsDeleted, ChatSummary
from paddock.chats.messages import NewMessage, SavedMessage
from paddock.library.cleaning import Pruned
from paddock.library.details import ModelDetails
from paddock.library.library import Confirm
from paddock.library.prune import PrunePlan, UsageReport
from paddock.library.pulling.jobs import PullJob
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.library.records import ModelRecord
from paddock.library.removal import Removed
from paddock.library.searching import SearchHit
from paddock.library.trials.results import TrialResult
from paddock.library.verification import FileCheck, Verification
from paddock.security.api_keys import ApiKey, KeyTerms, NewKey
from paddock.security.callers import Scope
from paddock.security.users import User
from paddock.server.models_document import LoadAnswer, ModelsStatus, PinAnswer, UnloadAnswer, WarmAnswer
from paddock.vocabulary import ModelInfo, ModelStatus, ProgressEvent, SourceKind


class PullQueue(Protocol):
    """Downloads under way. The library's `Pulls` is one."""

    async def list(self, *, unfinished: bool = False) -> Sequence[PullJob]: ...

    async def get(self, job_id: str) -> PullJob: ...

    async def pause(self, job_id: str) -> PullJob: ...

    async def resume(self, job_id: str) -> PullJob: ...

    async def cancel(self, job_id: str) -> PullJob: ...


class CleanUp(Protocol):
    """What the disk holds, and what may go. The library's `Cleaner` is one."""

    async def usage(self) -> UsageReport: ...

    async def plan(self, *, older_than_days: float | None = None, max_bytes: int | None = None) -> PrunePlan: ...

    async def prune(self, plan: PrunePlan, remove: Callable[[str], Awaitable[int]]) -> Pruned: ...


class ModelLibrary(Protocol):
    """The models you own, and those you could. `Library` is one; its docstrings hold for every other."""

    @property
    def pulls(self) -> PullQueue: ...

    @property
    def cleaning(self) -> CleanUp: ...

    @property
    def notices(self) -> Sequence[str]: ...

    async def list(self, *, refresh: bool = False) -> Sequence[ModelInfo]: ...

    async def show(self, name: str) -> ModelDetails: ...

    async def status(self, name: str) -> ModelStatus: ...

    async def get(self, name: str) -> ModelRecord: ...

    async def search(self, query: str, *, limit: int = 20, source: SourceKind | None = None) -> Sequence[SearchHit]: ...

    async def compare(self, names: Sequence[str]) -> Comparison: ...

    async def plan(self, reference: str, options: PullOptions | None = None) -> Plan: ...

    async def pull(
        self,
        reference: str,
        options: PullOptions | None = None,
        *,
        on_progress: Callable[[ProgressEvent], None] | None = None,
        confirm: Confirm | None = None,
    ) -> ModelInfo: ...

    async def remove(self, name: str, *, adopted: bool = False, dry_run: bool = False) -> Removed: ...

    async def copy(self, source: str, alias: str) -> None: ...

    async def pin(self, name: str, *, pinned: bool) -> ModelInfo: ...

    async def set_keep_alive(self, name: str, keep_alive: str | None) -> ModelInfo: ...

    async def verify(
        self,
        names: Sequence[str] = (),
        *,
        repair: bool = False,
        on_file: Callable[[str, FileCheck], None] | None = None,
    ) -> Sequence[Verification]: ...

    def clear_cache(self) -> None: ...


class SavedChats(Protocol):
    """Conversations that are kept. `ChatBook` is one; its docstrings hold for every other."""

    async def list(
        self,
        *,
        search: str = "",
        model: str | None = None,
        limit: int = 50,
        before: int | None = None,
        mine: bool = False,
    ) -> ChatPage: ...

    async def get(self, chat_id: str) -> Chat: ...

    async def create(self, *, model: str, title: str | None = None) -> Chat: ...

    async def append(
        self, chat_id: str, messages: Sequence[NewMessage], *, after: int | None = None
    ) -> Sequence[SavedMessage]: ...

    async def rename(self, chat_id: str, title: str) -> ChatSummary: ...

    async def branch(self, chat_id: str, *, at: int) -> Chat: ...

    async def branches(self, chat_id: str) -> Branches: ...

    async def set_options(self, chat_id: str, options: ChatOptions, *, model: str | None = None) -> ChatSummary: ...

    async def delete(self, chat_id: str) -> ChatSummary: ...

    async def delete_all(self) -> ChatsDeleted: ...


class ManagedUsers(Protocol):
    """People who may sign in. `security.users.Users` is one; its docstrings hold for every other."""

    async def list(self) -> Sequence[User]: ...

    async def add(self, name: str, password: SecretStr, scopes: frozenset[Scope]) -> User: ...

    async def edit(
        self,
        name: str,
        *,
        password: SecretStr | None = None,
        scopes: frozenset[Scope] | None = None,
        disabled: bool | None = None,
    ) -> User: ...

    async def remove(self, name: str) -> User: ...


class ManagedKeys(Protocol):
    """Keys of programs. `security.api_keys.ApiKeys` is one; its docstrings hold for every other."""

    async def list(self) -> Sequence[ApiKey]: ...

    async def get(self, which: str) -> ApiKey: ...

    async def add(self, name: str, terms: KeyTerms) -> NewKey: ...

    async def edit(self, which: str, terms: KeyTerms) -> ApiKey: ...

    async def rotate(self, which: str, *, grace: timedelta = ...) -> NewKey: ...

    async def revoke(self, which: str) -> ApiKey: ...

    async def remove(self, which: str) -> ApiKey: ...


class Accounts(Protocol):
    """Who may ask a server."""

    @property
    def users(self) -> ManagedUsers: ...

    @property
    def keys(self) -> ManagedKeys: ...


class ModelPool(Protocol):
    """The models in memory. `ModelsInMemory` is one."""

    async def load(self, name: str, *, pin: bool | None = None, warm: bool | None = None) -> LoadAnswer: ...

    async def unload(self, name: str, *, force: bool = False) -> UnloadAnswer: ...

    async def pin(self, name: str, *, pinned: bool = True) -> PinAnswer: ...

    async def warm(
        self, name: str, *, prefill_tokens: int = 128, tokens: int = 4, keep_loaded: bool | None = None
    ) -> WarmAnswer: ...

    async def trial(self, name: str) -> TrialResult: ...

    async def status(self) -> ModelsStatus: ...
