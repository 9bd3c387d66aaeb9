"""A prediction corrected by what the same model took here before. Pure.

Weights and cache are known from headers and are not touched. What is unknown is fitted:

    process   what the process had after loading, less the weights: the middle of all loads
    speed     how large the steps of long prompts get: the fastest seen, because a busy machine only makes them smaller
    work      a factor on the formula: the middle of what each load took for its work over what the formula says for
              exactly that work, heavy work counting more; one odd measurement moves nothing
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from paddock.catalog.sizing import MemoryEstimate
from paddock.catalog.working_memory import FIRST_STEP_TOKENS, STEP_TOKENS_MAX

_MOSTLY: Final = 0.8
_FACTOR_MIN: Final = 0.2
_FACTOR_MAX: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFacts:
    """What one load took, and for what work. A load without work tells of the process only."""

    loaded_bytes: int  # before the first prompt
    peak_bytes: int = 0
    kv_bytes: int = 0  # the cache, at the most
    context: int = 0  # tokens of the longest sequence
    tokens: int = 0  # of all sequences together
    step_tokens: int = 0  # of the largest step

    @property
    def worked(self) -> bool:
        return self.step_tokens > 0 and self.peak_bytes > self.loaded_bytes


def corrected(estimate: MemoryEstimate, facts: Sequence[MemoryFacts], *, with_process: bool) -> MemoryEstimate:
    """`estimate` as it should have been for `facts`; as it is when there are none.

    `with_process`: the bytes of `facts` are of whole processes, as on CPUs; otherwise of the device's arrays alone.
    """
    if not facts:
        return estimate
    loaded = int(_middle((fact.loaded_bytes, 1.0) for fact in facts))
    if not with_process:
        weights, process = loaded, estimate.process_bytes
    elif loaded > estimate.weights_bytes:
        weights, process = estimate.weights_bytes, loaded - estimate.weights_bytes
    else:  # the weights lie in a narrower type than was thought
        weights, process = loaded, 0
    worked = [fact for fact in facts if fact.worked]
    better = replace(
        estimate,
        weights_bytes=weights,
        process_bytes=process,
        products_per_s=_speed(estimate, worked),
        basis="measured",
    )
    return replace(better, work_factor=_factor(better, worked))


def _speed(estimate: MemoryEstimate, worked: Sequence[MemoryFacts]) -> float | None:
    """From loads that read one long prompt at a time, in more steps than one; else at least what was seen."""
    seen = {fact: estimate.work.speed(fact.context, fact.step_tokens) for fact in worked}
    told = {fact: speed for fact, speed in seen.items() if _at_full_speed(fact)}
    # The first step of a prompt has its size whatever the device can do; when none was larger, it can do no more.
    larger = [speed for fact, speed in told.items() if fact.step_tokens > FIRST_STEP_TOKENS]
    if told or estimate.products_per_s is None:
        return max(larger, default=min(told.values(), default=None))
    return max(estimate.products_per_s, *seen.values(), 0.0)


def _at_full_speed(fact: MemoryFacts) -> bool:
    """Whether its largest step was as large as the device allowed: alone, and with more to read than fits into it."""
    alone = fact.context >= _MOSTLY * fact.tokens
    return alone and fact.step_tokens + FIRST_STEP_TOKENS < _MOSTLY * min(fact.tokens, STEP_TOKENS_MAX)


def _factor(estimate: MemoryEstimate, worked: Sequence[MemoryFacts]) -> float:
    if not worked:
        return 1.0
    ratios: list[tuple[float, float]] = []
    for fact in worked:
        expected = estimate.formula_work_bytes(fact.context, fact.tokens)
        taken = max(0, fact.peak_bytes - fact.loaded_bytes - fact.kv_bytes)
        ratios.append((taken / expected, expected))
    return min(max(_middle(ratios), _FACTOR_MIN), _FACTOR_MAX)


def _middle(weighted: Iterable[tuple[float, float]]) -> float:
    """The weighted median: between the two in the middle when half of the weight lies on either side."""
    ordered = sorted(weighted)
    half = sum(weight for _, weight in ordered) / 2
    passed = 0.0
    for index, (value, weight) in enumerate(ordered):
        passed += weight
        if passed > half:
            return value
        if passed == half:
            return (value + ordered[index + 1][0]) / 2
    raise AssertionError("nothing has no middle")
