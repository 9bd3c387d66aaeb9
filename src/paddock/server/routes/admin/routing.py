"""`/admin/routes`, `/admin/route/explain`, `/admin/profiles`, `/admin/providers`: who answers, and how names lead there."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, Field, SecretStr
from starlette.responses import Response

from paddock.config.schema import Routing
from paddock.gateway.documents import (
    BreakerList,
    Explanation,
    ProfileList,
    ProviderLine,
    ProviderList,
    ProviderTest,
    RuleList,
    RuleSaved,
    checked,
    explained,
    line_of,
    listed_profiles,
    listed_providers,
    tested,
)
from paddock.gateway.provider_book import check_takes_key
from paddock.gateway.replay import Replay
from paddock.gateway.replaying import LISTED_MAX, Draft, Period
from paddock.gateway.routers import TEXT_CHARACTERS_MAX
from paddock.gateway.routing import Traits
from paddock.gateway.rule_book import RuleFile, RulesImported, drafted
from paddock.gateway.rules import PATTERN_CHARACTERS_MAX, RULES_MAX, TARGETS_MAX, Match, Rule, RuleTarget
from paddock.providers.definition import Kind, ProviderDefinition
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer

_NAMES_MAX = 100

Name = Annotated[str, Path(max_length=64)]
ModelNamed = Annotated[str, Field(max_length=512)]
Need = Literal["vision", "tools", "thinking", "embeddings"]


class TargetBody(Body):
    provider: str = Field(default="", max_length=64, description="Empty: wherever the model is.")
    model: str = Field(
        default="", max_length=512, description="Empty: as it was asked. May hold `{model}`, `{rest}`, `{1}`."
    )
    options: dict[str, Any] = Field(default={}, description="Passed to the provider as they stand.")


class RuleFields(Body):
    match: Match
    pattern: str = Field(max_length=PATTERN_CHARACTERS_MAX)
    targets: list[TargetBody] = Field(
        min_length=1, max_length=TARGETS_MAX, description="The first that can answer does."
    )
    priority: int = Field(default=0, ge=-1_000_000, le=1_000_000, description="Higher goes first.")
    enabled: bool = True
    description: str = Field(default="", max_length=2000)

    def rule(self, name: str) -> Rule:
        return Rule(
            name=name,
            match=self.match,
            pattern=self.pattern,
            targets=tuple(RuleTarget(provider=t.provider, model=t.model, options=t.options) for t in self.targets),
            priority=self.priority,
            enabled=self.enabled,
            description=self.description,
        )


class NamedRule(RuleFields):
    name: str = Field(max_length=64)


class SaveBody(RuleFields):
    test: list[ModelNamed] = Field(default=[], max_length=_NAMES_MAX, description="Names to hold it against.")


class TestBody(NamedRule):
    test: list[ModelNamed] = Field(min_length=1, max_length=_NAMES_MAX, description="Names to hold it against.")


class ImportBody(Body):
    paddock_rules: Literal[1]
    rules: list[NamedRule] = Field(max_length=RULES_MAX)
    replace_all: bool = Field(default=False, description="Rules that are not among these go.")
    dry_run: bool = False


class ExplainBody(Body):
    model: ModelNamed = ""
    needs: list[Need] = Field(default=[], max_length=8, description="What the request cannot do without.")
    text: str = Field(
        default="", max_length=100_000, description="What its user says; with it, routers that have to read decide."
    )


KeyOf = Annotated[
    SecretStr, Field(min_length=1, max_length=8192, description="Kept in the vault; it is never told again.")
]


class ProviderKeyBody(Body):
    key: KeyOf


class ReplayBody(Body):
    rules: list[NamedRule] | None = Field(
        default=None, max_length=RULES_MAX, description="Stand in the place of all rules that there are."
    )
    routing: Routing | None = Field(
        default=None, description="Stands in the place of the settings' section `model.routing`."
    )
    since: AwareDatetime | None = Field(default=None, description="Without it a day before `until`.")
    until: AwareDatetime | None = Field(default=None, description="Without it now.")
    limit: int = Field(default=50, ge=0, le=LISTED_MAX, description="So many requests are named one by one.")


class ProviderBody(Body):
    kind: Kind
    base_url: str = Field(default="", max_length=2048, description="Empty: the usual one of its kind.")
    options: dict[str, Any] = Field(default={}, description="Passed along with every request as they stand.")
    headers: dict[str, str] = Field(default={})
    organization: str = Field(default="", max_length=256)
    timeout_s: float | None = Field(default=None, gt=0, le=86400, description="How long it may be silent.")
    enabled: bool = True
    automatic: bool = Field(default=False, description="Whether `auto` may choose its models.")
    key: KeyOf | None = None


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(responses=FAILURES)
    _rules(routes, rooms)
    _looking(routes, rooms)
    _providers(routes, rooms)
    return routes


def _rules(routes: APIRouter, rooms: ServerRooms) -> None:
    book, directory, definitions = rooms.routing.rules, rooms.routing.directory, rooms.routing.definitions

    @routes.get("/routes", operation_id="list_routes", response_model=RuleList)
    async def list_routes() -> Response:
        """Rules from names of models to who answers, in the order in which they are asked."""
        return answer(RuleList(rules=tuple(await book.list())))

    @routes.get("/routes/export", operation_id="export_routes", response_model=RuleFile)
    async def export() -> Response:
        """All rules, to be carried elsewhere."""
        return answer(await book.export())

    @routes.post("/routes/import", operation_id="import_routes", response_model=RulesImported)
    async def import_(body: ImportBody) -> Response:
        """Take over the rules of an export, all or none."""
        rules = [each.rule(each.name) for each in body.rules]
        return answer(await book.load(rules, replace_all=body.replace_all, dry_run=body.dry_run))

    @routes.post("/routes/test", operation_id="test_route", response_model=RuleSaved)
    async def test(body: TestBody) -> Response:
        """What a rule would do to names of models. Nothing is saved."""
        rule = body.rule(body.name)
        await checked(rule, definitions=definitions)
        tests = await tested(rule, body.test, directory=directory, rules=await book.rules())
        return answer(RuleSaved(rule=rule, tests=tuple(tests)))

    @routes.get("/routes/{name}", operation_id="get_route", response_model=Rule)
    async def get(name: Name) -> Response:
        """One rule."""
        return answer(await book.get(name))

    @routes.post("/routes/{name}", operation_id="add_route", response_model=RuleSaved, status_code=201)
    async def add(name: Name, body: SaveBody) -> Response:
        """Add a rule. It is checked, and held against `test`, before it is saved."""
        rule = body.rule(name)
        await checked(rule, definitions=definitions)
        tests = await tested(rule, body.test, directory=directory, rules=await book.rules())
        return answer(RuleSaved(rule=await book.add(rule), tests=tuple(tests)), 201)

    @routes.put("/routes/{name}", operation_id="change_route", response_model=RuleSaved)
    async def change(name: Name, body: SaveBody) -> Response:
        """Put a rule in the place of the one of its name."""
        rule = body.rule(name)
        await checked(rule, definitions=definitions)
        tests = await tested(rule, body.test, directory=directory, rules=await book.rules())
        return answer(RuleSaved(rule=await book.change(rule), tests=tuple(tests)))

    @routes.delete("/routes/{name}", operation_id="remove_route", response_model=Rule)
    async def remove(name: Name) -> Response:
        """Remove a rule; the answer is what it was."""
        return answer(await book.remove(name))


def _looking(routes: APIRouter, rooms: ServerRooms) -> None:
    @routes.post("/route/explain", operation_id="explain_route", response_model=Explanation)
    async def explain(body: ExplainBody) -> Response:
        """Who would answer for a model's name, in which order, and why no one else. Nothing is asked."""
        traits = Traits(model=body.model, needs=tuple(body.needs), text=body.text[:TEXT_CHARACTERS_MAX])
        return answer(await explained(rooms.routing.directory, traits))

    @routes.post("/route/replay", operation_id="replay_routes", response_model=Replay)
    async def replay(body: ReplayBody) -> Response:
        """Which requests of the audit would go elsewhere under other rules or profiles. Nobody is asked, nothing is saved.

        What a row does not hold is not guessed: a request is `undecided`, with the reason, where its text, its pictures or
        tools, or a length that was not counted would decide.
        """
        rules = None if body.rules is None else drafted([each.rule(each.name) for each in body.rules])
        return answer(
            await rooms.routing.replayer.replay(
                Draft(rules=rules, routing=body.routing),
                Period(since=body.since, until=body.until, listed=body.limit),
            )
        )

    @routes.get("/profiles", operation_id="list_profiles", response_model=ProfileList)
    async def profiles() -> Response:
        """The profiles that `auto` follows. They are settings: `model.routing.profiles`."""
        return answer(listed_profiles(rooms.in_force.config))

    @routes.get("/breakers", operation_id="list_breakers", response_model=BreakerList)
    async def breakers() -> Response:
        """Models of providers that have failed since they last answered, and how long they are left alone."""
        return answer(BreakerList(breakers=tuple(rooms.routing.breakers.status())))


def _providers(routes: APIRouter, rooms: ServerRooms) -> None:
    definitions = rooms.routing.definitions

    @routes.get("/providers", operation_id="list_providers", response_model=ProviderList)
    async def list_providers() -> Response:
        """Who else can answer. Keys are never told."""
        return answer(await listed_providers(definitions))

    @routes.get("/providers/{name}", operation_id="get_provider", response_model=ProviderLine)
    async def get(name: Name) -> Response:
        """One provider."""
        return answer(await line_of(await definitions.get(name), definitions))

    @routes.put("/providers/{name}", operation_id="put_provider", response_model=ProviderLine)
    async def put(name: Name, body: ProviderBody) -> Response:
        """Add a provider, or put it in the place of the one of its name. Without `key` the one that it has stays."""
        definition = ProviderDefinition(name=name, **body.model_dump(exclude={"key"}))
        if body.key is not None:
            check_takes_key(definition)
        await definitions.put(definition)
        if body.key is not None:
            await definitions.keep_key(name, body.key)
        return answer(await line_of(definition, definitions))

    @routes.put("/providers/{name}/key", operation_id="keep_provider_key", response_model=ProviderLine)
    async def keep_key(name: Name, body: ProviderKeyBody) -> Response:
        """Keep a key in the place of the one that it had. Nothing else changes, wherever the provider stands."""
        await definitions.keep_key(name, body.key)
        return answer(await line_of(await definitions.get(name), definitions))

    @routes.delete("/providers/{name}/key", operation_id="forget_provider_key", response_model=ProviderLine)
    async def forget_key(name: Name) -> Response:
        """Take its key out of the vault. One of the environment or of a settings file stays."""
        await definitions.get(name)
        await definitions.forget_key(name)
        return answer(await line_of(await definitions.get(name), definitions))

    @routes.post("/providers/{name}/test", operation_id="test_provider", response_model=ProviderTest)
    async def test(
        name: Name, limit: Annotated[int, Query(ge=1, le=5000, description="The most models to name.")] = 1000
    ) -> Response:
        """Ask a provider for its models, to see that address and key are right."""
        await definitions.get(name)
        models = await rooms.routing.providers.tried(name)
        return answer(ProviderTest(name=name, models=tuple(model.name for model in models[:limit])))

    @routes.delete("/providers/{name}", operation_id="remove_provider", response_model=ProviderLine)
    async def remove(name: Name) -> Response:
        """Remove a provider and its key; the answer is what it was."""
        line = await line_of(await definitions.get(name), definitions)
        await definitions.remove(name)
        return answer(line)
