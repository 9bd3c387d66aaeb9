"""What is told of routing: at the command line, over the admin API, in `--json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paddock.config.schema import Config
from paddock.errors import UsageError
from paddock.gateway.breaker import BreakerStatus
from paddock.gateway.candidates import LOCAL
from paddock.gateway.directory import Directory, profiles_of
from paddock.gateway.profiles import Profile
from paddock.gateway.provider_book import ProviderBook
from paddock.gateway.routing import Considered, Route, Traits
from paddock.gateway.rules import Rule, RuleSet, check_rule, matched
from paddock.providers.definition import Kind, ProviderDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLine:
    """One who can answer."""

    provider: str
    model: str
    route: str
    options: Mapping[str, Any]
    context_window: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Where a request goes and why: `route explain`, `/admin/route/explain`."""

    asked: str
    needs: tuple[str, ...]
    rule: str | None
    targets: tuple[TargetLine, ...]  # in the order in which they are asked
    steps: tuple[str, ...]
    considered: tuple[Considered, ...]
    warnings: tuple[str, ...]
    error: str | None = None  # with no targets
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """A rule held against one name."""

    name: str
    fits: bool
    decides: bool  # it, and no other rule, says where the name goes
    decided_by: str | None
    targets: tuple[TargetLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleList:
    """In the order in which they are asked."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSaved:
    """A rule, and what it does to the names that it was tested with."""

    rule: Rule
    tests: tuple[RuleTest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileList:
    default_profile: str
    overrides: Mapping[str, str]
    profiles: tuple[Profile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLine:
    """One provider, as it may be told: never its key."""

    name: str
    kind: Kind
    base_url: str
    options: Mapping[str, Any]
    headers: Mapping[str, str]
    organization: str
    timeout_s: float
    enabled: bool
    automatic: bool
    from_settings: bool
    usual: tuple[str, ...]  # of `base_url` and `timeout_s` those that nobody set
    has_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderList:
    providers: tuple[ProviderLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTest:
    """A provider that was reached."""

    name: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerList:
    """Who has failed since it last answered."""

    breakers: tuple[BreakerStatus, ...]


async def explained(directory: Directory, traits: Traits, *, rules: RuleSet | None = None) -> Explanation:
    """Where a request with `traits` would go now, or with other `rules`."""
    found = await directory.route(traits, rules=rules)
    return Explanation(
        asked=traits.model,
        needs=traits.needs,
        rule=found.rule,
        targets=_lines(found),
        steps=found.steps,
        considered=found.considered,
        warnings=found.warnings,
        error=found.failure.message if found.failure is not None and not found.targets else None,
        hint=found.failure.hint if found.failure is not None and not found.targets else None,
    )


async def checked(rule: Rule, *, definitions: ProviderBook) -> None:
    """Raises UsageError for what is no rule, or leads to a provider that is not there."""
    check_rule(rule)
    known = await definitions.all()
    for number, target in enumerate(rule.targets):
        if target.provider and target.provider != LOCAL and target.provider not in known:
            raise UsageError(
                f"There is no provider `{target.provider}`.",
                hint="`paddock provider list` shows them, `paddock provider add` makes one.",
                param=f"targets[{number}].provider",
            )


async def tested(rule: Rule, names: Sequence[str], *, directory: Directory, rules: RuleSet) -> Sequence[RuleTest]:
    """What `rule` would do to `names` among the rules that there are. Nothing is saved."""
    with_it = RuleSet([*(each for each in rules.rules if each.name != rule.name), rule])
    tests: list[RuleTest] = []
    for name in names:
        decided = with_it.match(name)
        found = await directory.route(Traits(model=name), rules=with_it)
        tests.append(
            RuleTest(
                name=name,
                fits=matched(rule, name) is not None,
                decides=decided is not None and decided.rule.name == rule.name,
                decided_by=decided.rule.name if decided is not None else None,
                targets=_lines(found),
            )
        )
    return tests


def listed_profiles(config: Config) -> ProfileList:
    """Every profile, and what is set about them."""
    routing = config.model.routing
    return ProfileList(
        default_profile=routing.default_profile,
        overrides=dict(routing.overrides),
        profiles=tuple(profiles_of(config).all()),
    )


async def line_of(definition: ProviderDefinition, definitions: ProviderBook) -> ProviderLine:
    return ProviderLine(
        name=definition.name,
        kind=definition.kind,
        base_url=definition.address,
        options=definition.options,
        headers=definition.headers,
        organization=definition.organization,
        timeout_s=definition.silence_s,
        enabled=definition.enabled,
        automatic=definition.automatic,
        from_settings=definition.from_settings,
        usual=tuple(
            name
            for name, given in (("base_url", definition.base_url), ("timeout_s", definition.timeout_s))
            if not given
        ),
        has_key=await definitions.has_key(definition.name),
    )


async def listed_providers(definitions: ProviderBook) -> ProviderList:
    lines = [await line_of(each, definitions) for each in (await definitions.all()).values()]
    return ProviderList(providers=tuple(lines))


def _lines(found: Route) -> tuple[TargetLine, ...]:
    return tuple(
        TargetLine(
            provider=one.provider,
            model=one.model,
            route=one.route,
            options=one.options,
            context_window=one.context_window,
        )
        for one in found.targets
    )
