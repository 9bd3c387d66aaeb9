"""What `/metrics` and `/readyz` see of the models in memory. Asked again only when the last look is a moment old."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from paddock.telemetry.metrics import ModelGauges

if TYPE_CHECKING:
    from paddock.pool.pool import Pool

FRESH_S: Final = 1.0


class Seeing:
    """Looks at the pool for those who only watch; however many ask, the runners are asked once a second at most."""

    def __init__(self, pool: "Pool", clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self._seen_at: float | None = None
        self._models: Sequence[ModelGauges] = ()
        self._looking = asyncio.Lock()

    async def models(self) -> Sequence[ModelGauges]:
        """Every model in memory, as it was at most a second ago."""
        async with self._looking:
            if self._seen_at is None or self._clock() - self._seen_at >= FRESH_S:
                self._models = await self._look()
                self._seen_at = self._clock()
        return self._models

    async def _look(self) -> Sequence[ModelGauges]:
        stats = await self._pool.stats()
        gauges: list[ModelGauges] = []
        for name, model in self._pool.status().models.items():
            one = stats.get(name)
            gauges.append(
                ModelGauges(
                    name=name,
                    state=str(model.state),
                    leases=model.leases,
                    predicted_bytes=model.predicted_bytes or 0,
                    measured_bytes=model.measured_bytes or 0,
                    memory_bytes=one.memory.active_bytes if one and one.memory else 0,
                    waiting=one.waiting if one else 0,
                    running=one.running if one else 0,
                    steps=one.steps if one else 0,
                    tokens=one.tokens if one else 0,
                    prefix_hit_tokens=one.prefix_hit_tokens if one else 0,
                    blocks_used=one.blocks_used if one else 0,
                    blocks_total=one.blocks_total if one else 0,
                    restarts=one.restarts if one else 0,
                )
            )
        return gauges
