"""What the environment says: `PADDOCK_*`, and the variables of the tools whose files and hubs we share.

PADDOCK_HUB__RETRIES=3            nested with two underscores
PADDOCK_TEMPERATURE=0.2           the short ones, see `SHORT`
HF_ENDPOINT, HF_TOKEN, …          other tools' own, below PADDOCK_*
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from paddock.config.keys import Group, Key, Leaf, Shape, joined, leaves, nearest, root
from paddock.config.layers import Layer, Origin, Problem, Setting, read_layer, shown
from paddock.config.yaml_file import parse_value
from paddock.errors import InvalidConfig

PREFIX: Final = "PADDOCK_"
SHORT: Final[Mapping[str, Key]] = {
    "PADDOCK_MODEL": ("model", "default"),
    "PADDOCK_PROVIDER": ("model", "provider"),
    "PADDOCK_TEMPERATURE": ("options", "temperature"),
    "PADDOCK_MAX_TOKENS": ("options", "max_tokens"),
    "PADDOCK_CONTEXT_SIZE": ("options", "context_size"),
}
PROVIDER_HOST: Final = "PADDOCK_HOST"  # of the provider in PADDOCK_PROVIDER
USUAL_PROVIDER: Final = "ollama"
# Read elsewhere: the folder of everything, the first key of a server, the long form of the tests.
OTHERS: Final = frozenset({"PADDOCK_HOME", "PADDOCK_ADMIN_KEY", "PADDOCK_VAULT_PASSPHRASE", "PADDOCK_SOAK"})

_TRUE = frozenset({"1", "on", "yes", "true"})
_OLLAMA_PORT = 11434


def own_variables(environment: Mapping[str, str]) -> Layer:
    """The layer of `PADDOCK_*`. An empty variable says nothing."""
    whole = Layer()
    for name, text in _given(environment):
        key = _key(name, environment)
        if key is None:
            if name not in OTHERS:
                whole.warnings.append(f"`{name}` in the environment is not a setting and is ignored.{_near(name)}")
            continue
        shape = _shape(key)
        origin = Origin(f"environment {name}")
        try:
            value = text if isinstance(shape, Leaf) and not shape.free else parse_value(text, name)
        except InvalidConfig as error:
            problem = Problem(joined(key), shown(text), origin.phrase, f"cannot be read ({error.message})", error.hint)
            whole.problems.append(problem)
            continue
        layer = read_layer(_nested(key, value), lambda _, origin=origin: origin)
        whole.settings += layer.settings
        whole.problems += layer.problems
        whole.warnings += layer.warnings
    return whole


def borrowed_variables(environment: Mapping[str, str]) -> Layer:
    """The layer of other tools' variables."""
    layer = Layer()

    def say(variable: str, key: Key, value: Any) -> None:
        layer.settings.append(Setting(key, value, Origin(f"environment {variable}")))

    def text_of(variable: str) -> str:
        return environment.get(variable, "").strip()

    if endpoint := text_of("HF_ENDPOINT"):
        say("HF_ENDPOINT", ("hub", "endpoint"), endpoint)
    if offline := text_of("HF_HUB_OFFLINE"):
        say("HF_HUB_OFFLINE", ("hub", "offline"), offline.lower() in _TRUE)
    for variable in ("HUGGING_FACE_HUB_TOKEN", "HF_TOKEN"):
        if token := text_of(variable):
            say(variable, ("hub", "token"), token)
    for variable, name in (
        ("KAGGLE_USERNAME", "kaggle_username"),
        ("KAGGLE_KEY", "kaggle_key"),
        ("KAGGLE_API_TOKEN", "kaggle_token"),
    ):
        if value := text_of(variable):
            say(variable, ("hub", name), value)
    if host := text_of("OLLAMA_HOST"):
        say("OLLAMA_HOST", ("providers", "ollama", "host"), _ollama_address(host))
    return layer


def variable_of(key: Key) -> str:
    """The nested variable that sets this key."""
    return PREFIX + "__".join(key).upper()


def _given(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    # Short names come first, so that the exact nested name wins when both are there.
    names = (name for name in environment if name.startswith(PREFIX) and environment[name])
    for name in sorted(names, key=lambda name: ("__" in name, name)):
        yield name, environment[name]


def _key(name: str, environment: Mapping[str, str]) -> Key | None:
    if name in SHORT:
        return SHORT[name]
    if name == PROVIDER_HOST:
        return ("providers", environment.get("PADDOCK_PROVIDER") or USUAL_PROVIDER, "host")
    parts = tuple(name.removeprefix(PREFIX).lower().split("__"))
    return parts if all(parts) and _shape(parts) is not None else None


def _shape(key: Key) -> Shape | None:
    shape: Shape = root()
    for name in key:
        if isinstance(shape, Leaf):
            return None
        if isinstance(shape, Group):
            if name not in shape.children:
                return None
            shape = shape.children[name]
        else:
            shape = shape.item
    return shape


def _near(name: str) -> str:
    known = [*SHORT, PROVIDER_HOST, "PADDOCK_HOME", *(variable_of(key) for key, _ in leaves() if "<name>" not in key)]
    near = nearest(name, known)
    return f" Did you mean `{near}`?" if near else " `docs/reference/configuration.md` lists every variable."


def _nested(key: Key, value: Any) -> dict[str, Any]:
    for name in reversed(key):
        value = {name: value}
    return value


def _ollama_address(host: str) -> str:
    """Ollama takes `0.0.0.0`, `:11434`, `host:port` and full addresses; a client asks a full address."""
    scheme, separator, rest = host.rpartition("://")
    scheme = scheme if separator else "http"
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        port = parts.port
    except ValueError:
        return host  # the rule for addresses will say what is wrong
    name = parts.hostname or "127.0.0.1"
    name = "127.0.0.1" if name in ("0.0.0.0", "::") else name  # noqa: S104 (a server's "everywhere" is a client's "here")
    name = f"[{name}]" if ":" in name else name
    usual = {"https": 443, "http": 80}[scheme] if separator and scheme in ("http", "https") else _OLLAMA_PORT
    return f"{scheme}://{name}:{port or usual}{parts.path.rstrip('/')}"
