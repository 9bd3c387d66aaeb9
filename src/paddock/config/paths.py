"""The folders: ours, and those where other tools keep models. Computed from the environment, never from the disk.

`PADDOCK_HOME` puts config, data, state and cache under one folder. Otherwise the XDG variables decide, and
where they are silent the platform's customs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOME_VARIABLE = "PADDOCK_HOME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Absolute paths; none of them needs to exist."""

    config: Path
    data: Path
    state: Path
    cache: Path
    workspace: Path  # the folder that the program was started in
    huggingface_home: Path
    huggingface_cache: Path  # where repositories are, `…/hub`
    huggingface_token: Path
    ollama_folders: tuple[Path, ...]
    lmstudio_folders: tuple[Path, ...]
    llamacpp_folders: tuple[Path, ...]
    kaggle_credentials: Path

    @property
    def config_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.yaml"

    @property
    def workspace_file(self) -> Path:
        """This folder's settings, above the user's."""
        return self.workspace / ".paddock" / "config.yaml"

    @property
    def database_file(self) -> Path:
        return self.data / "paddock.db"

    @property
    def airgap_ledger(self) -> Path:
        """What was turned down with `--airgap`, in all processes."""
        return self.state / "airgap.jsonl"

    @property
    def master_key_file(self) -> Path:
        """What opens the vault, where no keyring has it."""
        return self.data / "master.key"


def find_paths(environment: Mapping[str, str], *, workspace: Path, home: Path, platform: str) -> Paths:
    """The folders for this environment. `platform` is what `sys.platform` says; relative paths start at `workspace`."""
    place = _Places(environment, workspace, home)
    macos = platform == "darwin"
    library = home / "Library"
    caches = place.xdg("XDG_CACHE_HOME", home / ".cache")  # other tools use this one on macOS, too
    base = place.given(HOME_VARIABLE)
    if base is not None:
        config, data, state, cache = (base / name for name in ("config", "data", "state", "cache"))
    else:
        application = library / "Application Support" / "paddock"
        config = place.xdg("XDG_CONFIG_HOME", home / ".config") / "paddock"
        data = application if macos else place.xdg("XDG_DATA_HOME", home / ".local" / "share") / "paddock"
        state = application / "state" if macos else place.xdg("XDG_STATE_HOME", home / ".local" / "state") / "paddock"
        cache = library / "Caches" / "paddock" if macos else caches / "paddock"

    huggingface_home = place.given("HF_HOME") or caches / "huggingface"
    ollama = place.given("OLLAMA_MODELS")
    # Ollama's installer for Linux runs the service as a user of its own, whose home this is.
    ollama_service = () if macos else (Path("/usr/share/ollama/.ollama/models"),)
    llamacpp = place.given("LLAMA_CACHE")
    llamacpp_usual = (library / "Caches" / "llama.cpp",) if macos else ()
    return Paths(
        config=config,
        data=data,
        state=state,
        cache=cache,
        workspace=workspace,
        huggingface_home=huggingface_home,
        huggingface_cache=place.given("HF_HUB_CACHE")
        or place.given("HUGGINGFACE_HUB_CACHE")
        or huggingface_home / "hub",
        huggingface_token=place.given("HF_TOKEN_PATH") or huggingface_home / "token",
        ollama_folders=(ollama,) if ollama else (home / ".ollama" / "models", *ollama_service),
        lmstudio_folders=(home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"),
        llamacpp_folders=(llamacpp,) if llamacpp else (*llamacpp_usual, caches / "llama.cpp"),
        kaggle_credentials=(place.given("KAGGLE_CONFIG_DIR") or home / ".kaggle") / "kaggle.json",
    )


def path_sources(environment: Mapping[str, str]) -> dict[str, str]:
    """Which variable decided which path, for `config show --source`."""
    deciding = {
        "paths.config": (HOME_VARIABLE, "XDG_CONFIG_HOME"),
        "paths.data": (HOME_VARIABLE, "XDG_DATA_HOME"),
        "paths.state": (HOME_VARIABLE, "XDG_STATE_HOME"),
        "paths.cache": (HOME_VARIABLE, "XDG_CACHE_HOME"),
        "paths.huggingface_home": ("HF_HOME", "XDG_CACHE_HOME"),
        "paths.huggingface_cache": ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"),
        "paths.huggingface_token": ("HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME"),
        "paths.ollama_folders": ("OLLAMA_MODELS",),
        "paths.llamacpp_folders": ("LLAMA_CACHE", "XDG_CACHE_HOME"),
        "paths.kaggle_credentials": ("KAGGLE_CONFIG_DIR",),
    }
    found: dict[str, str] = {}
    for key, variables in deciding.items():
        name = next((variable for variable in variables if environment.get(variable)), None)
        if name is not None:
            found[key] = f"environment {name}"
    return found


@dataclass(frozen=True, slots=True)
class _Places:
    environment: Mapping[str, str]
    workspace: Path
    home: Path

    def given(self, variable: str) -> Path | None:
        """The folder that a variable names; unset and empty are the same."""
        text = self.environment.get(variable, "")
        if not text:
            return None
        if text == "~" or text.startswith("~/"):
            return self.home / text[2:]
        return self.workspace / text

    def xdg(self, variable: str, usual: Path) -> Path:
        """The XDG rules say that a relative path is to be ignored."""
        text = self.environment.get(variable, "")
        return Path(text) if text.startswith("/") else usual
