"""Rules decide in a fixed order, never slowly, and are refused with the reason before they can do harm."""

import pytest

from paddock.errors import UsageError
from paddock.gateway.rules import Match, Rule, RuleSet, RuleTarget, check_rule, matched

from .building import model, routed, rule, targets


def decides(*rules: Rule, name: str) -> str | None:
    found = RuleSet(rules).match(name)
    return found.rule.name if found else None


def test_exact_before_the_longest_prefix_before_regex() -> None:
    rules = (
        rule("any", "regex", "gpt-.*"),
        rule("short", "prefix", "gpt"),
        rule("long", "prefix", "gpt-5"),
        rule("exact", "exact", "gpt-5-mini"),
    )
    assert decides(*rules, name="gpt-5-mini") == "exact"
    assert decides(*rules, name="gpt-5-nano") == "long"
    assert decides(*rules, name="gpt-4") == "short"
    assert decides(rules[0], name="gpt-4") == "any"
    assert decides(*rules, name="claude") is None


def test_priority_stands_above_the_kind_and_the_name_below_it() -> None:
    rules = (rule("b", "regex", ".*", priority=5), rule("a", "exact", "pony"), rule("c", "regex", "p.*", priority=5))
    assert decides(*rules, name="pony") == "b"
    assert decides(*reversed(rules), name="pony") == "b"


def test_a_rule_that_is_off_never_decides() -> None:
    assert decides(rule("off", "exact", "pony", enabled=False), rule("on", "prefix", "po"), name="pony") == "on"


def test_a_regex_has_to_fit_the_whole_name() -> None:
    assert decides(rule("r", "regex", "gpt"), name="gpt-5") is None


def test_a_pattern_that_would_take_forever_elsewhere_is_done_at_once() -> None:
    """Python's own `re` would be at it for longer than the universe has been."""
    evil = rule("evil", "regex", "(a*)*b")
    assert decides(evil, name="a" * 20000) is None


def test_half_a_character_fits_nothing_and_breaks_nothing() -> None:
    assert decides(rule("all", "regex", ".*"), name="a\ud800") is None
    assert decides(rule("all", "prefix", "a"), name="a\ud800") == "all"


@pytest.mark.parametrize(
    ("given", "asked", "model"),
    [
        (rule("r", "prefix", "openai/", "cloud/{rest}"), "openai/gpt-5", "gpt-5"),
        (rule("r", "regex", "(.*)-(fast|slow)", "cloud/{2}:{1}"), "gpt-fast", "fast:gpt"),
        (rule("r", "regex", "(a)?b", "cloud/x{1}"), "b", "x"),
        (rule("r", "exact", "x", "cloud/my-{model}"), "x", "my-x"),
        (rule("r", "exact", "x", "cloud/"), "x", "x"),
        (rule("r", "regex", "(.*)", "cloud/{1}"), "{model}", "{model}"),
    ],
)
def test_a_target_may_be_made_of_what_was_asked(given: Rule, asked: str, model: str) -> None:
    check_rule(given)
    found = RuleSet([given]).match(asked)
    assert found is not None
    assert found.model(given.targets[0]) == model


@pytest.mark.parametrize(
    ("wrong", "param", "says"),
    [
        (rule("", "exact", "x"), "name", "no name"),
        (rule("a b", "exact", "x"), "name", "no name"),
        (rule("r", "exact", ""), "pattern", "no pattern"),
        (rule("r", "regex", "("), "pattern", "missing )"),
        (rule("r", "regex", "(?=a)"), "pattern", "no regular expression"),
        (rule("r", "regex", "(a{1000}){1000}"), "pattern", "no regular expression"),
        (Rule(name="r", match=Match.EXACT, pattern="x", targets=()), "targets", "nowhere"),
        (Rule(name="r", match=Match.EXACT, pattern="x", targets=(RuleTarget(),)), "targets[0]", "names nothing"),
        (rule("r", "exact", "x", "cloud/{rest}"), "targets[0].model", "stands for nothing"),
        (rule("r", "regex", "(x)", "cloud/{2}"), "targets[0].model", "stands for nothing"),
        (rule("r", "exact", "x", priority=10**9), "priority", "no priority"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(wrong: Rule, param: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_rule(wrong)
    assert caught.value.param == param
    assert says in caught.value.message


def test_a_rule_leads_along_its_chain_and_carries_options() -> None:
    given = Rule(
        name="gpt",
        match=Match.PREFIX,
        pattern="gpt-",
        targets=(RuleTarget(provider="openai", options={"seed": 1}), RuleTarget(model="auto:general")),
    )
    found = routed("gpt-5", model("llama3.1:8b", "llama"), rules=(given,))
    assert targets(found) == ["openai/gpt-5", "llama3.1:8b"]
    assert {one.route for one in found.targets} == {"rule:gpt"}
    assert found.targets[0].options == {"seed": 1}
    assert found.rule == "gpt"


def test_a_broken_link_of_a_chain_is_a_warning_and_the_chain_goes_on() -> None:
    found = routed("x", model("llama"), rules=(rule("r", "exact", "x", "/gone", "/llama"),))
    assert targets(found) == ["llama"]
    assert "`gone`" in found.warnings[0]
    alone = routed("x", model("llama"), rules=(rule("r", "exact", "x", "/gone"),))
    assert alone.failure is not None


def test_a_rule_may_stand_over_a_model_that_is_here_and_over_auto() -> None:
    here = model("llama", "llama")
    assert targets(routed("llama", here, rules=(rule("r", "exact", "llama", "cloud/big"),))) == ["cloud/big"]
    assert targets(routed("auto:code", here, rules=(rule("r", "prefix", "auto", "cloud/big"),))) == ["cloud/big"]


def test_names_lead_to_this_machine_then_to_providers() -> None:
    here = model("llama", aliases=("l",))
    there = model("llama", provider="cloud")
    other = model("gpt", provider="cloud")
    assert targets(routed("llama", here, there)) == ["llama"]
    assert routed("l", here).targets[0].route == "alias"
    assert targets(routed("gpt", here, other)) == ["cloud/gpt"]
    assert targets(routed("cloud/llama", here, there)) == ["cloud/llama"]
    assert targets(routed("unheard-of", here, default_provider="cloud")) == ["cloud/unheard-of"]
    assert routed("unheard-of", here).failure is not None
    assert routed("", here, default_model="llama").targets[0].route == "default"


def test_a_rule_tells_what_it_would_catch_whoever_decides() -> None:
    one = rule("r", "prefix", "gpt-", "cloud/{rest}")
    assert (caught := matched(one, "gpt-5")) is not None
    assert caught.rest == "5"
    assert matched(one, "claude") is None
