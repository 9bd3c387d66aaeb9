"""`route`: who is to answer, in order, and why. A pure function of what was asked, the rules, the profiles and the models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from paddock.errors import ModelNotFound, NotFound, PaddockError, UsageError
from paddock.gateway.candidates import LOCAL, Candidate, Models
from paddock.gateway.profiles import Profile, Profiles, select
from paddock.gateway.routers import Decision, Router
from paddock.gateway.rules import Matched, RuleSet

AUTO: Final = "auto"
ROLE: Final = "role:"
ROUTER: Final = "router:"
ROLES: Final[Mapping[str, str]] = {"thinker": "auto:general", "worker": "auto:fast"}  # until the user sets them
TARGETS_MAX: Final = 16
_USUAL_BUILTIN: Final = "pony"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a request asks for, as far as routing goes."""

    model: str  # as it was asked; empty is the default
    needs: tuple[str, ...] = ()  # capabilities that it cannot do without: `vision`, `tools`
    text: str = ""  # what a router may read of it
    tenant: str = ""  # whose text it is
    decided: Mapping[str, Decision] = field(default_factory=dict[str, Decision])  # by router, what it made of the text

    @property
    def virtual(self) -> bool:
        return is_virtual(self.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """What the user set about routing."""

    enabled: bool = True
    default_profile: str = "general"
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])  # profile to model
    default_model: str = _USUAL_BUILTIN
    default_provider: str = ""  # answers names that are not here
    roles: Mapping[str, str] = field(default_factory=dict[str, str])  # role to model
    routers: Mapping[str, Router] = field(default_factory=dict[str, Router])


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One who can answer."""

    provider: str
    model: str
    route: (
        str  # how the name led here, in a word: `exact`, `alias`, `default`, `rule:NAME`, `profile:NAME`, `role:NAME`,
    )
    # `router:NAME/ROUTE`, `builtin`
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context_window: int | None = None  # None when nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A model that was looked at."""

    provider: str
    model: str
    fits: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request goes: to the first target, and on to the next when that one cannot answer."""

    asked: str
    targets: tuple[Target, ...]
    steps: tuple[str, ...]  # what was decided, in order, a sentence each
    considered: tuple[Considered, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: PaddockError | None = None  # with no targets: why
    asks: str | None = None  # the router that has to read the text before all this is certain
    rule: str | None = None  # that decided, if one did; also when it leads nowhere


def is_virtual(name: str) -> bool:
    """Whether `name` is no model but asks for one: `auto`, `auto:code`, `role:worker`, `router:topics`."""
    return name == AUTO or name.startswith((f"{AUTO}:", ROLE, ROUTER))


def route(traits: Traits, *, rules: RuleSet, profiles: Profiles, models: Models, settings: RoutingSettings) -> Route:
    """The targets for a request. Never raises: what keeps it from having any is the route's `failure`.

    Every model of a target of a profile is one of `models`, with the context and the capabilities that the profile and the
    request need; what the user names, by rule, by override or by itself, is taken as it is named.
    """
    return _Routing(traits, rules, profiles, models, settings).route()


class _Routing:
    """One call of `route`, with what it has found so far."""

    def __init__(
        self, traits: Traits, rules: RuleSet, profiles: Profiles, models: Models, settings: RoutingSettings
    ) -> None:
        self._traits = traits
        self._rules = rules
        self._profiles = profiles
        self._models = models
        self._settings = settings
        self._steps: list[str] = []
        self._considered: list[Considered] = []
        self._warnings: list[str] = []
        self._rule: str | None = None
        self._asks: str | None = None

    def route(self) -> Route:
        asked = self._traits.model
        targets: Sequence[Target] = ()
        failure: PaddockError | None = None
        try:
            targets = self._named(asked or self._settings.default_model, default=not asked)
        except PaddockError as error:
            failure = error
            self._steps.append(error.message)
        return Route(
            asked=asked,
            targets=_each_once(targets)[:TARGETS_MAX],
            steps=tuple(self._steps),
            considered=tuple(self._considered),
            warnings=tuple(self._warnings),
            failure=failure,
            rule=self._rule,
            asks=self._asks,
        )

    def _named(self, name: str, *, default: bool) -> Sequence[Target]:
        if default:
            self._steps.append(f"No model was named; the default is `{name}`.")
        matched = self._rules.match(name)
        if matched is not None:
            rule = matched.rule
            self._rule = rule.name
            self._steps.append(f"The rule `{rule.name}` fits `{name}`: {rule.match} `{rule.pattern}`.")
            return self._of_rule(matched)
        if self._rules.rules:
            self._steps.append(f"No rule fits `{name}`.")
        if is_virtual(name):
            return self._of_virtual(name)
        return self._of_name(name, route="default" if default else None)

    def _of_virtual(self, name: str) -> Sequence[Target]:
        if name.startswith(ROUTER):
            return self._of_router(name.removeprefix(ROUTER))
        if name.startswith(ROLE):
            return self._of_role(name.removeprefix(ROLE))
        return self._of_auto(name)

    # A rule

    def _of_rule(self, matched: Matched) -> Sequence[Target]:
        targets: list[Target] = []
        failure: PaddockError | None = None
        for number, given in enumerate(matched.rule.targets):
            model = matched.model(given)
            try:
                found = self._of_target(given.provider, model, f"rule:{matched.rule.name}")
            except PaddockError as error:  # a chain is there so that one broken link does not matter
                self._warnings.append(f"Target {number + 1} of the rule `{matched.rule.name}`: {error.message}")
                failure = failure or error
                continue
            targets += [_with_options(target, given.options) for target in found]
        if not targets and failure is not None:
            raise failure
        for number, target in enumerate(targets):
            order = "first" if number == 0 else "then"
            self._steps.append(f"It goes {order} to `{target.model}` of `{target.provider}`.")
        return targets

    def _of_target(self, provider: str, model: str, route: str) -> Sequence[Target]:
        """Where one target of a rule leads. Rules are not asked again: no rule can lead in circles."""
        if not provider and is_virtual(model):
            return [_renamed(target, route) for target in self._of_virtual(model)]
        if not provider:
            return [_renamed(target, route) for target in self._of_name(model, route=None)]
        known = self._models.at(provider, model)
        name = known.name if known is not None else model
        return [Target(provider=provider, model=name, route=route, context_window=_window(known))]

    # A model's name

    def _of_name(self, name: str, *, route: str | None) -> Sequence[Target]:
        if (here := self._models.local(name)) is not None:
            how = route or ("exact" if here.name == name else "alias")
            self._steps.append(f"`{name}` is {f'`{here.name}`' if how == 'alias' else 'a model'} on this machine.")
            return [Target(provider=LOCAL, model=here.name, route=how, context_window=here.context_window)]
        if elsewhere := self._models.elsewhere(name):
            owners = ", ".join(f"`{one.provider}`" for one in elsewhere)
            self._steps.append(f"`{name}` is a model of {owners}.")
            return [_target(one, route or "exact") for one in elsewhere]
        provider, slash, model = name.partition("/")
        if slash and (known := self._models.at(provider, model)) is not None and provider != LOCAL:
            self._steps.append(f"`{model}` is a model of `{provider}`.")
            return [_target(known, route or "exact")]
        if self._settings.default_provider and self._settings.default_provider != LOCAL:
            provider = self._settings.default_provider
            self._steps.append(f"`{name}` is not on this machine; `model.provider` sends it to `{provider}`.")
            return [Target(provider=provider, model=name, route=route or "default-provider")]
        raise ModelNotFound(f"There is no model `{name[:120]}`.", hint="`paddock list` shows what is here.")

    # Roles, and routers that read

    def _of_role(self, role: str) -> Sequence[Target]:
        name = self._settings.roles.get(role) or ROLES.get(role)
        if name is None:
            known = ", ".join(f"`{ROLE}{each}`" for each in {**ROLES, **self._settings.roles})
            raise ModelNotFound(
                f"There is no role `{role[:60]}`.",
                hint=f"There are {known}. Set `model.routing.roles.NAME` to a model.",
            )
        how = "is" if role in self._settings.roles else "is, as nobody set it,"
        self._steps.append(f"The role `{role}` {how} `{name}`.")
        return [_renamed(target, f"{ROLE}{role}") for target in self._of_plain(name)]

    def _of_router(self, name: str) -> Sequence[Target]:
        router = self._settings.routers.get(name)
        if router is None:
            known = ", ".join(f"`{ROUTER}{each}`" for each in self._settings.routers) or "none"
            raise ModelNotFound(
                f"There is no router `{name[:60]}`.",
                hint=f"There are: {known}. `model.routing.routers` describes them.",
            )
        decided = self._traits.decided.get(name)
        if decided is None:
            self._asks = self._asks or name
            self._steps.append(
                f"The router `{name}` has to read the text; without it the profile `{router.fallback}` holds."
            )
        else:
            again = ", as it did before" if decided.remembered else ""
            self._steps.append(f"The router `{name}`: {decided.reason}{again}.")
        targets: list[Target] = []
        chosen = next((each for each in router.routes if decided is not None and each.name == decided.route), None)
        if chosen is not None:
            try:
                role = chosen.to.startswith(ROLE)
                found = self._of_role(chosen.to.removeprefix(ROLE)) if role else self._of_plain(chosen.to)
                targets += [_renamed(target, f"{ROUTER}{name}/{chosen.name}") for target in found]
            except PaddockError as error:
                self._warnings.append(f"The route `{chosen.name}` of the router `{name}`: {error.message}")
        try:
            targets += [_renamed(target, f"{ROUTER}{name}") for target in self._of_auto(f"{AUTO}:{router.fallback}")]
        except PaddockError:
            if not targets:
                raise
        return targets

    def _of_plain(self, name: str) -> Sequence[Target]:
        """What a role or a route stands for: a model or a profile, so that nothing can lead in circles."""
        if name.startswith((ROLE, ROUTER)):
            raise UsageError(
                f"`{name}` cannot be what another one stands for.", hint="Name a model, or `auto:PROFILE`."
            )
        return self._of_auto(name) if is_virtual(name) else self._of_name(name, route=None)

    # The one that suits

    def _of_auto(self, name: str) -> Sequence[Target]:
        settings = self._settings
        if not settings.enabled:
            default = settings.default_model
            self._steps.append(f"Routing is off (`model.routing.enabled`): `{name}` is the default model, `{default}`.")
            if is_virtual(default):
                raise UsageError(
                    f"Routing is off, and the default model is `{default}`, which needs it.",
                    hint="Set `model.default` to a model, or `model.routing.enabled` to true.",
                    param="model",
                )
            return self._of_name(default, route="default")
        wanted = name.partition(":")[2] or settings.default_profile
        self._steps.append(f"`{name}` asks for the profile `{wanted}`.")
        try:
            chain = self._profiles.chain(wanted)
        except NotFound as error:
            raise ModelNotFound(f"There is no model `{name[:120]}`: {error.message}", hint=error.hint) from error
        targets = [*self._overridden(wanted)]
        for profile in chain:
            targets += self._fitting(profile)
            if targets:
                return targets
            self._steps.append(_no_match(profile, chain))
        return self._of_builtins(wanted)

    def _overridden(self, profile: str) -> Sequence[Target]:
        name = self._settings.overrides.get(profile)
        if name is None:
            return ()
        model = self._models.local(name) or next(iter(self._models.elsewhere(name)), None)
        if model is None:
            self._warnings.append(
                f"`model.routing.overrides.{profile}` names `{name}`, which is not here; the profile decides."
            )
            return ()
        if lacking := model.lacks(self._traits.needs):
            self._warnings.append(
                f"`model.routing.overrides.{profile}` names `{name}`, which lacks {', '.join(lacking)} that this request "
                "needs; the profile decides."
            )
            return ()
        self._steps.append(f"`{model.name}` is set for this profile (`model.routing.overrides.{profile}`).")
        return [_target(model, f"profile:{profile}")]

    def _fitting(self, profile: Profile) -> Sequence[Target]:
        automatic = [one for one in self._models.all if one.automatic]
        selection = select(profile, automatic, needed=self._traits.needs)
        for one in selection.judged:
            family = f"it is of the preferred family `{one.family}`" if one.family else "of no preferred family"
            self._considered.append(
                Considered(
                    provider=one.candidate.provider,
                    model=one.candidate.name,
                    fits=not one.refused,
                    reason=f"`{profile.name}`: {one.refused or family}",
                )
            )
        if selection.fits:
            best = selection.fits[0]
            self._steps.append(
                f"`{best.name}` suits the profile `{profile.name}` best of {len(selection.fits)} that fit."
            )
        return [_target(one, f"profile:{profile.name}") for one in selection.fits[:TARGETS_MAX]]

    def _of_builtins(self, wanted: str) -> Sequence[Target]:
        """When nothing but the built-in models is here, they answer: better small talk than an error on the first day."""
        automatic = [one for one in self._models.all if one.automatic]
        able = [one for one in automatic if one.builtin and one.capabilities.text and not one.lacks(self._traits.needs)]
        able.sort(key=lambda one: (one.name != _USUAL_BUILTIN, one.name))
        if able and all(one.builtin for one in automatic):
            self._steps.append(f"Only built-in models are here: `{able[0].name}` answers.")
            return [_target(able[0], "builtin")]
        raise _nothing_suits(wanted, self._traits.needs)


def _target(candidate: Candidate, route: str) -> Target:
    return Target(provider=candidate.provider, model=candidate.name, route=route, context_window=_window(candidate))


def _renamed(target: Target, route: str) -> Target:
    return Target(provider=target.provider, model=target.model, route=route, context_window=target.context_window)


def _with_options(target: Target, options: Mapping[str, Any]) -> Target:
    return Target(
        provider=target.provider,
        model=target.model,
        route=target.route,
        options=options,
        context_window=target.context_window,
    )


def _window(candidate: Candidate | None) -> int | None:
    return None if candidate is None or not candidate.context_told else candidate.context_window


def _each_once(targets: Sequence[Target]) -> tuple[Target, ...]:
    """The first of each: an overridden model is usually among those that fit, too."""
    first: dict[tuple[str, str], Target] = {}
    for one in targets:
        first.setdefault((one.provider, one.model), one)
    return tuple(first.values())


def _no_match(profile: Profile, chain: Sequence[Profile]) -> str:
    after = chain.index(profile) + 1
    following = f" It falls back on `{chain[after].name}`." if after < len(chain) else ""
    return f"No model suits the profile `{profile.name}`.{following}"


def _nothing_suits(profile: str, needs: Sequence[str]) -> PaddockError:
    able = f" and can do {', '.join(needs)}" if needs else ""
    return ModelNotFound(
        f"No model here suits the profile `{profile}`{able}.",
        hint=f"`paddock route explain auto:{profile}` says what each lacks; `paddock search` finds models to pull.",
    )
