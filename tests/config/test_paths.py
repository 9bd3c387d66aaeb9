"""Where things are is decided by the environment alone, so that a test or a container can say it."""

from pathlib import Path

from paddock.config.paths import Paths, find_paths

HOME, WORK = Path("/home/me"), Path("/work")


def paths(platform: str = "linux", **environment: str) -> Paths:
    return find_paths(environment, workspace=WORK, home=HOME, platform=platform)


def test_one_variable_puts_everything_under_one_folder() -> None:
    found = paths(PADDOCK_HOME="/srv/paddock", XDG_CONFIG_HOME="/elsewhere")
    assert (found.config, found.data, found.state, found.cache) == tuple(
        Path("/srv/paddock") / name for name in ("config", "data", "state", "cache")
    )
    assert found.config_file == Path("/srv/paddock/config/config.yaml")
    assert found.database_file == Path("/srv/paddock/data/paddock.db")
    assert paths(PADDOCK_HOME="~/p").config == HOME / "p/config"
    assert paths(PADDOCK_HOME="here").config == WORK / "here/config"


def test_xdg_variables_decide_and_relative_ones_are_ignored() -> None:
    assert paths(XDG_CONFIG_HOME="/c").config_file == Path("/c/paddock/config.yaml")
    assert paths(XDG_CONFIG_HOME="c").config_file == HOME / ".config/paddock/config.yaml"
    assert paths(XDG_DATA_HOME="/d").data == Path("/d/paddock")
    assert paths(XDG_CACHE_HOME="/k").huggingface_cache == Path("/k/huggingface/hub")


def test_macos_has_its_own_customs() -> None:
    found = paths("darwin")
    assert found.data == HOME / "Library/Application Support/paddock"
    assert found.cache == HOME / "Library/Caches/paddock"
    assert found.config_file == HOME / ".config/paddock/config.yaml"
    assert found.llamacpp_folders[0] == HOME / "Library/Caches/llama.cpp"
    assert found.ollama_folders == (HOME / ".ollama/models",)


def test_other_tools_folders_are_where_they_keep_them() -> None:
    found = paths()
    assert found.huggingface_cache == HOME / ".cache/huggingface/hub"
    assert found.ollama_folders[0] == HOME / ".ollama/models"
    assert found.lmstudio_folders == (HOME / ".lmstudio/models", HOME / ".cache/lm-studio/models")
    assert found.llamacpp_folders == (HOME / ".cache/llama.cpp",)
    assert paths(HF_HUB_CACHE="/h", HF_HOME="/x").huggingface_cache == Path("/h")
    assert paths(LLAMA_CACHE="/l").llamacpp_folders == (Path("/l"),)
