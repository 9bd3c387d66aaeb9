"""What a model will take of the memory: the answer to whoever decides which models are loaded."""

from dataclasses import dataclass

from paddock.catalog.sizing import MemoryEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """A prediction for one model at one context."""

    bytes: int  # at the most, everything together: what the machine loses
    runner_bytes_max: int  # the limit with which the runner keeps to it: `RunnerSpec.memory_bytes_max`
    context: int  # tokens of each conversation
    streams: int
    basis: str  # what it rests on: measured, headers, config or name


def need_at(estimate: MemoryEstimate, context: int, streams: int) -> MemoryNeed:
    """What `estimate` says for so many conversations of `context` tokens each."""
    return MemoryNeed(
        bytes=estimate.peak_bytes(context, streams),
        runner_bytes_max=estimate.runner_bytes_max(context, streams),
        context=context,
        streams=streams,
        basis=estimate.basis,
    )
