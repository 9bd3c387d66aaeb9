"""Reads what people type to name a model.

org/name[@rev][:file-or-quant]   Hugging Face          hf://org/name…      the same, said outright
kaggle://owner/model/framework/variation[/version]     ollama://name[:tag]
https://host/path[#sha256=…]     file:///path          builtin://pony
pony                             a bare name: a built-in, an alias or a unique short name; the library decides
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from paddock.errors import InvalidReference
from paddock.vocabulary import SourceKind

REFERENCE_CHARACTERS_MAX = 1024
_FORMS = "Write `org/name`, `org/name@revision`, `org/name:Q4_K_M`, `ollama://name:tag`, `kaggle://…`, `https://…` or `file:///…`."

_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?"
_HUB = re.compile(
    rf"(?P<name>{_WORD}/{_WORD})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]*))?(?::(?P<selector>[A-Za-z0-9_.][A-Za-z0-9._/-]*))?"
)
_BARE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9_-])?")
_OLLAMA = re.compile(
    r"(?:(?P<host>localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:))(?P<port>:[0-9]{1,5})?/)?"
    rf"(?:(?P<namespace>{_WORD})/)?(?P<model>{_WORD})(?::(?P<tag>{_WORD}))?"
)
OLLAMA_REGISTRY = "registry.ollama.ai"
_KAGGLE = re.compile(rf"(?P<name>{_WORD}/{_WORD}/{_WORD}/{_WORD})(?:/(?P<version>[0-9]{{1,9}}))?")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class ModelReference:
    """What was typed, taken apart. `source` is None for a bare name that only the library can resolve."""

    source: SourceKind | None
    name: str  # org/name, owner/model/framework/variation, model:tag, the URL, the path, or the bare name
    revision: str | None = None
    selector: str | None = None  # a file, a folder or a quantization within the repository
    sha256: str | None = None  # what a URL's content must hash to

    def __str__(self) -> str:
        """The spelling that parses back to the same reference."""
        match self.source:
            case SourceKind.HUGGINGFACE:
                revision = f"@{self.revision}" if self.revision else ""
                selector = f":{self.selector}" if self.selector else ""
                return f"{self.name}{revision}{selector}"
            case SourceKind.KAGGLE:
                return f"kaggle://{self.name}" + (f"/{self.revision}" if self.revision else "")
            case SourceKind.OLLAMA:
                return f"ollama://{self.name}"
            case SourceKind.URL:
                return self.name + (f"#sha256={self.sha256}" if self.sha256 else "")
            case SourceKind.LOCAL:
                return f"file://{quote(self.name, errors='surrogateescape')}"
            case SourceKind.BUILTIN:
                return f"builtin://{self.name}"
            case None:
                return self.name


def parse_reference(text: str) -> ModelReference:
    """Take `text` apart. Raises InvalidReference, which says which part is wrong and what would be right."""
    text = text.strip()
    if not text:
        raise InvalidReference("The model reference is empty.", hint=_FORMS)
    if len(text) > REFERENCE_CHARACTERS_MAX or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise InvalidReference(
            f"The model reference `{_short(text)}` is too long or holds control characters.", hint=_FORMS
        )
    scheme, separator, rest = text.partition("://")
    if separator:
        return _with_scheme(text, scheme.lower(), rest)
    if ".." in text.split("/") or "\\" in text or "%" in text:
        raise InvalidReference(f"`{text}` tries to leave its folder.", hint=_FORMS)
    if text.startswith(("/", "./", "~")):
        raise InvalidReference(
            f"`{text}` is a path, not a model reference.",
            hint=f"Write `file://` and an absolute path. {_FORMS}",
        )
    if "/" in text:
        return _hub(text)
    if not _BARE.fullmatch(text):
        raise InvalidReference(f"`{text}` is not a model name.", hint=_FORMS)
    return ModelReference(None, text)


def _with_scheme(text: str, scheme: str, rest: str) -> ModelReference:
    match scheme:
        case "hf" | "huggingface":
            return _hub(rest)
        case "kaggle":
            found = _KAGGLE.fullmatch(rest)
            if not found or _climbs(rest):
                raise InvalidReference(
                    f"`{text}` is not a Kaggle model.",
                    hint="Write `kaggle://owner/model/framework/variation`, with `/version` if you want one.",
                )
            return ModelReference(SourceKind.KAGGLE, found["name"], found["version"])
        case "ollama":
            found = _OLLAMA.fullmatch(rest)
            if not found or _climbs(rest):
                raise InvalidReference(f"`{text}` is not an Ollama model.", hint="Write `ollama://name:tag`.")
            namespace = f"{found['namespace']}/" if found["namespace"] and found["namespace"] != "library" else ""
            host = f"{found['host'].lower()}{found['port'] or ''}/" if found["host"] else ""
            if host == f"{OLLAMA_REGISTRY}/":
                host = ""
            return ModelReference(SourceKind.OLLAMA, f"{host}{namespace}{found['model']}:{found['tag'] or 'latest'}")
        case "https" | "http":
            return _url(text)
        case "file":
            path = unquote(rest.removeprefix("localhost"), errors="surrogateescape")
            if not path.startswith("/") or "\0" in path or any(part in ("..", ".") for part in path.split("/")):
                raise InvalidReference(f"`{text}` is not an absolute path.", hint="Write `file:///folder/model`.")
            return ModelReference(SourceKind.LOCAL, "/" + path.strip("/"))
        case "builtin":
            if not _BARE.fullmatch(rest):
                raise InvalidReference(f"`{text}` is not a built-in model.", hint="Try `builtin://pony`.")
            return ModelReference(SourceKind.BUILTIN, rest)
        case _:
            raise InvalidReference(f"`{scheme}://` is not a source that Paddock knows.", hint=_FORMS)


def _hub(text: str) -> ModelReference:
    found = _HUB.fullmatch(text)
    if not found or _climbs(text):
        raise InvalidReference(f"`{text}` is not a Hugging Face model.", hint=_FORMS)
    return ModelReference(SourceKind.HUGGINGFACE, found["name"], found["revision"], found["selector"])


def _url(text: str) -> ModelReference:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise InvalidReference(f"`{_short(text)}` is not a URL.", hint=_FORMS) from error
    if not parts.hostname or parts.path in ("", "/"):
        raise InvalidReference(f"`{_short(text)}` names no file.", hint="Give the full address of one file.")
    if "@" in parts.netloc:
        raise InvalidReference(
            "The URL holds a user name or password.",
            hint="Put the token into `providers` or the environment.",
        )
    sha256 = None
    if parts.fragment:
        key, _, value = parts.fragment.partition("=")
        if key != "sha256" or not _SHA256.fullmatch(value):
            raise InvalidReference(
                f"`#{parts.fragment}` is not a checksum.", hint="Write `#sha256=` and 64 hexadecimal digits."
            )
        sha256 = value.lower()
    return ModelReference(SourceKind.URL, parts._replace(fragment="").geturl(), sha256=sha256)


def _climbs(text: str) -> bool:
    return any(part in ("..", ".") for part in re.split(r"[/:@]", text)) or ".." in text


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"
