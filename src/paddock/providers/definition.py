"""What is set about one provider: who it is, where it answers, what is sent along."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from paddock.config.kinds import is_loopback
from paddock.dialects.asking import OWN_FIELDS
from paddock.errors import UsageError

LOCAL_TIMEOUT_S: Final = 900.0
FAR_TIMEOUT_S: Final = 600.0
HEADERS_MAX: Final = 32
HEADER_CHARACTERS_MAX: Final = 4096
OPTIONS_MAX: Final = 64
_NAME_CHARACTERS_MAX: Final = 64
_NAME_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
_KEY_HEADERS: Final = ("authorization", "x-api-key", "api-key", "cookie", "proxy-authorization")
_FRAMING_HEADERS: Final = ("host", "content-length", "transfer-encoding", "connection", "content-type")
_OPENAI_HOST: Final = "api.openai.com"


class Kind(StrEnum):
    """What a provider speaks."""

    OPENAI = "openai"  # OpenAI itself, and every server that speaks like it
    ANTHROPIC = "anthropic"
    OLLAMA = "ollama"


USUAL: Final[Mapping[Kind, str]] = {
    Kind.OPENAI: f"https://{_OPENAI_HOST}/v1",
    Kind.ANTHROPIC: "https://api.anthropic.com",
    Kind.OLLAMA: "http://127.0.0.1:11434",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDefinition:
    """One provider beside the models here. Its key is kept elsewhere."""

    name: str
    kind: Kind
    base_url: str = ""  # empty is the usual one of its kind
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])  # into each request, as they stand
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    organization: str = ""
    timeout_s: float | None = None  # how long it may be silent; None is as usual
    enabled: bool = True
    automatic: bool = False  # `auto` may choose its models
    from_settings: bool = False  # stands in a file or the environment, not in the database

    @property
    def address(self) -> str:
        """Where it answers, as paths are put after it."""
        url = (self.base_url or USUAL[self.kind]).rstrip("/")
        versioned = urlsplit(url).path not in ("", "/")
        if self.kind is Kind.OPENAI:
            return url if versioned else f"{url}/v1"
        return url.removesuffix("/v1") if self.kind is Kind.ANTHROPIC else url

    @property
    def here(self) -> bool:
        """It answers on this machine."""
        return is_loopback(urlsplit(self.address).hostname or "")

    @property
    def strict(self) -> bool:
        """OpenAI itself, which refuses fields that other servers know."""
        return self.kind is Kind.OPENAI and urlsplit(self.address).hostname == _OPENAI_HOST

    @property
    def takes_key(self) -> bool:
        """A key travels over https, and to this machine."""
        return self.here or urlsplit(self.address).scheme == "https"

    @property
    def silence_s(self) -> float:
        """How long it may be silent."""
        if self.timeout_s is not None:
            return self.timeout_s
        return LOCAL_TIMEOUT_S if self.here else FAR_TIMEOUT_S


def kind_of(name: str) -> Kind:
    """The kind that a name says; servers of open models speak OpenAI's dialect."""
    return Kind(name) if name in set(Kind) else Kind.OPENAI


def check_definition(definition: ProviderDefinition) -> None:
    """Raises UsageError that names the field which is wrong."""
    name = definition.name
    if not name or len(name) > _NAME_CHARACTERS_MAX or not set(name) <= _NAME_LETTERS or name == "local":
        raise _wrong(
            "name", f"`{name[:80]}` is no name for a provider", "Use a-z, 0-9, `-`, `_`, `.`; `local` is taken."
        )
    if definition.base_url:
        _check_url(definition.base_url)
    if len(definition.options) > OPTIONS_MAX:
        raise _wrong("options", f"`{name}` has too many options", f"Set {OPTIONS_MAX} at most.")
    for option in definition.options:
        if option in OWN_FIELDS and definition.kind is not Kind.OLLAMA:
            raise _wrong("options", f"`{option}` is no option: the request says it", "Leave it out.")
    _check_headers(definition.headers)
    if definition.timeout_s is not None and not 0 < definition.timeout_s <= 86400:
        raise _wrong("timeout_s", f"{definition.timeout_s} is no timeout", "Give seconds, up to a day.")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise _wrong(
            "base_url", f"`{url[:80]}` is no address of a provider", "Write one like `http://gpu.local:8000/v1`."
        )


def _check_headers(headers: Mapping[str, str]) -> None:
    if len(headers) > HEADERS_MAX:
        raise _wrong("headers", "There are too many headers", f"Send {HEADERS_MAX} at most.")
    for name, value in headers.items():
        if name.lower() in _KEY_HEADERS:
            raise _wrong("headers", f"`{name}` is no place for a key", "Keep it with `paddock provider key`.")
        if (
            name.lower() in _FRAMING_HEADERS
            or not name.isascii()
            or not name.replace("-", "").replace("_", "").isalnum()
        ):
            raise _wrong("headers", f"`{name[:80]}` is no header that can be set", "Leave it out.")
        if not value.isascii() or not value.isprintable() or len(value) > HEADER_CHARACTERS_MAX:
            raise _wrong("headers", f"The value of `{name}` is none", "Use printable ASCII, 4,096 characters at most.")


def _wrong(param: str, message: str, hint: str) -> UsageError:
    return UsageError(f"{message}.", hint=hint, param=param)
