"""The kinds of values that settings hold beyond numbers and text, each with its rule and how it is shown again."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, WithJsonSchema

from paddock.config.rules import USER_ONLY, Rule
from paddock.config.units import (
    MemoryAmount,
    format_duration,
    format_size,
    parse_duration,
    parse_memory,
    parse_size,
)

PROFILES: Final = ("fast", "general", "code", "creative")  # others are set by their owner
CAPABILITIES: Final = ("text", "vision", "embeddings", "tools", "streaming", "thinking")
NAME_CHARACTERS_MAX: Final = 512

_NAME = re.compile(r"(?:[a-z]+://)?[A-Za-z0-9](?:[A-Za-z0-9._:/@+-]*[A-Za-z0-9_-])?")
_PROFILE = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_LOOPBACK_NAMES = ("localhost", "localhost.")


def _not_a_switch(value: Any) -> Any:
    # Python counts True as 1; a person who writes `temperature: true` does not.
    if isinstance(value, bool):
        raise ValueError("true and false are not numbers")
    return value


def _plain(value: Any) -> str | int | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("a single value is needed")
    return value


def _size(value: Any) -> int:
    return parse_size(str(_plain(value)))


def _duration(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(_plain(value))


def _memory(value: Any) -> MemoryAmount:
    return value if isinstance(value, MemoryAmount) else parse_memory(str(_plain(value)))


def _model_name(value: str) -> str:
    if (
        len(value) > NAME_CHARACTERS_MAX
        or not _NAME.fullmatch(value)
        or ".." in value
        or "//" in value.split("://")[-1]
    ):
        raise ValueError("not a model name")
    return value


def _profile(value: str) -> str:
    if not _PROFILE.fullmatch(value):
        raise ValueError("not the name of a routing profile")
    return value


def _joined(value: Any) -> Any:
    """A YAML list says the same as its items with `,` between them."""
    return ",".join(str(item) for item in cast("list[Any]", value)) if isinstance(value, list | tuple) else value


def _words(value: str) -> str:
    if any(not _WORD.fullmatch(word) for word in listed(value)):
        raise ValueError("not words")
    return value


def _capabilities(value: str) -> str:
    if set(listed(value)) - set(CAPABILITIES):
        raise ValueError("not capabilities")
    return value


@lru_cache(maxsize=64)  # every request asks it of the same few
def is_loopback(host: str) -> bool:
    """True for this machine's own names and addresses."""
    if host.lower() in _LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _url(value: str) -> str:
    parts = urlsplit(value)
    _ = parts.port  # raises ValueError when it is none
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not an http address")
    if parts.username or parts.password or any(letter.isspace() for letter in value):
        raise ValueError("an address holds no user name, password or blank")
    return value.rstrip("/")


def _secure_url(value: str) -> str:
    value = _url(value)
    parts = urlsplit(value)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("plain http beyond this machine")
    return value


def _host(value: str) -> str:
    try:
        ip_address(value)
    except ValueError:
        if not _HOST_NAME.fullmatch(value):
            raise
    return value


def _database_url(value: str) -> str:
    if not value:
        return value
    scheme, separator, rest = value.partition("://")
    if not separator or not rest or scheme not in ("postgresql", "postgresql+asyncpg", "sqlite", "sqlite+aiosqlite"):
        raise ValueError("not a database address")
    if scheme.startswith("sqlite") and not rest.startswith("/"):
        raise ValueError("a file of its own needs an absolute path")
    if scheme.startswith("postgresql"):
        _ = urlsplit(value).port
    return value


def _folders(value: str) -> str:
    if any(not part.startswith(("/", "~/")) for part in value.split(":") if part):
        raise ValueError("not absolute folders")
    return value


def listed(text: str) -> tuple[str, ...]:
    """The items of a setting that holds several, `,` between them."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _model_names(value: str) -> str:
    for name in listed(value):
        _model_name(name)
    return value


def _host_names(value: str) -> str:
    for name in listed(value):
        _host(name)
    return value


def _origins(value: str) -> str:
    for origin in listed(value):
        scheme, separator, rest = origin.partition("://")
        # `null` and `*` would be everybody; a path never stands in an origin.
        if not separator or not scheme.replace("-", "").isalnum() or not rest or set(rest) & set("/*?#@ "):
            raise ValueError("not an origin")
        _ = urlsplit(origin).port
    return value


def _secret(value: SecretStr) -> SecretStr:
    # It will travel in a header: a line break there would be a second header.
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("not a token")
    return value


_NAMED = Rule(
    "is not a valid model name",
    "Write a name like `pony`, `qwen2.5-coder:7b`, `org/name` or `auto:code`.",
)
_PROFILED = Rule(
    f"is an unknown routing profile; known are {', '.join(PROFILES)}, and those of `model.routing.profiles`",
    f"Write one of {', '.join(PROFILES)}, or make it with `paddock profile add`.",
)
_PROFILE_NAMED = Rule("is not a name of a profile", "Use lower-case letters, digits, `-` and `_`; 64 at most.")
_WORDS_LISTED = Rule("must be words with `,` between them", "Write them like `llama,mistral`.")
_CAPABLE = Rule(
    f"must be some of {', '.join(CAPABILITIES)} with `,` between them", "Write them like `streaming,tools`."
)
_SIZED = Rule("must be a size in bytes", "Write a number of bytes, or one with a unit like `512MB` or `100GB`.")
_TIMED = Rule("must be a duration", "Write one like `30s`, `10m`, `1h30m` or `forever`.")
_REMEMBERED = Rule("must be a share of the device's memory or a size", "Write a share like `75%` or a size like `4GB`.")
_ADDRESSED = Rule(
    "must be an http or https address without a user name",
    "Write one like `http://localhost:11434`. (The address that Paddock's own server listens on is `server.host`.)",
)
_SECURED = Rule(
    "must be an https address; plain http is accepted for this machine only", "Write one like `https://huggingface.co`."
)
_HOSTED = Rule("must be an IP address or a host name", "Write `127.0.0.1`, or `0.0.0.0` for every network interface.")
_STORED = Rule(
    "must be empty or the address of a database",
    "Write `postgresql://user:password@host/name`, `sqlite:////folder/file.db`, or nothing for one in the data folder.",
)

_LISTED = Rule(
    "must be absolute folders with `:` between them", "Write them like `PATH`: `/srv/models/bundle:~/bundles/mine`."
)
_NAMES_LISTED = Rule("must be names of models with `,` between them", "Write them like `pony,qwen2.5-coder:7b`.")
_HOSTS_LISTED = Rule("must be host names with `,` between them", "Write them like `models.example.org,gpu.local`.")
_ORIGINS_LISTED = Rule(
    "must be exact origins with `,` between them", "Write them like `https://chat.example.org,http://localhost:3000`."
)
_SECRET = Rule("must be one word of plain ASCII", "Copy the token again, without blanks or line breaks.")

ModelName = Annotated[str, AfterValidator(_model_name), _NAMED]
ModelNames = Annotated[str, AfterValidator(_model_names), _NAMES_LISTED]
ProfileName = Annotated[
    str, AfterValidator(_profile), _PROFILED, WithJsonSchema({"type": "string", "examples": list(PROFILES)})
]
OwnProfileName = Annotated[str, AfterValidator(_profile), _PROFILE_NAMED]
_list_or_text = WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})
Words = Annotated[str, BeforeValidator(_joined), AfterValidator(_words), _WORDS_LISTED, _list_or_text]
CapabilityNames = Annotated[str, BeforeValidator(_joined), AfterValidator(_capabilities), _CAPABLE, _list_or_text]
Size = Annotated[
    int,
    BeforeValidator(_size),
    _SIZED,
    PlainSerializer(format_size),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["100GB"]}),
]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    _TIMED,
    PlainSerializer(format_duration),
    WithJsonSchema({"type": ["string", "number"], "examples": ["10m", "forever"]}),
]
Memory = Annotated[
    MemoryAmount,
    BeforeValidator(_memory),
    _REMEMBERED,
    PlainSerializer(str),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["75%", "4GB"]}),
]
ProviderUrl = Annotated[str, AfterValidator(_url), _ADDRESSED, USER_ONLY]
ProviderKind = Annotated[Literal["openai", "anthropic", "ollama"], USER_ONLY]
SecureUrl = Annotated[str, AfterValidator(_secure_url), _SECURED, USER_ONLY]
Host = Annotated[str, AfterValidator(_host), _HOSTED, USER_ONLY]
DatabaseUrl = Annotated[str, AfterValidator(_database_url), _STORED, USER_ONLY]
Folders = Annotated[str, AfterValidator(_folders), _LISTED, USER_ONLY]
HostNames = Annotated[str, AfterValidator(_host_names), _HOSTS_LISTED, USER_ONLY]
Origins = Annotated[str, AfterValidator(_origins), _ORIGINS_LISTED, USER_ONLY]
Secret = Annotated[SecretStr, AfterValidator(_secret), _SECRET]

# YAML 1.2 reads `on` and `off` as text; a switch takes them as what they say.
Switch = Annotated[bool, WithJsonSchema({"enum": [True, False, "on", "off"]})]
UserSwitch = Annotated[bool, WithJsonSchema({"enum": [True, False, "on", "off"]}), USER_ONLY]

_number = BeforeValidator(_not_a_switch)
_finite = Field(allow_inf_nan=False)

Temperature = Annotated[float, Ge(0.0), Le(2.0), _number, _finite]
Share = Annotated[float, Ge(0.0), Le(1.0), _number, _finite]
Penalty = Annotated[float, Ge(0.0), Le(10.0), _number, _finite]
Factor = Annotated[float, Ge(1.0), Le(100.0), _number, _finite]
Price = Annotated[float, Ge(0.0), Le(1e6), _number, _finite]
Seconds = Annotated[float, Gt(0), Le(86400), _number, _finite]
CacheSeconds = Annotated[float, Ge(0), Le(86400), _number, _finite]
Count = Annotated[int, Gt(0), Le(1_000_000_000), _number]
Amount = Annotated[int, Ge(0), Le(1_000_000_000), _number]
Threads = Annotated[int, Gt(0), Le(1024), _number]
Layers = Annotated[int, Ge(0), Le(4096), _number]
Few = Annotated[int, Ge(1), Le(64), _number]
Retries = Annotated[int, Ge(0), Le(20), _number]
Port = Annotated[int, Ge(0), Le(65535), _number]
PixelSide = Annotated[int, Ge(32), Le(3200), _number]  # so that a square of it fits a frame to a runner
Pixels = Annotated[int, Ge(1024), Le(170_000_000), _number]  # Pillow itself refuses more
Days = Annotated[int, Ge(1), Le(3650), _number]

Anything = Mapping[str, Any]
