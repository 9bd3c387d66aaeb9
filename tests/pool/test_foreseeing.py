"""What limits would do, told before they hold."""

from dataclasses import replace

from paddock.pool.foreseeing import foresee
from paddock.pool.planning import Policy, Resident, Standing, choose_in_excess
from paddock.pool.settings import PoolSettings
from paddock.pool.status import Share

SETTINGS = PoolSettings(budget_bytes=100, max_models=4)
RESIDENTS = [
    Resident(name="pinned", room_bytes=30, pinned=True),
    Resident(name="old", room_bytes=10, used_at=1.0),
    Resident(name="large", room_bytes=40, used_at=3.0),
    Resident(name="busy", room_bytes=20, in_use=True),
]


def test_who_leaves_is_the_rooms_own_choice() -> None:
    """A person agrees to what is shown, so nothing else may happen."""
    for policy in Policy:
        for budget in (100, 95, 70, 1):
            settings = replace(SETTINGS, budget_bytes=budget, policy=policy)
            told = foresee(RESIDENTS, settings)
            assert tuple(one.name for one in told.leaves) == tuple(
                one.name for one in RESIDENTS if one.name in choose_in_excess(RESIDENTS, settings.limits, policy=policy)
            )
            assert {one.name for one in (*told.leaves, *told.stays)} == {one.name for one in RESIDENTS}


def test_those_that_stay_say_why_and_how_far_over_they_are() -> None:
    """Else somebody lowers a limit and wonders why nothing comes free."""
    told = foresee(RESIDENTS, replace(SETTINGS, budget_bytes=25, max_models=1))
    assert [one.name for one in told.leaves] == ["old", "large"]
    assert told.stays == (
        Share(name="pinned", room_bytes=30, held_by="pinned"),
        Share(name="busy", room_bytes=20, held_by="in use"),
    )
    assert (told.over_bytes, told.over_models) == (25, 1)


def test_what_leaves_already_counts_no_more() -> None:
    leaving = Resident(name="going", room_bytes=90, standing=Standing.LEAVING)
    told = foresee([*RESIDENTS, leaving], SETTINGS)
    assert (told.leaves, told.over_bytes, told.over_models) == ((), 0, 0)
    assert told.stays[-1].held_by == "leaving"
