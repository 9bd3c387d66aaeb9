"""`auto` takes the model that suits the work, says why, and never one that is not there or cannot do it."""

import pytest

from paddock.errors import NotFound
from paddock.gateway.profiles import Profile, Profiles, matches_profile, preferred_family, select

from .building import BUILTINS, PONY, model, routed, targets

LLAMA = model("llama3.1:8b", "llama", 128000, can="tools")
QWEN = model("qwen3:4b", "qwen", 32768, can="tools thinking")
PHI = model("phi3:mini", "phi", 4096)
CODELLAMA = model("codellama:7b", "codellama", 16384)


def test_the_four_profiles_are_those_of_the_design() -> None:
    """Families, contexts and fallbacks are promised by name."""
    told = {
        one.name: (one.preferred_families, one.min_context_window, one.fallback_profile) for one in Profiles().all()
    }
    assert told == {
        "fast": (("phi", "gemma", "mistral"), 4096, "general"),
        "general": (("llama", "mistral", "qwen"), 8192, None),
        "code": (("codellama", "deepseek-coder", "starcoder"), 16384, "general"),
        "creative": (("llama", "mistral"), 8192, "general"),
    }


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        ("auto", ["llama3.1:8b", "codellama:7b", "qwen3:4b"]),
        ("auto:general", ["llama3.1:8b", "codellama:7b", "qwen3:4b"]),
        ("auto:fast", ["phi3:mini", "llama3.1:8b", "qwen3:4b", "codellama:7b"]),
        ("auto:code", ["codellama:7b", "llama3.1:8b", "qwen3:4b"]),
    ],
)
def test_preferred_families_come_first_and_the_others_stand_by(asked: str, order: list[str]) -> None:
    assert targets(routed(asked, QWEN, PHI, CODELLAMA, LLAMA, *BUILTINS)) == order


def test_what_is_too_small_or_cannot_do_it_is_rejected_with_the_reason() -> None:
    found = routed("auto:general", PHI, QWEN, needs=("vision",))
    reasons = {(one.model, one.reason) for one in found.considered if not one.fits}
    assert ("phi3:mini", "`general`: its context of 4,096 is below 8,192") in reasons
    assert ("qwen3:4b", "`general`: it lacks vision") in reasons
    assert found.targets == ()
    assert found.failure is not None
    assert "vision" in found.failure.message


def test_a_profile_without_a_match_falls_back() -> None:
    small = model("tiny-mistral", "mistral", 8192)
    found = routed("auto:code", small)
    assert targets(found) == ["tiny-mistral"]
    assert found.targets[0].route == "profile:general"
    assert any("falls back on `general`" in step for step in found.steps)


def test_an_override_comes_before_the_profile_and_the_profile_stands_by() -> None:
    found = routed("auto:code", LLAMA, CODELLAMA, PHI, overrides={"code": "phi3:mini"})
    assert targets(found) == ["phi3:mini", "codellama:7b", "llama3.1:8b"]


def test_an_override_that_is_not_here_is_a_warning() -> None:
    found = routed("auto:code", LLAMA, overrides={"code": "gone:7b"})
    assert targets(found) == ["llama3.1:8b"]
    assert "`gone:7b`, which is not here" in found.warnings[0]


def test_an_override_that_lacks_what_the_request_needs_is_passed_over() -> None:
    """A picture sent to a model without eyes helps nobody."""
    seeing = model("llava:7b", "llava", can="vision")
    found = routed("auto", LLAMA, seeing, overrides={"general": "llama3.1:8b"}, needs=("vision",))
    assert targets(found) == ["llava:7b"]
    assert "lacks vision" in found.warnings[0]


def test_with_nothing_but_built_in_models_pony_answers() -> None:
    found = routed("auto:code", *BUILTINS)
    assert targets(found) == ["pony"]
    assert found.targets[0].route == "builtin"
    assert targets(routed("auto", *BUILTINS, needs=("vision",))) == ["pony-vision"]


def test_a_real_model_that_does_not_fit_is_an_error_and_no_toy_answers_for_it() -> None:
    found = routed("auto", model("llama2", "llama", 4096), *BUILTINS)
    assert found.targets == ()
    assert found.failure is not None
    assert found.failure.code == "model_not_found"


def test_built_in_models_come_last_where_a_profile_takes_them() -> None:
    profiles = Profiles([Profile(name="small", preferred_families=("qwen",), min_context_window=1024)])
    assert targets(routed("auto:small", PONY, LLAMA, profiles=profiles)) == ["llama3.1:8b", "pony"]


def test_with_routing_off_auto_is_the_default_model() -> None:
    found = routed("auto:code", LLAMA, CODELLAMA, enabled=False, default_model="llama3.1:8b")
    assert targets(found) == ["llama3.1:8b"]
    assert found.targets[0].route == "default"
    circular = routed("auto", LLAMA, enabled=False, default_model="auto")
    assert circular.failure is not None
    assert "model.routing.enabled" in circular.failure.hint


def test_models_of_others_take_part_only_when_their_provider_says_so() -> None:
    """A prompt leaves this machine because somebody decided that, never by itself."""
    cloud = model("llama-giant", "llama", 200000, provider="cloud", automatic=False)
    assert targets(routed("auto", cloud, QWEN)) == ["qwen3:4b"]
    invited = model("llama-giant", "llama", 200000, provider="cloud")
    assert targets(routed("auto", invited, QWEN)) == ["cloud/llama-giant", "qwen3:4b"]


def test_what_was_measured_breaks_ties() -> None:
    guessed = model("mistral-a", "mistral", 32768, can="tools")
    shown = model("mistral-b", "mistral", 32768, can="tools", measured=frozenset({"tools"}))
    quick = model("mistral-c", "mistral", 32768, can="tools", measured=frozenset({"tools"}), tokens_per_second=90.0)
    slow = model("mistral-d", "mistral", 32768, can="tools", measured=frozenset({"tools"}), tokens_per_second=9.0)
    order = targets(routed("auto:creative", guessed, slow, shown, quick, needs=("tools",)))
    assert order == ["mistral-c", "mistral-d", "mistral-b", "mistral-a"]


def test_the_most_specific_family_counts_whatever_its_case() -> None:
    assert preferred_family("CodeLlama", ["llama", "codellama"]) == "codellama"
    assert preferred_family("qwen", ["llama"]) is None
    chosen = select(Profile(name="x", preferred_families=("llama",)), [CODELLAMA, LLAMA])
    assert [one.name for one in chosen.fits] == ["llama3.1:8b", "codellama:7b"], "a llama is more of a llama"


def test_unknown_capabilities_fit_nobody() -> None:
    assert not matches_profile(LLAMA, Profile(name="x", required_capabilities=("telepathy",)))
    assert matches_profile(LLAMA, Profile(name="x", required_capabilities=("streaming", "tools")))


def test_a_profile_that_does_not_exist_is_named_with_those_that_do() -> None:
    found = routed("auto:kode", LLAMA)
    assert found.failure is not None
    assert "`kode`" in found.failure.message
    assert "fast, general, code, creative" in found.failure.hint
    with pytest.raises(NotFound):
        Profiles().get("kode")


def test_profiles_that_fall_back_in_circles_end() -> None:
    profiles = Profiles(
        [
            Profile(name="a", min_context_window=10**9, fallback_profile="b"),
            Profile(name="b", min_context_window=10**9, fallback_profile="a"),
        ]
    )
    assert [one.name for one in profiles.chain("a")] == ["a", "b"]
    assert routed("auto:a", LLAMA, profiles=profiles).failure is not None


def test_an_own_profile_hides_the_one_of_its_name() -> None:
    profiles = Profiles([Profile(name="code", preferred_families=("qwen",), own=True)])
    assert targets(routed("auto:code", CODELLAMA, QWEN, profiles=profiles))[0] == "qwen3:4b"
