"""Programs that people talk to models with, and what each must be told to use a server of ours."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_CODEX_KEY: Final = "PADDOCK_API_KEY"
_INSTALLS: Final = {  # each program's own words
    "npm": "npm install -g {package}",
    "pip": "pipx install {package}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The server that a program is to use."""

    url: str  # without `/v1`
    key: str
    model: str

    @property
    def openai(self) -> str:
        return f"{self.url}/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a program is started."""

    variables: Mapping[str, str]
    words: tuple[str, ...] = ()  # before the words of the person, which win


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One program."""

    name: str
    install: str  # how people get it
    setup: Callable[[Place], Setup]
    program: str = field(default="")

    @property
    def command(self) -> str:
        """What it is called on the PATH."""
        return self.program or self.name


def _openai(place: Place) -> dict[str, str]:
    return {"OPENAI_BASE_URL": place.openai, "OPENAI_API_KEY": place.key}


def _claude(place: Place) -> Setup:
    """Its several models become the one. An API key of the person's own would win over the token, so it is put aside."""
    models = ("MODEL", "SMALL_FAST_MODEL", "DEFAULT_OPUS_MODEL", "DEFAULT_SONNET_MODEL", "DEFAULT_HAIKU_MODEL")
    return Setup(
        variables={
            "ANTHROPIC_BASE_URL": place.url,
            "ANTHROPIC_AUTH_TOKEN": place.key,
            "ANTHROPIC_API_KEY": "",
            **{f"ANTHROPIC_{name}": place.model for name in models},
            "CLAUDE_CODE_SUBAGENT_MODEL": place.model,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
    )


def _codex(place: Place) -> Setup:
    """It takes no address from the environment, only a provider from its settings, which words can add to."""
    provider = {
        "model_provider": "paddock",
        "model_providers.paddock.name": "Paddock",
        "model_providers.paddock.base_url": place.openai,
        "model_providers.paddock.env_key": _CODEX_KEY,
        "model_providers.paddock.wire_api": "responses",
    }
    words = [word for key, value in provider.items() for word in ("-c", f"{key}={json.dumps(value)}")]
    return Setup(variables={**_openai(place), _CODEX_KEY: place.key}, words=(*words, "-m", place.model))


def _opencode(place: Place) -> Setup:
    settings = {
        "model": f"paddock/{place.model}",
        "small_model": f"paddock/{place.model}",
        "provider": {
            "paddock": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Paddock",
                "options": {"baseURL": place.openai, "apiKey": "{env:PADDOCK_API_KEY}"},
                "models": {place.model: {"name": place.model}},
            }
        },
    }
    return Setup(
        variables={
            **_openai(place),
            "PADDOCK_API_KEY": place.key,
            "OPENCODE_CONFIG_CONTENT": json.dumps(settings, ensure_ascii=False),
        }
    )


def _aider(place: Place) -> Setup:
    return Setup(
        variables={
            **_openai(place),
            "OPENAI_API_BASE": place.openai,
            "AIDER_MODEL": f"openai/{place.model}",
            "AIDER_WEAK_MODEL": f"openai/{place.model}",
        }
    )


def _goose(place: Place) -> Setup:
    return Setup(
        variables={
            **_openai(place),
            "OPENAI_HOST": place.url,
            "OPENAI_BASE_PATH": "v1/chat/completions",
            "GOOSE_PROVIDER": "openai",
            "GOOSE_MODEL": place.model,
        }
    )


def _qwen(place: Place) -> Setup:
    return Setup(variables={**_openai(place), "OPENAI_MODEL": place.model})


def _ollama(place: Place) -> Setup:
    return Setup(variables={"OLLAMA_HOST": place.url, "OLLAMA_API_KEY": place.key})


def _node(package: str) -> str:
    return _INSTALLS["npm"].format(package=package)


TOOLS: Final[Mapping[str, Tool]] = {
    tool.name: tool
    for tool in (
        Tool(name="claude", install=_node("@anthropic-ai/claude-code"), setup=_claude),
        Tool(name="codex", install=_node("@openai/codex"), setup=_codex),
        Tool(name="opencode", install=_node("opencode-ai"), setup=_opencode),
        Tool(name="aider", install=_INSTALLS["pip"].format(package="aider-chat"), setup=_aider),
        Tool(name="goose", install="brew install block-goose-cli", setup=_goose),
        Tool(name="qwen", install=_node("@qwen-code/qwen-code"), setup=_qwen),
        Tool(name="ollama", install="brew install ollama", setup=_ollama),
    )
}
