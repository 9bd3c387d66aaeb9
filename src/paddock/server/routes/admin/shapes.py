"""Answers that only the admin API has: lists, wrapped so that they can grow, and events."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paddock.chats.messages import SavedMessage
from paddock.errors import PaddockError
from paddock.library.handbook import RegistryEntry, TemplateEntry
from paddock.library.pulling.jobs import PullJob
from paddock.library.searching import SearchHit
from paddock.library.verification import FileCheck, Verification
from paddock.security.api_keys import ApiKey
from paddock.security.users import User
from paddock.server.problems import unexpected
from paddock.vocabulary import ModelInfo, ModelStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    models: tuple[ModelInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAnswer:
    name: str
    status: ModelStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHits:
    query: str
    hits: tuple[SearchHit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """The event `file` of a verification."""

    model: str
    check: FileCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifications:
    """The event `result` of a verification."""

    models: tuple[Verification, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Models that went into a folder, or came out of it; or would."""

    folder: str
    models: tuple[str, ...]
    total_bytes: int | None  # None of an import
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PullList:
    pulls: tuple[PullJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullStarted:
    """A pull that began, or the model when there was nothing to fetch."""

    pull: PullJob | None
    model: ModelInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryList:
    entries: tuple[RegistryEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateList:
    templates: tuple[TemplateEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedTemplate:
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserList:
    users: tuple[User, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    keys: tuple[ApiKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMessages:
    """Messages that were written down."""

    messages: tuple[SavedMessage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLine:
    """One setting in force and where it comes from."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingList:
    settings: tuple[SettingLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChanged:
    """A setting that was changed."""

    key: str
    value: Any  # what holds, or will: something else than was written where a variable or a flag says otherwise
    source: str  # where that comes from
    applied: bool  # holds already; else from the next start on
    note: str  # the same in words


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged:
    """Several that were changed together."""

    settings: tuple[SettingChanged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLines:
    lines: tuple[Mapping[str, Any], ...]  # oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemEvent:
    """The event `problem`: a stream that began well has failed."""

    code: str
    detail: str
    hint: str


def problem_of(error: BaseException) -> ProblemEvent:
    """What a client is told of `error` within a stream; of one that nobody expected, only that."""
    told = error if isinstance(error, PaddockError) else unexpected()
    return ProblemEvent(code=told.code, detail=told.message, hint=told.hint)
