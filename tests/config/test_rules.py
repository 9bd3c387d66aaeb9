"""An error about a setting names field, value, place, rule and remedy, and all of them come at once."""

import pytest

from paddock.errors import InvalidConfig

from .conftest import Machine


def test_an_error_names_field_value_place_rule_and_remedy(machine: Machine) -> None:
    machine.workspace_says("model: {default: pony}\n\noptions:\n  temperature: 3.5\n")
    with pytest.raises(InvalidConfig) as caught:
        machine.load()
    assert caught.value.message == (
        f"options.temperature is 3.5 (from {machine.workspace_file}, line 4): temperature must be between 0.0 and 2.0. "
        "Set a value from 0.0 to 2.0."
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("options: {maxTokens: 0}", "max tokens must be positive"),
        ("options: {max_tokens: 1.5}", "max tokens must be positive"),
        ("options: {top_p: 1.1}", "top P must be between 0.0 and 1.0"),
        ("options: {temperature: .nan}", "must be between"),
        ("options: {temperature: true}", "temperature is true"),
        ("options: {temperature: warm}", "options.temperature is `warm`"),
        ("options: {temperature: [1]}", "must be between"),
        ("options: 3", "options is 3"),
        ("model: pony", "is a section, not a value"),
        ("model: {default: 'two words'}", "is not a valid model name"),
        ("model: {default: '../x'}", "is not a valid model name"),
        ("model: {default: 'auto:fats'}", "is not a valid model name"),
        ("model: {default: 7}", "model.default is 7"),
        ("model: {routing: {defaultProfile: genral}}", "unknown routing profile; known are fast, general, code"),
        ("model: {routing: {overrides: {cod: pony}}}", "unknown routing profile"),
        ("model: {routing: {overrides: {code: 'a b'}}}", "model.routing.overrides.code is `a b`"),
        ("model: {routing: {enabled: perhaps}}", "must be true or false"),
        ("model: {routing: {profiles: {'My Own': {}}}}", "is not a name of a profile"),
        ("model: {routing: {profiles: {mine: {fallbackProfile: gone}}}}", "is an unknown routing profile"),
        ("model: {routing: {profiles: {mine: {requiredCapabilities: [sight]}}}}", "must be some of text, vision"),
        ("model: {routing: {profiles: {mine: {min_context_window: -1}}}}", "min context window must be"),
        ("model: {default: 'auto:mine', routing: {profiles: {yours: {}}}}", "is not a valid model name"),
        ("models: {'a b': {pin: true}}", "the name is not a valid model name"),
        ("models: {a: {keep_alive: 30 parsecs}}", "keep alive must be a duration"),
        ("providers: {ollama: {host: 'localhost:11434'}}", "must be an http or https address"),
        ("providers: {ollama: {host: 'http://u:p@x'}}", "must be an http or https address"),
        ("pool: {memory: 120%}", "must be a share of the device's memory or a size"),
        ("pool: {memory: 0}", "must be a share of the device's memory or a size"),
        ("pool: {max_models: 0}", "max models must be a whole number between 1 and 64"),
        ("pool: {policy: fifo}", "must be one of lru, largest, idle"),
        ("pool: {preset: low}", "must be one of default, low-memory"),
        ("disk: {factor: 0.5}", "factor must be between 1.0 and 100.0"),
        ("disk: {auto_prune: sometimes}", "auto prune must be true or false"),
        ("disk: {auto_prune_max_bytes: 5 bananas}", "must be a size in bytes"),
        ("server: {port: 70000}", "port must be a whole number between 0 and 65535"),
        ("server: {host: 'not a host'}", "must be an IP address or a host name"),
        ("hub: {endpoint: 'http://hub.example'}", "must be an https address"),
        ("hub: {endpoint: 'https://[x'}", "must be an https address"),
        ("database: {url: 'mysql://x'}", "must be empty or the address of a database"),
        ("options: {maxTokens: 1, max_tokens: 2}", "is given twice, as `maxTokens` and as `max_tokens`"),
    ],
)
def test_each_rule_refuses_and_says_why(machine: Machine, text: str, says: str) -> None:
    machine.user_says(text)
    with pytest.raises(InvalidConfig) as caught:
        machine.load()
    assert says in caught.value.message
    assert f"{machine.user_file}, line 1" in caught.value.message


def test_all_errors_come_at_once(machine: Machine) -> None:
    """One run per mistake is one run too many."""
    machine.user_says("options: {temperature: 3, top_p: 2}\npool: 4\n")
    machine.environment["PADDOCK_MAX_TOKENS"] = "none"
    outcome = machine.inspect({"disk.factor": 0})
    assert outcome.config is None
    assert {problem.key for problem in outcome.problems} == {
        "options.temperature",
        "options.top_p",
        "options.max_tokens",
        "pool",
        "disk.factor",
    }
    origins = {problem.key: problem.origin for problem in outcome.problems}
    assert origins["options.max_tokens"] == "environment PADDOCK_MAX_TOKENS"
    assert origins["disk.factor"] == "flag --factor"
    with pytest.raises(InvalidConfig, match="5 settings break a rule"):
        machine.load({"disk.factor": 0})


def test_a_value_that_is_overridden_can_do_no_harm(machine: Machine) -> None:
    machine.user_says("options: {temperature: 3}")
    assert machine.load({"options.temperature": 1.0}).options.temperature == 1.0


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("options: {temprature: 1}", "Did you mean `options.temperature`?"),
        ("optoins: {temperature: 1}", "Did you mean `options`?"),
        ("temperature: 1", "Did you mean `options.temperature`?"),
        ("disk: {zzzz: 1}", "Known in `disk`: factor, auto_prune"),
        ("model: {routing: {default_profil: fast}}", "Did you mean `model.routing.default_profile`?"),
    ],
)
def test_an_unknown_key_is_a_warning_with_the_nearest(machine: Machine, text: str, near: str) -> None:
    machine.user_says(text)
    (warning,) = machine.load().warnings
    assert near in warning
    assert "line 1" in warning


def test_an_unknown_variable_is_a_warning_with_the_nearest(machine: Machine) -> None:
    machine.environment |= {"PADDOCK_TEMPRATURE": "1", "PADDOCK_HUB__RETRYS": "1", "PADDOCK_ADMIN_KEY": "k"}
    warnings = machine.load().warnings
    assert len(warnings) == 2
    assert "`PADDOCK_TEMPERATURE`" in warnings[0]
    assert "`PADDOCK_HUB__RETRIES`" in warnings[1]


def test_a_hostile_value_is_shown_short_and_on_one_line(machine: Machine) -> None:
    machine.environment["PADDOCK_MODEL"] = "x\n\x1b[31m" + "y" * 5000
    with pytest.raises(InvalidConfig) as caught:
        machine.load()
    assert len(caught.value.message) < 500
    assert "\x1b" not in caught.value.message
    assert "\n" not in caught.value.message


def test_profiles_of_ones_own_are_known_wherever_profiles_are_named(machine: Machine) -> None:
    """They are checked only once all of them have been read."""
    machine.user_says(
        "model:\n  default: auto:mine\n  routing:\n    defaultProfile: mine\n    overrides: {mine: pony}\n    profiles:\n"
        "      mine: {preferredFamilies: [qwen, llama], requiredCapabilities: 'streaming,tools', fallbackProfile: code}\n"
    )
    routing = machine.load().model.routing
    assert routing.profiles["mine"].preferred_families == "qwen,llama"
    assert routing.profiles["mine"].fallback_profile == "code"


def test_a_workspace_does_not_say_where_prompts_go(machine: Machine) -> None:
    """A key that its owner keeps for one host would otherwise travel to another."""
    machine.workspace_says("providers: {openai: {host: 'https://evil.example', automatic: true, enabled: true}}\n")
    config = machine.load()
    assert config.providers["openai"].host is None
    assert not config.providers["openai"].automatic
    assert len(config.warnings) == 2
