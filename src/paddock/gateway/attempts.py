"""The one loop that retries: targets in order, those that may recover once more, within a number of attempts and a time."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from paddock.audit.trail import note_attempt
from paddock.errors import ModelNotFound, PaddockError, ProviderResting, ProviderTimedOut
from paddock.gateway.breaker import Breakers, Seat
from paddock.gateway.candidates import LOCAL
from paddock.gateway.failing import Worth, again, blames, retry_after_s, worth
from paddock.gateway.routing import Target
from paddock.providers.provider import Provider
from paddock.telemetry.logs import get_logger
from paddock.telemetry.timeline import Step, current

_log = get_logger("paddock.gateway")
_BACKOFF_S: Final = 0.5  # before the second round, twice as long before each further one


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverSettings:
    """How far the gateway goes for one request."""

    attempts_max: int = 6
    budget_s: float = 900.0
    wait_max_s: float = 20.0
    hedge_s: Mapping[str, float] = field(default_factory=dict[str, float])  # by route, or by provider

    def hedged_after_s(self, target: Target) -> float | None:
        """How long `target` may be silent before another one is asked as well; None is as long as it likes."""
        return self.hedge_s.get(target.route) or self.hedge_s.get(target.provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all attempts share."""

    provider: Callable[[str, Mapping[str, Any]], Provider | None]  # by name, with options on top of its own
    breakers: Breakers
    settings: Callable[[], FailoverSettings]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]  # a factor of waits: many who failed together do not come again together


class Attempts:
    """Targets to try, in order, again and again while that is worth it. The one loop that retries."""

    def __init__(self, means: Means, request_id: str, targets: Sequence[Target]) -> None:
        self.made = 0
        self._means = means
        self.settings = means.settings()
        self._until = means.clock() + self.settings.budget_s
        self._request_id = request_id
        self._targets = targets
        self._failures: dict[Seat, PaddockError] = {}  # in the order in which they failed first
        self._final: PaddockError | None = None
        self._inside: list[Target] = []  # where the breaker let it in; two when a start is hedged
        self._window: int | None = None  # what was too small
        self._timeline = current()
        self._steps: dict[Seat, Step] = {}  # the attempts that are under way

    async def __aiter__(self) -> AsyncGenerator[tuple[Target, Provider]]:
        for number in range(self.settings.attempts_max):  # rounds; each makes at least one attempt, or is the last
            for target in self._targets:
                if self._final is not None or self.made >= self.settings.attempts_max or self.left_s() <= 0:
                    return
                if self._skips(target, again_only=number > 0):
                    continue
                provider = self._means.provider(target.provider, target.options)
                if provider is None:
                    self._remember(target, _nobody(target))
                    continue
                if target.provider != LOCAL:
                    if not self._means.breakers.enter(seat_of(target)):
                        self._remember(target, _resting(target, self._means.breakers.rests_for(seat_of(target))))
                        continue
                    self._inside.append(target)
                self.made += 1
                note_attempt(provider=target.provider, model=target.model, route=target.route, attempts=self.made)
                if self._timeline is not None:
                    step = self._timeline.begin("attempt", provider=target.provider, model=target.model)
                    self._steps[seat_of(target)] = step
                yield target, provider
            wait_s = self._wait_s(number)
            if wait_s is None:
                return
            await self._means.sleep(wait_s)

    def left_s(self) -> float:
        return self._until - self._means.clock()

    def limit_s(self, target: Target) -> float | None:
        """How long to wait for the first word of `target`. None is for a model of this machine when nobody else is left.

        A long prompt may take it an hour, and ending that helps nobody: there is no one to go on to. Whoever no longer
        wants to wait leaves, which cancels it.
        """
        others = (other for other in self._targets if seat_of(other) != seat_of(target))
        if target.provider == LOCAL and all(self._skips(other, again_only=False) for other in others):
            return None
        return max(0.0, self.left_s())

    def succeeded(self, target: Target) -> None:
        """It has begun to answer."""
        if target.provider != LOCAL:
            self._means.breakers.succeeded(seat_of(target))
        self._left(target)

    def failed(self, target: Target, error: PaddockError) -> None:
        """It has not."""
        self._end_step(target, error.code)
        _log.warning(
            "attempt.failed",
            request=self._request_id,
            provider=target.provider,
            model=target.model,
            attempt=self.made,
            code=error.code,
        )
        if target.provider != LOCAL and blames(error):
            self._means.breakers.failed(seat_of(target), retry_after_s=retry_after_s(error))
            self._left(target)
        match worth(error):
            case Worth.NOTHING:
                self._final = error
            case Worth.LARGER:
                self._window = max(self._window or 0, target.context_window or 0)
                self._remember(target, error)
            case Worth.ANOTHER:
                self._remember(target, error)

    def ended(self, target: Target) -> None:
        """Whatever became of it: who left on the way has said nothing about the provider."""
        self._end_step(target)
        if self._left(target):
            self._means.breakers.released(seat_of(target))

    @property
    def is_final(self) -> bool:
        """Whether what failed is the caller's, so that nobody else is asked."""
        return self._final is not None

    def _end_step(self, target: Target, error: str = "") -> None:
        step = self._steps.pop(seat_of(target), None)
        if self._timeline is not None and step is not None:
            self._timeline.end(step, error)

    def failure(self) -> PaddockError:
        """What the caller is told: what is wrong with the request, or why the first of all targets did not answer."""
        if self._final is not None:
            return self._final
        if not self._failures:
            return out_of_time(self._targets[0])
        told = [*self._failures.values()]
        first = next((error for error in told if worth(error) is Worth.LARGER), told[0])
        others = [seat for seat, error in self._failures.items() if error is not first]
        if others:
            names = ", ".join(f"`{model}` of `{provider}`" for provider, model in others)
            return first.with_hint(f"{first.hint} Also tried: {names}.")
        return first

    def _left(self, target: Target) -> bool:
        """Whether it was inside until now."""
        before = len(self._inside)
        self._inside = [each for each in self._inside if each is not target]
        return len(self._inside) < before

    def _skips(self, target: Target, *, again_only: bool) -> bool:
        before = self._failures.get(seat_of(target))
        if before is not None:
            return not again(before) and not isinstance(before, ProviderResting)
        if again_only:
            return True
        too_small = self._window is not None and target.context_window is not None
        return too_small and (target.context_window or 0) <= (self._window or 0)

    def _wait_s(self, number: int) -> float | None:
        """How long until another round; None when there is none that is worth it."""
        waits: list[float] = []
        for seat, error in self._failures.items():
            if again(error) or isinstance(error, ProviderResting):
                backoff = _BACKOFF_S * 2**number * self._means.jitter()
                waits.append(max(backoff, self._means.breakers.rests_for(seat)))
        wait = min(waits, default=None)
        if wait is None or wait > self.settings.wait_max_s or wait >= self.left_s():
            return None
        return wait

    def _remember(self, target: Target, error: PaddockError) -> None:
        if isinstance(error, ProviderResting) and seat_of(target) in self._failures:
            return  # what it failed with says more
        self._failures[seat_of(target)] = error


def seat_of(target: Target) -> Seat:
    return target.provider, target.model


def out_of_time(target: Target) -> PaddockError:
    """It did not begin in the time that the request had."""
    return ProviderTimedOut(
        f"`{target.model}` of `{target.provider}` did not begin to answer in the time that the request had.",
        hint="Ask for less, or raise `failover.budget_s`.",
    )


def _nobody(target: Target) -> PaddockError:
    return ModelNotFound(
        f"There is no provider `{target.provider}`, or it is switched off.", hint="`paddock provider list` shows them."
    )


def _resting(target: Target, rest_s: float) -> PaddockError:
    return ProviderResting(
        f"`{target.model}` of `{target.provider}` failed several times and is left alone for now.",
        hint="Ask again later, or give the route another target.",
        retry_after_s=max(1.0, rest_s),
    )
