"""What limits would do that somebody thinks of, told before they hold."""

from collections.abc import Sequence

from paddock.pool.planning import Resident, Standing, choose_in_excess, may_leave
from paddock.pool.settings import PoolSettings
from paddock.pool.status import LimitsPreview, Share


def foresee(residents: Sequence[Resident], settings: PoolSettings) -> LimitsPreview:
    """Who would leave at once, by the same choice that the room makes, and who stays."""
    gone = set(choose_in_excess(residents, settings.limits, policy=settings.policy))
    stays = [one for one in residents if one.name not in gone]
    counted = [one for one in stays if one.standing is not Standing.LEAVING]
    return LimitsPreview(
        budget_bytes=settings.budget_bytes,
        max_models=settings.max_models,
        policy=settings.policy.value,
        leaves=tuple(_share(one) for one in residents if one.name in gone),
        stays=tuple(_share(one) for one in stays),
        over_bytes=max(0, sum(one.room_bytes for one in counted) - settings.budget_bytes),
        over_models=max(0, len(counted) - settings.max_models),
    )


def _share(one: Resident) -> Share:
    return Share(name=one.name, room_bytes=one.room_bytes, held_by="" if may_leave(one) else _hold(one))


def _hold(one: Resident) -> str:
    if one.standing is not Standing.READY:
        return one.standing.value
    return "pinned" if one.pinned else "in use"
