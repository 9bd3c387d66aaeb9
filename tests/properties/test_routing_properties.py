"""Properties 7 to 10 of document D, over random profiles, models and rules; and what holds of rules."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.gateway import patterns
from paddock.gateway.candidates import Candidate, Models
from paddock.gateway.profiles import BUILT_IN, Profile, Profiles, matches_profile, preferred_family
from paddock.gateway.routing import RoutingSettings, Traits, route
from paddock.gateway.rules import Match, Rule, RuleSet, RuleTarget, matched
from paddock.vocabulary import Capabilities

FAMILIES = ("llama", "mistral", "codellama", "deepseek-coder", "starcoder", "phi", "gemma", "qwen", "unknown", "Llama")
names = st.text("abcdef0123456789:.-", min_size=1, max_size=12)
capabilities = st.builds(Capabilities, *[st.booleans()] * 6)
candidates = st.builds(
    Candidate,
    name=names,
    provider=st.sampled_from(["local", "cloud"]),
    family=st.sampled_from(FAMILIES),
    context_window=st.sampled_from([2048, 4096, 8192, 16384, 32768, 131072]),
    capabilities=capabilities,
    measured=st.frozensets(st.sampled_from(["tools", "vision", "streaming"])),
    tokens_per_second=st.none() | st.floats(0.1, 500),
)
own_profiles = st.builds(
    Profile,
    name=st.sampled_from(["code", "mine", "other"]),
    preferred_families=st.lists(st.sampled_from(FAMILIES[:8]), max_size=4, unique=True).map(tuple),
    min_context_window=st.integers(0, 40000),
    required_capabilities=st.lists(st.sampled_from(["streaming", "tools", "vision", "thinking"]), max_size=3).map(
        tuple
    ),
    fallback_profile=st.none() | st.sampled_from(["general", "fast", "mine"]),
)
needs = st.lists(st.sampled_from(["tools", "vision"]), max_size=2, unique=True).map(tuple)
models = st.lists(candidates, max_size=12, unique_by=lambda one: (one.provider, one.name))
any_profile = st.sampled_from(BUILT_IN) | own_profiles


def first_of(profile: Profile, here: list[Candidate], needed: tuple[str, ...] = ()) -> Candidate | None:
    """The model that the router takes, with no fallback to hide behind."""
    found = route(
        Traits(model=f"auto:{profile.name}", needs=needed),
        rules=RuleSet(),
        profiles=Profiles([replace(profile, fallback_profile=None)]),
        models=Models(here),
        settings=RoutingSettings(),
    )
    if not found.targets:
        assert found.failure is not None
        return None
    target = found.targets[0]
    return next(one for one in here if (one.provider, one.name) == (target.provider, target.model))


@settings(max_examples=300, deadline=None)
@given(any_profile, models, needs, st.dictionaries(st.sampled_from(["code", "fast", "mine"]), names, max_size=2))
def test_property_07_router_returns_available_model(
    profile: Profile, here: list[Candidate], needed: tuple[str, ...], overrides: dict[str, str]
) -> None:
    """For any selection, every model that is returned is one of those that were given."""
    found = route(
        Traits(model=f"auto:{profile.name}", needs=needed),
        rules=RuleSet(),
        profiles=Profiles([profile]),
        models=Models(here),
        settings=RoutingSettings(overrides=overrides),
    )
    known = {(one.provider, one.name) for one in here}
    assert all((target.provider, target.model) in known for target in found.targets)
    assert len(set(found.targets and [(one.provider, one.model) for one in found.targets])) == len(found.targets)
    assert bool(found.targets) != (found.failure is not None)


@settings(max_examples=300, deadline=None)
@given(any_profile, models, needs)
def test_property_08_preferred_family_selection(
    profile: Profile, here: list[Candidate], needed: tuple[str, ...]
) -> None:
    """For any profile with preferred families, the model is of the first of them that has a fitting model."""
    chosen = first_of(profile, here, needed)
    wanted = replace(profile, required_capabilities=(*profile.required_capabilities, *needed))
    fitting = [one for one in here if matches_profile(one, wanted)]
    assert (chosen is None) == (not fitting)
    if chosen is None:
        return
    families = [preferred_family(one.family, profile.preferred_families) for one in fitting]
    present = [family for family in profile.preferred_families if family in families]
    assert preferred_family(chosen.family, profile.preferred_families) == (present[0] if present else None)


@settings(max_examples=200, deadline=None)
@given(any_profile, models)
def test_property_09_profile_minimum_context_requirement(profile: Profile, here: list[Candidate]) -> None:
    """For any profile, the chosen model's context is no smaller than the profile's minimum."""
    chosen = first_of(profile, here)
    assert chosen is None or chosen.context_window >= profile.min_context_window


@settings(max_examples=200, deadline=None)
@given(any_profile, models, needs)
def test_property_10_required_capabilities_matching(
    profile: Profile, here: list[Candidate], needed: tuple[str, ...]
) -> None:
    """For any profile, the chosen model can do all that profile and request require."""
    chosen = first_of(profile, here, needed)
    assert chosen is None or not chosen.lacks((*profile.required_capabilities, *needed))


@settings(max_examples=200, deadline=None)
@given(any_profile, models, st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_the_models(profile: Profile, here: list[Candidate], random) -> None:
    """The same machine answers the same question with the same model."""
    shuffled = list(here)
    random.shuffle(shuffled)
    assert first_of(profile, here) == first_of(profile, shuffled)


rules = st.lists(
    st.builds(
        Rule,
        name=st.text("abc", min_size=1, max_size=3),
        match=st.sampled_from(Match),
        pattern=st.text("ab.*+|()?", min_size=1, max_size=6),
        targets=st.just((RuleTarget(model="x"),)),
        priority=st.integers(-2, 2),
        enabled=st.booleans(),
    ).filter(lambda rule: rule.match is not Match.REGEX or patterns.fault(rule.pattern) is None),
    max_size=12,
    unique_by=lambda rule: rule.name,
)


@settings(max_examples=300, deadline=None)
@given(rules, st.text("ab.", max_size=6))
def test_the_indexed_rules_decide_as_one_by_one_would(given_rules: list[Rule], name: str) -> None:
    """The index is for speed only."""
    kinds = list(Match)

    def order(rule: Rule) -> tuple[int, int, int, str]:
        length = -len(rule.pattern) if rule.match is Match.PREFIX else 0
        return -rule.priority, kinds.index(rule.match), length, rule.name

    fitting = [rule for rule in given_rules if rule.enabled and matched(rule, name) is not None]
    found = RuleSet(given_rules).match(name)
    assert (found.rule if found else None) == min(fitting, key=order, default=None)
