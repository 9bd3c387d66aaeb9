"""Every value has one source, and the stronger source wins."""

import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from paddock.config.lookup import all_values, get_value
from paddock.config.schema import model_options
from paddock.errors import InvalidConfig, StorageError

from .conftest import Machine


def test_a_fresh_machine_runs_with_defaults(machine: Machine) -> None:
    """No file is the usual case; it is neither an error nor a warning."""
    config = machine.load()
    assert config.model.default == "pony"
    assert config.disk.factor == 2.0
    assert config.hub.endpoint == "https://huggingface.co"
    assert config.source_of("disk.factor") == "default"
    assert config.warnings == ()


def test_flags_stand_above_environment_above_workspace_above_user_above_defaults(machine: Machine) -> None:
    """The order is a promise; each layer is taken away in turn and the next one shows."""
    machine.user_says("options:\n  temperature: 0.1\n")
    machine.workspace_says("options:\n\n  temperature: 0.2\n")
    machine.environment["PADDOCK_TEMPERATURE"] = "0.3"
    flagged = machine.load({"options.temperature": 0.4})
    assert (flagged.options.temperature, flagged.source_of("options.temperature")) == (0.4, "flag --temperature")
    environment = machine.load({"options.temperature": None})
    assert environment.options.temperature == 0.3
    assert environment.source_of("options.temperature") == "environment PADDOCK_TEMPERATURE"
    machine.environment.clear()
    workspace = machine.load()
    assert (workspace.options.temperature, workspace.source_of("options.temperature")) == (
        0.2,
        f"{machine.workspace_file}:3",
    )
    machine.workspace_file.unlink()
    user = machine.load()
    assert (user.options.temperature, user.source_of("options.temperature")) == (0.1, f"{machine.user_file}:2")
    machine.user_file.unlink()
    assert machine.load().options.temperature == 0.7


def test_layers_merge_key_by_key_not_section_by_section(machine: Machine) -> None:
    machine.user_says("options: {temperature: 0.1, top_p: 0.5}\nproviders: {ollama: {options: {num_ctx: 1, a: [1]}}}")
    machine.workspace_says("options: {temperature: 0.2}\nproviders: {ollama: {options: {num_ctx: 2}}}")
    config = machine.load()
    assert (config.options.temperature, config.options.top_p) == (0.2, 0.5)
    assert config.providers["ollama"].options == {"num_ctx": 2, "a": [1]}


def test_a_folder_above_the_workspace_says_nothing(machine: Machine) -> None:
    """Settings that apply by accident of where one stands are settings nobody finds."""
    (machine.workspace / ".paddock").mkdir()
    machine.workspace_says("options: {temperature: 0.2}")
    machine.workspace = machine.workspace / "below"
    machine.workspace.mkdir()
    assert machine.load().options.temperature == 0.7


def test_a_workspace_does_not_decide_where_tokens_go(machine: Machine) -> None:
    """A cloned repository that sets the hub's address would otherwise be sent the owner's token."""
    machine.workspace_says(
        "hub: {endpoint: 'https://evil.example', retries: 1}\ndatabase: {url: 'postgresql://evil/x'}\n"
    )
    config = machine.load()
    assert config.hub.endpoint == "https://huggingface.co"
    assert config.database.url == ""
    assert config.hub.retries == 1
    assert len(config.warnings) == 2
    assert all("is ignored" in warning for warning in config.warnings)


def test_nested_variables_reach_every_key(machine: Machine) -> None:
    machine.environment |= {
        "PADDOCK_HUB__RETRIES": "3",
        "PADDOCK_DISK__AUTO_PRUNE": "on",
        "PADDOCK_POOL__MEMORY": "4GB",
        "PADDOCK_MODEL__ROUTING__OVERRIDES": "{code: qwen2.5-coder:7b}",
        "PADDOCK_PROVIDERS__OLLAMA__OPTIONS__NUM_CTX": "8192",
        "PADDOCK_MODELS__PONY__OPTIONS__TOP_P": "0.5",
        "PADDOCK_OPTIONS__TOP_K": "",
    }
    config = machine.load()
    assert config.hub.retries == 3
    assert config.disk.auto_prune is True
    assert config.pool.memory.of(0) == 4_000_000_000
    assert config.model.routing.overrides == {"code": "qwen2.5-coder:7b"}
    assert config.providers["ollama"].options == {"num_ctx": 8192}
    assert config.models["pony"].options.top_p == 0.5
    assert config.options.top_k is None


def test_short_variables_and_the_provider_host(machine: Machine) -> None:
    machine.environment |= {
        "PADDOCK_MODEL": "foal",
        "PADDOCK_PROVIDER": "studio",
        "PADDOCK_HOST": "http://10.0.0.2:1234",
        "PADDOCK_MAX_TOKENS": "100",
        "PADDOCK_CONTEXT_SIZE": "2048",
    }
    config = machine.load()
    assert (config.model.default, config.model.provider) == ("foal", "studio")
    assert config.providers["studio"].host == "http://10.0.0.2:1234"
    assert (config.options.max_tokens, config.options.context_size) == (100, 2048)


def test_other_tools_variables_are_honoured_and_named_as_sources(machine: Machine) -> None:
    machine.environment |= {
        "HF_ENDPOINT": "http://127.0.0.1:9000/",
        "HF_TOKEN": "hf_secret",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": "/models/hf",
        "OLLAMA_HOST": "0.0.0.0",
        "OLLAMA_MODELS": "/models/ollama",
        "KAGGLE_API_TOKEN": "k",
    }
    config = machine.load()
    assert config.hub.endpoint == "http://127.0.0.1:9000"
    assert config.hub.token is not None
    assert config.hub.token.get_secret_value() == "hf_secret"
    assert config.hub.offline is True
    assert config.providers["ollama"].host == "http://127.0.0.1:11434"
    assert config.paths.huggingface_cache == Path("/models/hf/hub")
    assert config.paths.ollama_folders == (Path("/models/ollama"),)
    assert config.source_of("hub.endpoint") == "environment HF_ENDPOINT"
    assert config.source_of("paths.huggingface_cache") == "environment HF_HOME"
    machine.environment["PADDOCK_HUB__ENDPOINT"] = "https://own.example"
    assert machine.load().hub.endpoint == "https://own.example"


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (":8000", "http://127.0.0.1:8000"),
        ("box:1", "http://box:1"),
        ("https://box", "https://box:443"),
        ("[::1]:9", "http://[::1]:9"),
        ("http://box/path/", "http://box:80/path"),
    ],
)
def test_an_ollama_host_becomes_an_address(machine: Machine, said: str, address: str) -> None:
    machine.environment["OLLAMA_HOST"] = said
    assert machine.load().providers["ollama"].host == address


def test_stored_tokens_of_other_tools_are_used(machine: Machine) -> None:
    """Who logged in once with `hf auth login` is not asked again."""
    token = machine.home / ".cache" / "huggingface" / "token"
    token.parent.mkdir(parents=True)
    token.write_text("hf_stored\n")
    kaggle = machine.home / ".kaggle" / "kaggle.json"
    kaggle.parent.mkdir()
    kaggle.write_text('{"username": "someone", "key": "k1"}')
    config = machine.load()
    assert config.hub.token is not None
    assert config.hub.token.get_secret_value() == "hf_stored"
    assert config.source_of("hub.token") == str(token)
    assert config.hub.kaggle_username == "someone"
    kaggle.write_text("[[[")
    assert "is not what Kaggle writes" in machine.load().warnings[0]


def test_secrets_are_never_shown(machine: Machine) -> None:
    machine.environment |= {
        "HF_TOKEN": "hf_secret",
        "KAGGLE_KEY": "kaggle_secret",
        "PADDOCK_DATABASE__URL": "postgresql://me:pass_secret@host/name",
    }
    config = machine.load()
    text = repr(config.hub) + repr([(value.key, value.value) for value in all_values(config)])
    assert "hf_secret" not in text
    assert "kaggle_secret" not in text
    assert "pass_secret" not in text
    machine.environment["HF_TOKEN"] = "hf_secret\nX-Other: 1"
    with pytest.raises(InvalidConfig) as caught:
        machine.load()
    assert "hf_secret" not in str(caught.value)


def test_a_secret_in_a_file_is_refused(machine: Machine) -> None:
    machine.user_says("hub:\n  token: hf_secret\n")
    with pytest.raises(InvalidConfig, match=r"hub\.token is hidden .*line 2.*secret") as caught:
        machine.load()
    assert "hf_secret" not in str(caught.value)


def test_the_low_memory_preset_fills_in_what_nobody_set(machine: Machine) -> None:
    machine.user_says("pool: {preset: low-memory}")
    config = machine.load()
    assert (config.pool.max_models, config.pool.memory.of(10**12)) == (1, 4_000_000_000)
    assert config.source_of("pool.memory") == "preset low-memory"
    machine.environment["PADDOCK_POOL__MAX_MODELS"] = "2"
    assert machine.load().pool.max_models == 2


def test_options_for_one_model_leave_the_others_alone(machine: Machine) -> None:
    machine.user_says("options: {temperature: 0.9}\nmodels: {a.b-c: {options: {temperature: 0.0, max_tokens: 7}}}")
    config = machine.load()
    assert (model_options(config, "a.b-c").temperature, model_options(config, "a.b-c").max_tokens) == (0.0, 7)
    assert model_options(config, "a.b-c").top_p == config.options.top_p
    assert model_options(config, "a.b") == config.options


def test_provider_options_pass_through_untouched(machine: Machine) -> None:
    """Document D's own example is camelCase there; renaming it would lose it at the provider."""
    machine.user_says("providers: {ollama: {options: {numCtx: 8192, nested: {deepKey: [1, {x: off}]}, empty: {}}}}")
    options = machine.load().providers["ollama"].options
    assert options == {"numCtx": 8192, "nested": {"deepKey": [1, {"x": "off"}]}, "empty": {}}


def test_a_provider_without_settings_is_still_there(machine: Machine) -> None:
    machine.user_says("providers: {apple: {}, other: }")
    assert set(machine.load().providers) == {"apple", "other"}


def test_the_result_cannot_be_changed(machine: Machine) -> None:
    config = machine.load()
    with pytest.raises(ValidationError):
        config.disk.factor = 3.0  # type: ignore[misc]
    with pytest.raises(ValidationError):
        config.warnings = ("x",)  # type: ignore[misc]


def test_show_lists_every_setting_with_its_source(machine: Machine) -> None:
    machine.user_says("disk: {factor: 3, auto_prune_max_bytes: 100GB}\nmodels: {pony: {keep_alive: 90m}}")
    shown = {value.key: (value.value, value.source) for value in all_values(machine.load())}
    assert shown["disk.factor"] == (3.0, f"{machine.user_file}:1")
    assert shown["disk.auto_prune_max_bytes"][0] == "100GB"
    assert shown["models.pony.keep_alive"][0] == "1h30m"
    assert shown["pool.memory"] == ("75%", "default")
    assert shown["paths.config"][0] == str(machine.user_file.parent)


def test_get_answers_one_key_and_helps_with_a_wrong_one(machine: Machine) -> None:
    config = machine.load()
    assert get_value(config, "disk.factor").value == 2.0
    assert get_value(config, "options.maxTokens").value == 4096
    assert get_value(config, "models.qwen2.5-coder.pin").value is False
    with pytest.raises(InvalidConfig) as caught:
        get_value(config, "disk.faktor")
    assert "`disk.factor`" in caught.value.hint
    with pytest.raises(InvalidConfig, match="is a section"):
        get_value(config, "disk")


def test_a_flag_that_is_no_setting_is_our_mistake_and_says_so(machine: Machine) -> None:
    with pytest.raises(InvalidConfig) as caught:
        machine.load({"options.temprature": 1})
    assert "options.temperature" in caught.value.hint


def test_a_settings_file_that_cannot_be_read_is_a_storage_error(machine: Machine) -> None:
    machine.user_file.mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be read"):
        machine.load()


def test_merging_takes_less_than_ten_milliseconds(machine: Machine) -> None:
    """Every command pays it. Processor time, with files, variables and flags; the best of many, for the machine is shared."""
    machine.user_says("options: {temperature: 0.1}\nmodels: {a: {options: {top_p: 0.1}}, b: {pin: true}}")
    machine.workspace_says("options: {temperature: 0.2}")
    machine.environment |= {"PADDOCK_TEMPERATURE": "0.3", "HF_ENDPOINT": "https://hub.example"}
    machine.load()
    taken = []
    for _ in range(20):
        start = time.process_time()
        machine.load({"options.temperature": 0.4})
        taken.append(time.process_time() - start)
    assert min(taken) < 0.010
