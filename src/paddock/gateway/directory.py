"""`Directory`: who there is and how names lead to them, kept ready for the next request."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from paddock.catalog.facts import CONTEXT_WINDOW_DEFAULT
from paddock.catalog.known import built_in_models
from paddock.config.kinds import NAME_CHARACTERS_MAX, listed
from paddock.config.schema import Config, RouterEntry
from paddock.config.schema import Routing as RoutingSection
from paddock.errors import ModelNotFound, PaddockError
from paddock.gateway.candidates import CAPABILITIES, LOCAL, Candidate, Models
from paddock.gateway.deciding import Decider
from paddock.gateway.profiles import Profile, Profiles
from paddock.gateway.routers import DescribedRoute, Router
from paddock.gateway.routing import Route, RoutingSettings, Target, Traits, is_virtual, route
from paddock.gateway.rules import RuleSet
from paddock.gateway.speeds import Speeds
from paddock.library.records import ModelRecord
from paddock.providers.provider import Provider
from paddock.providers.shelf import FarList, Providers
from paddock.providers.speech import FarModel
from paddock.vocabulary import ModelInfo, Origin

_SHOWN_CHARACTERS: Final = 60
_KNOWN_ORIGINS: Final = ("measured", "files")


class Here(Protocol):
    """The models on this machine. `Library` is one."""

    async def models(self) -> Mapping[str, ModelRecord]: ...

    async def list(self) -> Sequence[ModelInfo]: ...

    async def get(self, name: str) -> ModelRecord: ...

    async def tried_speeds(self) -> Mapping[str, float]: ...


class Directory:
    """Implements Routes."""

    def __init__(
        self,
        *,
        local: Provider | None,
        library: Here,
        rules: Callable[[], Awaitable[RuleSet]],
        providers: Providers,
        speeds: Speeds,
        config: Callable[[], Config],
        builtin_models: Path,
    ) -> None:
        self._local = local
        self._decider = Decider(local, self._revision) if local is not None else None
        self._library = library
        self._rules = rules
        self._providers = providers
        self._speeds = speeds
        self._config = config
        self._builtin_models = builtin_models
        self._here: tuple[Mapping[str, ModelRecord], list[Candidate]] | None = None
        self._made: tuple[Sequence[Candidate], tuple[int, int], Models] | None = None

    def provider(self, name: str, options: Mapping[str, Any]) -> Provider | None:
        """The one of this name, with `options` of a rule on top of its own; None when there is none that may be asked."""
        return self._local if name == LOCAL else self._providers.get(name, options)

    async def route(self, traits: Traits, *, rules: RuleSet | None = None, config: Config | None = None) -> Route:
        """See Routes. `rules`, `config`: others than those that hold, to see what they would do."""
        if len(traits.model) > NAME_CHARACTERS_MAX:
            return Route(asked="", targets=(), steps=(), failure=_too_long(traits.model))
        rules = await self._rules() if rules is None else rules
        config = config or self._config()
        name = traits.model or config.model.default
        if not rules.rules and name in (records := await self._library.models()):
            here = records[name]  # nearly every request: nothing else has a say
            how = "exact" if traits.model else "default"
            target = Target(provider=LOCAL, model=name, route=how, context_window=here.facts.context_window)
            return Route(asked=traits.model, targets=(target,), steps=(f"`{name}` is a model on this machine.",))
        profiles, models, settings = profiles_of(config), await self.models(), settings_of(config)
        found = route(traits, rules=rules, profiles=profiles, models=models, settings=settings)
        while found.asks is not None and found.asks not in traits.decided and self._decider is not None and traits.text:
            router = settings.routers[found.asks]
            decided = await self._decider.decide(router, traits.text, tenant=traits.tenant)
            traits = replace(traits, decided={**traits.decided, router.name: decided})
            found = route(traits, rules=rules, profiles=profiles, models=models, settings=settings)
        if isinstance(found.failure, ModelNotFound) and not is_virtual(name):
            return await self._by_short_name(found, name)
        return found

    async def _revision(self, name: str) -> str:
        """Of a model here; another name than its own is resolved by whoever is asked, and rarely changes what it means."""
        record = (await self._library.models()).get(name)
        return (record.revision or "") if record is not None else ""

    async def models(self) -> Models:
        """Everything that could answer."""
        here = await self._candidates()
        lists = await self._providers.lists()
        mark = (self._providers.version, self._speeds.version)
        if self._made is None or self._made[0] is not here or self._made[1] != mark:
            known = [*here, *(_far_candidate(far, one) for far in lists for one in far.models)]
            self._made = (here, mark, Models([self._timed(one) for one in known]))
        return self._made[2]

    def _timed(self, one: Candidate) -> Candidate:
        """How fast it answered of late says more than its trial."""
        speed = self._speeds.of((one.provider, one.name))
        return one if speed is None else replace(one, tokens_per_second=speed)

    async def _candidates(self) -> Sequence[Candidate]:
        records = await self._library.models()
        if self._here is None or self._here[0] is not records:
            aliases = {info.name: info.aliases for info in await self._library.list()}
            speeds = await self._library.tried_speeds()
            made = [
                replace(
                    _candidate(record, aliases.get(record.name, ()), builtin=self._is_builtin(record)),
                    tokens_per_second=speeds.get(record.name),
                )
                for record in records.values()
                if record.format.runs_here
            ]
            self._here = (records, made)
        return self._here[1]

    def _is_builtin(self, record: ModelRecord) -> bool:
        """Of the program itself; bundles of one's own are models like any other."""
        return record.origin is Origin.BUILTIN and Path(record.path).is_relative_to(self._builtin_models)

    async def _by_short_name(self, found: Route, name: str) -> Route:
        """A short name, or an error that names what is near."""
        try:
            record = await self._library.get(name)
        except PaddockError as error:
            return replace(found, failure=error)
        target = Target(
            provider=LOCAL,
            model=record.name,
            route="alias" if found.asked else "default",
            context_window=record.facts.context_window,
        )
        steps = (*found.steps[:-1], f"`{name}` is short for `{record.name}`.")
        return replace(found, targets=(target,), steps=steps, failure=None)


def _too_long(name: str) -> ModelNotFound:
    return ModelNotFound(
        f"There is no model `{name[:_SHOWN_CHARACTERS]}…`.",
        hint=f"Names have at most {NAME_CHARACTERS_MAX} characters; `paddock list` shows what is here.",
    )


def settings_of(config: Config) -> RoutingSettings:
    """What is set about routing."""
    routing = config.model.routing
    return RoutingSettings(
        enabled=routing.enabled,
        default_profile=routing.default_profile,
        overrides=routing.overrides,
        default_model=config.model.default,
        default_provider=config.model.provider or "",
        roles=routing.roles,
        routers={name: _router(name, entry, routing) for name, entry in routing.routers.items()},
    )


def _router(name: str, entry: RouterEntry, routing: RoutingSection) -> Router:
    return Router(
        name=name,
        model=entry.model,
        routes=tuple(
            DescribedRoute(name=each, to=one.to, description=one.description, word=one.word)
            for each, one in entry.routes.items()
        ),
        fallback=entry.fallback_profile or routing.default_profile,
        timeout_s=entry.timeout_s,
        sure=entry.sure,
    )


def profiles_of(config: Config) -> Profiles:
    """The program's profiles, and those of the settings."""
    return Profiles(
        Profile(
            name=name,
            description=entry.description,
            preferred_families=listed(entry.preferred_families),
            min_context_window=entry.min_context_window,
            required_capabilities=listed(entry.required_capabilities),
            fallback_profile=entry.fallback_profile,
            own=True,
        )
        for name, entry in config.model.routing.profiles.items()
    )


def _candidate(record: ModelRecord, aliases: tuple[str, ...], *, builtin: bool) -> Candidate:
    facts = record.facts
    return Candidate(
        name=record.name,
        family=facts.family,
        context_window=facts.context_window,
        capabilities=facts.capabilities,
        aliases=aliases,
        builtin=builtin,
        measured=frozenset(each for each in CAPABILITIES if facts.origins.get(each) in _KNOWN_ORIGINS),
    )


def _far_candidate(far: FarList, told: FarModel) -> Candidate:
    """What its provider tells of it, else what is known of its name, else the least."""
    known = built_in_models()
    entry = known.lookup(told.name)
    window = told.context_window or (entry.context_window if entry is not None else None)
    return Candidate(
        name=told.name,
        provider=far.provider.name,
        family=told.family or known.family(told.name),
        context_window=window or CONTEXT_WINDOW_DEFAULT,
        context_told=window is not None,
        capabilities=told.capabilities or known.capabilities(told.name),
        automatic=far.provider.automatic,
    )
