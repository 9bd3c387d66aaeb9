"""A small model picks the route; late, failing or unsure, the profile does. Roles are names for models."""

import asyncio
import math
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from paddock.errors import ModelNotFound, Overloaded, UsageError
from paddock.gateway.candidates import Candidate, Models
from paddock.gateway.deciding import Decider
from paddock.gateway.profiles import Profiles
from paddock.gateway.routers import Decision, DescribedRoute, Router, question, text_of
from paddock.gateway.routing import Route, RoutingSettings, Traits, route
from paddock.gateway.rules import Rule, RuleSet
from paddock.providers.provider import Accepted, AnswerEvent, Piece
from paddock.vocabulary import ChatRequest, FinishReason, FormatKind, GenerateEvent, Message, Sampling, TokenLogprob

from .building import model, routed, rule, targets

LLAMA, TINY = model("llama", "llama"), model("tiny", "phi")
TOPICS = Router(
    name="topics",
    model="tiny",
    fallback="general",
    routes=(
        DescribedRoute(name="paddock", to="tiny", description="Questions about it", word="general"),
        DescribedRoute(name="sums", to="role:worker"),
    ),
)


def led(name: str, decided: Decision | None = None, rules: tuple[Rule, ...] = (), **more: object) -> Route:
    here: list[Candidate] = [LLAMA, TINY]
    settings = RoutingSettings(routers={"topics": TOPICS}, roles={"worker": "tiny"}, **more)  # type: ignore[arg-type]
    return route(
        Traits(model=name, decided={} if decided is None else {"topics": decided}),
        rules=RuleSet(rules),
        profiles=Profiles(),
        models=Models(here),
        settings=settings,
    )


def test_a_role_is_a_model_or_a_profile() -> None:
    assert targets(led("role:worker")) == ["tiny"]
    assert led("role:worker").targets[0].route == "role:worker"
    assert targets(routed("role:thinker", LLAMA, TINY))[0] == "llama", "the general profile, while nobody set it"
    assert targets(routed("role:worker", LLAMA, TINY))[0] == "tiny", "the fast profile"
    unknown = led("role:boss").failure
    assert isinstance(unknown, ModelNotFound)
    assert "`role:worker`" in unknown.hint
    circle = routed("role:a", TINY, roles={"a": "role:a"}).failure
    assert isinstance(circle, UsageError)


def test_a_rule_may_lead_to_a_role_or_a_router() -> None:
    led_on = led("gpt-5", rules=(rule("mini", "exact", "gpt-5", "/role:worker"),))
    assert (targets(led_on), led_on.targets[0].route) == (["tiny"], "rule:mini")
    asks = led("gpt-5", rules=(rule("mini", "exact", "gpt-5", "/router:topics"),))
    assert asks.asks == "topics", "somebody has to read first"


def test_a_decision_leads_to_its_route_and_the_profile_is_behind_it() -> None:
    unread = led("router:topics")
    assert (unread.asks, targets(unread)[0]) == ("topics", "llama"), "the profile holds until it has read"
    chosen = led("router:topics", Decision(router="topics", route="sums", reason="so"))
    assert targets(chosen) == ["tiny", "llama"]
    assert [one.route for one in chosen.targets] == ["router:topics/sums", "router:topics"]
    assert chosen.asks is None
    assert any("so" in step for step in chosen.steps), "explain tells of it"
    unsure = led("router:topics", Decision(router="topics", route=None, reason="not sure"))
    assert targets(unsure)[0] == "llama"
    assert isinstance(led("router:none").failure, ModelNotFound)


class Saying:
    """A provider whose model says a word."""

    def __init__(self, word: str = "general", probability: float = 0.9, *, wait_s: float = 0.0) -> None:
        self.word, self.probability, self.wait_s = word, probability, wait_s
        self.asked: list[ChatRequest] = []
        self.ended = 0
        self.fails = False

    async def answer(self, request: ChatRequest) -> AsyncGenerator[AnswerEvent]:
        self.asked.append(request)
        try:
            if self.fails:
                raise Overloaded("Full.", hint="Wait.")
            yield Accepted(model=request.model, provider="local", route="exact")
            await asyncio.sleep(self.wait_s)
            logprobs = ((TokenLogprob(token_id=1, logprob=math.log(self.probability)),),)
            yield Piece(choice=0, event=GenerateEvent(id=request.id, text=self.word, logprobs=logprobs))
            yield Piece(choice=0, event=GenerateEvent(id=request.id, finish_reason=FinishReason.STOP))
        finally:
            self.ended += 1


def decider(provider: Saying, revision: str = "1") -> Decider:
    async def of(name: str) -> str:
        return revision

    return Decider(provider, of)  # type: ignore[arg-type]  (of a provider it takes answers only)


async def test_the_model_chooses_one_of_the_words_and_the_choice_is_remembered() -> None:
    provider = Saying()
    one = decider(provider)
    first = await one.decide(TOPICS, "How do I pull?", tenant="")
    assert (first.route, first.remembered) == ("paddock", False)
    asked = provider.asked[0]
    assert asked.format.kind is FormatKind.CHOICE
    assert asked.format.choices == ("general", "sums")
    assert asked.sampling.temperature == 0
    assert (await one.decide(TOPICS, "How do I pull?", tenant="")).remembered
    assert len(provider.asked) == 1
    await one.decide(TOPICS, "How do I pull?", tenant="other")
    await one.decide(replace(TOPICS, routes=TOPICS.routes[:1]), "How do I pull?", tenant="")
    assert len(provider.asked) == 3, "another tenant, other routes: asked anew"


async def test_what_is_remembered_is_bounded() -> None:
    provider = Saying()
    one = decider(provider)
    for number in range(4100):
        await one.decide(TOPICS, str(number), tenant="")
    await one.decide(TOPICS, "4099", tenant="")
    assert len(provider.asked) == 4100
    await one.decide(TOPICS, "0", tenant="")
    assert len(provider.asked) == 4101, "the oldest was let go"


async def test_late_failing_unsure_and_strange_words_leave_it_to_the_profile() -> None:
    late = Saying(wait_s=3600)
    found = await decider(late).decide(replace(TOPICS, timeout_s=0.01), "x", tenant="")
    assert found.route is None
    assert "within 0.01 s" in found.reason
    assert late.ended == 1, "it is cancelled"
    failing = Saying()
    failing.fails = True
    one = decider(failing)
    assert (await one.decide(TOPICS, "x", tenant="")).route is None
    failing.fails = False
    assert (await one.decide(TOPICS, "x", tenant="")).route == "paddock", "a failure is not remembered"
    unsure = await decider(Saying(probability=0.3)).decide(TOPICS, "x", tenant="")
    assert unsure.route is None
    assert unsure.probability == pytest.approx(0.3)
    assert (await decider(Saying("tea")).decide(TOPICS, "x", tenant="")).route is None


def test_a_router_reads_the_last_thing_its_user_said() -> None:
    messages = (
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    )
    assert text_of(ChatRequest(id="r", model="m", sampling=Sampling(), messages=messages)) == "c"
    assert text_of(ChatRequest(id="r", model="m", sampling=Sampling(), prompt="p" * 5000)) == "p" * 1000
    asked = question(TOPICS, "c", tenant="t")
    assert asked.tenant == "t"
    assert "general: Questions about it" in (asked.messages or ())[0].content
