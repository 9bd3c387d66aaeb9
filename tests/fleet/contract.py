"""What every Fleet promises, written against the protocol alone. Whoever makes another fleet passes this, unchanged.

A fleet under test runs the toy model (tests/fakes/toy_runner.py), with times short enough that a silent or hung runner is
found within some five seconds, a load given up after some ten, and a crashed runner comes back within about one.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import (
    CrashedTwice,
    DeadlinePassed,
    GenerationFailed,
    NotEnoughMemory,
    Overloaded,
    PaddockError,
    RunnerCrashed,
    UsageError,
)
from paddock.fleet.fleet import Fleet, Runner, RunnerSpec, RunnerState
from paddock.images.digest import digest_of
from paddock.vocabulary import (
    FinishReason,
    GenerateEvent,
    GenerateRequest,
    Message,
    ModelFormat,
    Picture,
    Priority,
    Sampling,
)

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
BOUNDED_S = 40.0  # no caller waits longer for bad news, however busy this machine is


def toy(
    path: str = "toy", *, name: str = "toy", queue_max: int = 256, batch_max: int = 64, **options: object
) -> RunnerSpec:
    return RunnerSpec(
        name=name, path=path, format=ModelFormat.MLX, queue_max=queue_max, batch_max=batch_max, options=options
    )


def ask(
    prompt: str = "z", *, max_tokens: int = 10, priority: Priority = Priority.NORMAL, **sampling: Any
) -> GenerateRequest:
    return GenerateRequest(
        id=f"request {prompt}",
        prompt=prompt,
        priority=priority,
        sampling=Sampling(temperature=0, max_tokens=max_tokens, **sampling),
    )


def picture(number: int, *, at: int, side: int = 2000) -> Picture:
    pixels = bytes([number]) * (3 * side * side)
    return Picture(at=at, pixels=pixels, width=side, height=side, digest=digest_of(pixels, side, side))


async def answer(runner: Runner, request: GenerateRequest) -> str:
    return "".join([event.text async for event in runner.generate(request)])


async def first_of(events: AsyncIterator[GenerateEvent]) -> GenerateEvent:
    return await anext(events)


async def rest_of(events: AsyncIterator[GenerateEvent]) -> str:
    return "".join([event.text async for event in events])


async def idle(runner: Runner) -> None:
    """Wait until nothing waits or runs any more."""
    async with asyncio.timeout(BOUNDED_S):
        while (stats := await runner.stats()).waiting or stats.running or stats.blocks_used:
            await asyncio.sleep(0.02)


async def waits(runner: Runner, count: int) -> None:
    """Until so many requests wait."""
    async with asyncio.timeout(BOUNDED_S):
        while (await runner.stats()).waiting < count:
            await asyncio.sleep(0.02)


async def back(runner: Runner) -> None:
    """Wait until it answers again."""
    async with asyncio.timeout(BOUNDED_S):
        assert await answer(runner, ask()) == ALPHABET[:10]


async def pid_of(runner: Runner) -> int:
    pid = (await runner.stats()).pid
    assert pid is not None
    return pid


class FleetContract:
    """Subclasses give a fixture `fleet`."""

    @pytest.fixture
    async def runner(self, fleet: Fleet) -> Runner:
        return await fleet.start(toy())

    # Answers

    async def test_a_started_runner_is_ready_and_tells_its_model(self, fleet: Fleet) -> None:
        runner = await fleet.start(toy(name="seven"))
        assert (runner.state, runner.spec.name) == (RunnerState.READY, "seven")
        assert (runner.model.architecture, runner.model.vocabulary) == ("toy", 257)

    async def test_an_answer_comes_in_order_and_ends_once(self, runner: Runner) -> None:
        events = [event async for event in runner.generate(ask(max_tokens=60))]
        assert "".join(event.text for event in events) == (ALPHABET * 3)[:60]
        assert [event.finish_reason for event in events[:-1]] == [None] * (len(events) - 1)
        last = events[-1]
        assert last.finish_reason is FinishReason.LENGTH
        assert last.usage is not None
        assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (1, 60)
        assert events[0].begun is not None
        assert events[0].begun.prompt_tokens == 1
        assert not any(event.begun for event in events[1:])
        assert {event.id for event in events} == {"request z"}
        assert sum(len(event.token_ids) for event in events) == 60

    async def test_an_answer_streams(self, fleet: Fleet) -> None:
        """The first piece is here long before the last one is made."""
        runner = await fleet.start(toy(step_s=0.02))
        times = [time.monotonic() async for _ in runner.generate(ask(max_tokens=30))]
        assert len(times) > 10
        assert times[-1] - times[0] > 0.2

    async def test_many_answers_at_once_do_not_mix(self, runner: Runner) -> None:
        prompts = list(ALPHABET)
        answers = await asyncio.gather(*(answer(runner, ask(prompt, max_tokens=40)) for prompt in prompts))
        for prompt, text in zip(prompts, answers, strict=True):
            start = ALPHABET.index(prompt) + 1
            assert text == (ALPHABET * 3)[start : start + 40]

    async def test_pictures_come_with_their_request(self, runner: Runner) -> None:
        """Whole, in their places, however large they are together, and as often as they are asked about."""
        pictures = [picture(number, at=at) for number, at in ((1, 0), (2, 5), (1, 9))]
        messages = (Message(role="user", content="Look. And?!echo", images=tuple(pictures)),)
        request = GenerateRequest(id="1", sampling=Sampling(max_tokens=300), messages=messages)
        one, two = (f"<2000x2000 {each.digest}>" for each in pictures[:2])
        seen = f"user: {one}Look.{two} And{one}?!echo\n"
        assert await asyncio.gather(answer(runner, request), answer(runner, request)) == [seen, seen]
        assert await runner.count(request) == len(seen)

    async def test_two_requests_may_have_the_same_id(self, runner: Runner) -> None:
        """Ids are the asker's own affair."""
        assert await asyncio.gather(*(answer(runner, ask()) for _ in range(4))) == [ALPHABET[:10]] * 4

    async def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(self, runner: Runner) -> None:
        events = [event async for event in runner.generate(ask(max_tokens=100, stop=("lm", "ghi")))]
        assert "".join(event.text for event in events) == "abcdef"
        assert (events[-1].finish_reason, events[-1].stop) == (FinishReason.STOP, "ghi")
        assert events[-1].usage is not None
        assert events[-1].usage.completion_tokens == 9
        await idle(runner)

    async def test_logprobs_come_with_their_tokens(self, runner: Runner) -> None:
        events = [event async for event in runner.generate(ask(max_tokens=5, top_logprobs=0))]
        tokens = [token for event in events for token in event.token_ids]
        told = [entry[0].token_id for event in events for entry in event.logprobs]
        assert told == tokens == [ord(letter) for letter in "abcde"]

    async def test_a_conversation_is_rendered(self, runner: Runner) -> None:
        request = GenerateRequest(
            id="chat", messages=(Message(role="user", content="hi"),), sampling=Sampling(max_tokens=3)
        )
        assert await answer(runner, request) == "abc"

    async def test_a_slow_reader_slows_nobody_down_and_misses_nothing(self, runner: Runner) -> None:
        events = runner.generate(ask(max_tokens=200))
        pieces = [(await first_of(events)).text]
        assert await answer(runner, ask(max_tokens=100)) == (ALPHABET * 4)[:100]
        await idle(runner)
        pieces += [event.text async for event in events]
        assert "".join(pieces) == (ALPHABET * 8)[:200]

    async def test_counting_says_what_an_answer_will_report(self, runner: Runner) -> None:
        """Callers cut their prompts to fit by it; a count that is off by one is an error later."""
        for request in (
            ask("a prompt of several words"),
            GenerateRequest(id="tokens", tokens=(97, 98, 99), sampling=Sampling(max_tokens=1)),
            GenerateRequest(
                id="chat",
                messages=(Message(role="system", content="be kind"), Message(role="user", content="hi")),
                sampling=Sampling(max_tokens=1),
            ),
        ):
            events = [event async for event in runner.generate(request)]
            assert events[-1].usage is not None
            assert await runner.count(request) == events[-1].usage.prompt_tokens
        with pytest.raises(UsageError):
            await runner.count(GenerateRequest(id="none", sampling=Sampling()))

    async def test_counting_goes_on_beside_answers_and_ends_with_the_process(self, runner: Runner) -> None:
        """Nobody waits for a number that will not come."""
        asked = asyncio.create_task(answer(runner, ask(max_tokens=200)))
        assert await runner.count(ask("abc")) == 3
        assert await asked == (ALPHABET * 8)[:200]
        hung = asyncio.create_task(answer(runner, ask("!hang")))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(RunnerCrashed):
                await runner.count(ask("abc"))
            with pytest.raises(RunnerCrashed):
                await hung

    async def test_warm_up_returns(self, runner: Runner) -> None:
        await runner.warm(prefill_tokens=16, tokens=2)
        with pytest.raises(UsageError):
            await runner.warm(prefill_tokens=1_000_000)

    # Cancelling

    async def test_leaving_the_iteration_cancels(self, runner: Runner) -> None:
        async for _ in runner.generate(ask(max_tokens=4000)):
            break
        await idle(runner)
        assert (await runner.stats()).tokens < 3000

    async def test_closing_the_iteration_cancels(self, runner: Runner) -> None:
        async with aclosing(runner.generate(ask(max_tokens=4000))) as events:
            await anext(events)
        await idle(runner)

    async def test_a_cancelled_task_cancels_its_request(self, runner: Runner) -> None:
        task = asyncio.create_task(answer(runner, ask(max_tokens=4000)))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await idle(runner)

    async def test_a_request_that_waits_can_be_cancelled(self, fleet: Fleet) -> None:
        runner = await fleet.start(toy(batch_max=1, step_s=0.01))
        first = asyncio.create_task(answer(runner, ask(max_tokens=60)))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(answer(runner, ask("b", max_tokens=4000)))
        await asyncio.sleep(0.1)
        second.cancel()
        assert await first == (ALPHABET * 3)[:60]
        await idle(runner)

    async def test_a_deadline_ends_a_request(self, runner: Runner) -> None:
        request = GenerateRequest(id="late", prompt="z", sampling=Sampling(max_tokens=4000), deadline_s=0.1)
        with pytest.raises(DeadlinePassed):
            await answer(runner, request)
        await idle(runner)

    # Crowds

    async def test_a_full_queue_refuses_one_more_and_answers_the_others(self, fleet: Fleet) -> None:
        runner = await fleet.start(toy(batch_max=1, queue_max=3, step_s=0.01))
        asked = [asyncio.create_task(answer(runner, ask(max_tokens=20))) for _ in range(12)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        refused = [result for result in results if isinstance(result, Overloaded)]
        assert [result for result in results if not isinstance(result, Overloaded)] == [ALPHABET[:20]] * (
            12 - len(refused)
        )
        assert len(refused) >= 8
        assert all(error.hint for error in refused)

    async def test_high_priority_goes_first(self, fleet: Fleet) -> None:
        runner = await fleet.start(toy(batch_max=1, step_s=0.005))
        ended: list[str] = []

        async def one(name: str, priority: Priority) -> None:
            await answer(runner, ask(max_tokens=20, priority=priority))
            ended.append(name)

        tasks = [asyncio.create_task(one("running", Priority.HIGH))]
        await asyncio.sleep(0.05)
        for name, priority in (("low", Priority.LOW), ("normal", Priority.NORMAL), ("high", Priority.HIGH)):
            tasks.append(asyncio.create_task(one(name, priority)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)
        assert ended == ["running", "high", "normal", "low"]

    # What is wrong with a request

    @pytest.mark.parametrize(
        "request_",
        [
            ask(""),
            ask("z" * 5000),
            ask(max_tokens=0),
            ask(max_tokens=-1),
            ask(top_p=float("nan")),
            ask(logit_bias={999_999_999: 1.0}),
            ask(stop_token_ids=(70_000,)),
            ask(seed=2**80),
            GenerateRequest(id="both", prompt="a", tokens=(1,), sampling=Sampling()),
            GenerateRequest(id="none", sampling=Sampling()),
            GenerateRequest(id="surrogate", prompt="\ud800", sampling=Sampling()),
            GenerateRequest(id="object", prompt="a", sampling=Sampling(), template_options={"x": object()}),
            GenerateRequest(
                id="template",
                messages=(Message(role="user", content="hi"),),
                sampling=Sampling(),
                template_options={"no_template": True},
            ),
        ],
        ids=lambda request: f"{request.id[:20]} {request.sampling.max_tokens}",
    )
    async def test_a_wrong_request_is_told_so_and_hurts_nobody(self, runner: Runner, request_: GenerateRequest) -> None:
        other = asyncio.create_task(answer(runner, ask(max_tokens=200)))
        with pytest.raises(UsageError):
            await answer(runner, request_)
        assert await other == (ALPHABET * 8)[:200]

    async def test_a_poisoned_request_fails_alone(self, runner: Runner) -> None:
        other = asyncio.create_task(answer(runner, ask(max_tokens=200)))
        with pytest.raises(GenerationFailed) as failed:
            await answer(runner, ask("!poison"))
        assert failed.value.hint
        assert await other == (ALPHABET * 8)[:200]
        assert (await runner.stats()).restarts == 0

    async def test_a_request_whose_answer_cannot_be_read_is_refused_and_leaves_nothing(self, runner: Runner) -> None:
        """It was queued by then: if it went on, its first token would have nobody to be told to."""
        message = Message(role="user", content="!mute")
        with pytest.raises(UsageError):
            await answer(runner, GenerateRequest(id="mute", messages=(message,), sampling=Sampling(max_tokens=50)))
        assert await answer(runner, ask()) == ALPHABET[:10]
        stats = await runner.stats()
        assert (stats.running, stats.waiting, stats.restarts) == (0, 0, 0)

    async def test_a_step_that_is_refused_ends_its_requests_only(self, runner: Runner) -> None:
        with pytest.raises(NotEnoughMemory):
            await answer(runner, ask("!refuse"))
        assert await answer(runner, ask()) == ALPHABET[:10]
        assert (await runner.stats()).restarts == 0

    # Crashes

    @pytest.mark.parametrize("command", ["!die", "!raise", "!hang", "!freeze", "!noise"])
    async def test_a_crash_is_told_in_time_to_those_who_have_seen_a_token_and_mended(
        self, runner: Runner, command: str
    ) -> None:
        """What was shown cannot be taken back, so these are not answered anew."""
        streams = [runner.generate(ask(max_tokens=4000)) for _ in range(3)]
        for stream in streams:
            assert (await first_of(stream)).text
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(RunnerCrashed) as crashed:
                await answer(runner, ask(command))
            for stream in streams:
                with pytest.raises(RunnerCrashed):
                    await rest_of(stream)
        assert crashed.value.hint
        assert "0x" not in crashed.value.hint
        assert "/private" not in crashed.value.hint
        await back(runner)

    async def test_a_crash_is_not_noticed_by_those_who_have_no_token_yet(self, fleet: Fleet) -> None:
        """Most of a crowd waits; a crash costs them time and nothing else."""
        runner = await fleet.start(toy(batch_max=1, step_s=0.01))
        stream = runner.generate(ask(max_tokens=4000))
        assert (await first_of(stream)).text
        waiting = [asyncio.create_task(answer(runner, ask(prompt, max_tokens=30))) for prompt in "abcde"]
        await waits(runner, 5)
        os.kill(await pid_of(runner), signal.SIGKILL)
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(RunnerCrashed):
                await rest_of(stream)
            answers = await asyncio.gather(*waiting)
        assert answers == [(ALPHABET * 3)[start : start + 30] for start in range(1, 6)]
        assert (await runner.stats()).restarts == 1

    @pytest.mark.parametrize("command", ["!die", "!raise", "!hang"])
    async def test_a_request_that_kills_twice_is_named_and_harms_nobody_twice(self, fleet: Fleet, command: str) -> None:
        """All are in the step that ends the process; none of them is told, but the one that does it again alone."""
        runner = await fleet.start(toy(step_s=0.3))
        stream = runner.generate(ask(max_tokens=4000))
        assert (await first_of(stream)).text
        before = [asyncio.create_task(answer(runner, ask(prompt, max_tokens=5))) for prompt in "ab"]
        culprit = asyncio.create_task(answer(runner, ask(command)))
        after = [asyncio.create_task(answer(runner, ask(prompt, max_tokens=5))) for prompt in "cd"]
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(CrashedTwice, match=f"request {command}.* likely cause") as refused:
                await culprit
            with pytest.raises(RunnerCrashed):
                await rest_of(stream)
            answers = await asyncio.gather(*before, *after)
        assert refused.value.http_status < 500  # else client libraries send it again
        assert answers == ["bcdef", "cdefg", "defgh", "efghi"]
        assert (await runner.stats()).restarts == 2

    async def test_each_of_several_culprits_is_found(self, fleet: Fleet) -> None:
        """The second one must not take down those that the first one spared."""
        runner = await fleet.start(toy(batch_max=1, step_s=0.01))
        prompts = ("a", "!die", "b", "!raise", "c")
        async with asyncio.timeout(BOUNDED_S):
            results = await asyncio.gather(
                *(answer(runner, ask(prompt, max_tokens=5)) for prompt in prompts), return_exceptions=True
            )
        assert [result for result in results if isinstance(result, str)] == ["bcdef", "cdefg", "defgh"]
        assert [type(results[index]) for index in (1, 3)] == [CrashedTwice, CrashedTwice]

    async def test_requests_that_come_while_another_is_on_trial_are_spared(self, fleet: Fleet) -> None:
        """They had no part in the first crash and must not be in the second, half answered."""
        runner = await fleet.start(toy(step_s=0.2))
        culprit = asyncio.create_task(answer(runner, ask("z" * 3000 + "!die")))
        async with asyncio.timeout(BOUNDED_S):
            while (stats := await runner.stats()).restarts < 1 or stats.state is not RunnerState.READY:
                await asyncio.sleep(0.01)
            newcomers = [asyncio.create_task(answer(runner, ask(max_tokens=20))) for _ in range(3)]
            with pytest.raises(CrashedTwice):
                await culprit
            assert not any(newcomer.done() for newcomer in newcomers)
            assert await asyncio.gather(*newcomers) == [ALPHABET[:20]] * 3

    async def test_who_breaks_it_after_a_token_is_told_and_not_tried_again(self, runner: Runner) -> None:
        """The reader has half an answer; another one would not go on where it stopped."""
        stream = runner.generate(ask("!later"))
        text = (await first_of(stream)).text
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(RunnerCrashed) as crashed:
                await rest_of(stream)
        assert "stuv".startswith(text)
        assert not isinstance(crashed.value, CrashedTwice)
        await back(runner)
        assert (await runner.stats()).restarts == 1

    async def test_a_second_try_keeps_to_the_deadline_of_the_first(self, fleet: Fleet) -> None:
        """The caller set it for the answer, whatever happens on the way."""
        runner = await fleet.start(toy(batch_max=1))
        asked = asyncio.create_task(answer(runner, ask("!hang")))
        await asyncio.sleep(0.1)
        late = GenerateRequest(id="late", prompt="z", sampling=Sampling(max_tokens=5), deadline_s=0.3)
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(DeadlinePassed, match="`late`"):
                await answer(runner, late)
            assert not asked.done()  # nobody waits for a hung runner beyond his own time
            with pytest.raises(CrashedTwice):
                await asked

    async def test_who_leaves_while_on_trial_holds_nobody_up(self, runner: Runner) -> None:
        culprits = [asyncio.create_task(answer(runner, ask("!hang"))) for _ in range(3)]
        await asyncio.sleep(0.1)
        os.kill(await pid_of(runner), signal.SIGKILL)
        other = asyncio.create_task(answer(runner, ask()))
        await asyncio.sleep(0.3)
        for culprit in culprits:
            culprit.cancel()
        async with asyncio.timeout(BOUNDED_S):
            await asyncio.gather(*culprits, return_exceptions=True)
            assert await other == ALPHABET[:10]

    async def test_who_leaves_his_trial_leaves_the_blame_to_nobody(self, runner: Runner) -> None:
        """His step still hangs when the next one's trial begins, in the same process."""
        culprit = asyncio.create_task(answer(runner, ask("!hang")))
        innocent = asyncio.create_task(answer(runner, ask()))
        await asyncio.sleep(0.1)
        os.kill(await pid_of(runner), signal.SIGKILL)
        async with asyncio.timeout(BOUNDED_S):
            while (stats := await runner.stats()).restarts < 1 or stats.state is not RunnerState.READY:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            culprit.cancel()
            assert await innocent == ALPHABET[:10]

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV])
    async def test_a_runner_that_is_killed_or_starved_is_replaced(self, runner: Runner, number: signal.Signals) -> None:
        before = await pid_of(runner)
        events = runner.generate(ask(max_tokens=4000))
        assert (await first_of(events)).text
        os.kill(before, number)
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(RunnerCrashed):
                await rest_of(events)
        await back(runner)
        assert await pid_of(runner) != before

    async def test_one_runner_s_crash_touches_no_other(self, fleet: Fleet) -> None:
        first, second = await asyncio.gather(fleet.start(toy(name="one")), fleet.start(toy(name="two")))
        steady = asyncio.create_task(answer(second, ask(max_tokens=1000)))
        with pytest.raises(CrashedTwice):
            await answer(first, ask("!die"))
        assert await steady == (ALPHABET * 40)[:1000]
        assert (await second.stats()).restarts == 0

    async def test_requests_that_come_during_a_restart_wait_for_it(self, runner: Runner) -> None:
        with pytest.raises(RunnerCrashed):
            await answer(runner, ask("!die"))
        async with asyncio.timeout(BOUNDED_S):
            answers = await asyncio.gather(*(answer(runner, ask()) for _ in range(5)))
        assert answers == [ALPHABET[:10]] * 5

    async def test_a_model_that_no_longer_loads_fails_with_the_reason(self, fleet: Fleet, tmp_path: Path) -> None:
        runner = await fleet.start(toy(f"loads-once:{tmp_path / 'loaded'}"))
        with pytest.raises(RunnerCrashed):
            await answer(runner, ask("!die"))
        async with asyncio.timeout(2 * BOUNDED_S):
            with pytest.raises(RunnerCrashed) as given_up:
                await answer(runner, ask())
        assert runner.state is RunnerState.FAILED
        assert "restarted" in given_up.value.message
        with pytest.raises(RunnerCrashed):
            _ = runner.model

    # Loading

    @pytest.mark.parametrize(
        ("path", "kind"),
        [("dies", RunnerCrashed), ("hangs", RunnerCrashed), ("refuses", NotEnoughMemory), ("raises", RunnerCrashed)],
    )
    async def test_a_load_that_fails_says_why(self, fleet: Fleet, path: str, kind: type[PaddockError]) -> None:
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(kind) as failed:
                await fleet.start(toy(path))
        assert type(failed.value) is kind
        assert "toy" in failed.value.message
        assert failed.value.hint

    async def test_a_load_can_be_cancelled(self, fleet: Fleet) -> None:
        starting = asyncio.create_task(fleet.start(toy("hangs")))
        await asyncio.sleep(0.3)
        starting.cancel()
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(asyncio.CancelledError):
                await starting

    # Ending

    async def test_stop_ends_the_process_and_may_be_said_twice(self, runner: Runner) -> None:
        pid = await pid_of(runner)
        await asyncio.gather(runner.stop(), runner.stop())
        await runner.stop()
        assert runner.state is RunnerState.STOPPED
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(RunnerCrashed):
            await answer(runner, ask())
        assert (await runner.stats()).pid is None

    async def test_stop_tells_those_who_wait(self, runner: Runner) -> None:
        asked = asyncio.create_task(answer(runner, ask(max_tokens=4000)))
        await asyncio.sleep(0.1)
        await runner.stop()
        with pytest.raises(RunnerCrashed, match="unloaded"):
            await asked

    async def test_a_hung_runner_can_be_stopped(self, runner: Runner) -> None:
        asked = asyncio.create_task(answer(runner, ask("!hang")))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(BOUNDED_S):
            await runner.stop()
            with pytest.raises(RunnerCrashed):
                await asked

    async def test_a_runner_that_restarts_can_be_stopped(self, runner: Runner) -> None:
        with pytest.raises(RunnerCrashed):
            await answer(runner, ask("!die"))
        async with asyncio.timeout(BOUNDED_S):
            await runner.stop()
        assert runner.state is RunnerState.STOPPED

    async def test_close_ends_everything_loads_included(self, fleet: Fleet) -> None:
        runners = [await fleet.start(toy(name=name)) for name in ("one", "two")]
        pids = [await pid_of(runner) for runner in runners]
        loading = asyncio.create_task(fleet.start(toy("hangs")))
        await asyncio.sleep(0.3)
        async with asyncio.timeout(BOUNDED_S):
            await fleet.close()
            with pytest.raises(RunnerCrashed):
                await loading
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        with pytest.raises(RunnerCrashed):
            await fleet.start(toy())
        await fleet.close()

    # Looking

    async def test_stats_count_what_happens(self, fleet: Fleet) -> None:
        runner = await fleet.start(toy(step_s=0.01))
        asked = asyncio.create_task(answer(runner, ask(max_tokens=100)))
        await asyncio.sleep(0.3)
        during = await runner.stats()
        await asked
        await idle(runner)
        after = await runner.stats()
        assert (during.state, during.running) == (RunnerState.READY, 1)
        assert 0 < during.blocks_used <= during.blocks_total
        assert (after.running, after.blocks_used, after.tokens) == (0, 0, 100)
        assert after.steps >= during.steps
        assert after.memory is not None

    async def test_stats_of_a_hung_runner_come_in_time(self, runner: Runner) -> None:
        asked = asyncio.create_task(answer(runner, ask("!hang")))
        await asyncio.sleep(0.1)
        await runner.stats()
        assert not asked.done(), "they came only when the runner had been ended"
        async with asyncio.timeout(BOUNDED_S):
            with pytest.raises(RunnerCrashed):
                await asked
