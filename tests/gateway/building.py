"""Short ways to write models, rules and routes down."""

from typing import Any

from paddock.gateway.candidates import LOCAL, Candidate, Models
from paddock.gateway.profiles import Profiles
from paddock.gateway.routing import Route, RoutingSettings, Traits, route
from paddock.gateway.rules import Match, Rule, RuleSet, RuleTarget
from paddock.vocabulary import Capabilities


def model(name: str, family: str = "unknown", context: int = 32768, *, can: str = "", **others: Any) -> Candidate:
    """`can` holds capabilities beyond text and streaming."""
    capabilities = Capabilities(**dict.fromkeys(can.split(), True))
    return Candidate(name=name, family=family, context_window=context, capabilities=capabilities, **others)


PONY = model("pony", "qwen", 2048, can="tools thinking", builtin=True)
PONY_VISION = model("pony-vision", "llava", 2048, can="vision", builtin=True)
PONY_EMBED = Candidate(
    name="pony-embed", context_window=512, builtin=True, capabilities=Capabilities(text=False, embeddings=True)
)
BUILTINS = (PONY, PONY_VISION, PONY_EMBED)


def rule(name: str, match: str, pattern: str, *targets: str, **others: Any) -> Rule:
    """Targets are written `provider/model`, `provider/` or `/model`."""
    made = tuple(RuleTarget(provider=p, model=m) for p, _, m in (each.partition("/") for each in targets or ("/pony",)))
    return Rule(name=name, match=Match(match), pattern=pattern, targets=made, **others)


def routed(
    name: str,
    *candidates: Candidate,
    rules: tuple[Rule, ...] = (),
    profiles: Profiles | None = None,
    needs: tuple[str, ...] = (),
    **settings: Any,
) -> Route:
    return route(
        Traits(model=name, needs=needs),
        rules=RuleSet(rules),
        profiles=profiles or Profiles(),
        models=Models(candidates),
        settings=RoutingSettings(**settings),
    )


def targets(found: Route) -> list[str]:
    """`provider/model` of each, `model` for those of this machine."""
    return [one.model if one.provider == LOCAL else f"{one.provider}/{one.model}" for one in found.targets]
