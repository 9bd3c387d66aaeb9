"""The pool's decisions are functions of what they see, so they can be asked anything."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.pool.planning import (
    Limits,
    Plan,
    Policy,
    Resident,
    Standing,
    Wanted,
    choose_to_drain,
    choose_under_pressure,
    choose_victims,
    make_plan,
)

OLD = Resident(name="old", room_bytes=2, used_at=1.0, idle_since=9.0)
BIG = Resident(name="big", room_bytes=5, used_at=2.0, idle_since=3.0)
NEW = Resident(name="new", room_bytes=1, used_at=8.0, idle_since=8.5)
BUSY = Resident(name="busy", room_bytes=4, used_at=9.0, in_use=True)
PINNED = Resident(name="pinned", room_bytes=4, used_at=0.0, pinned=True)
ALL = (NEW, BUSY, OLD, PINNED, BIG)


@pytest.mark.parametrize(
    ("policy", "first"),
    [(Policy.LRU, "old"), (Policy.LARGEST, "big"), (Policy.IDLE, "big")],
)
def test_each_policy_has_its_own_first(policy: Policy, first: str) -> None:
    assert choose_victims(ALL, 1, policy=policy) == (first,)


def test_a_victim_that_turns_out_not_to_be_needed_stays() -> None:
    """The oldest alone is too small, the next alone is enough: the oldest need not go, too."""
    assert choose_victims(ALL, 4) == ("big",)
    assert choose_victims(ALL, 6) == ("old", "big")


def test_nothing_leaves_when_all_that_may_leave_would_not_do() -> None:
    """A model thrown out in vain costs its next user a load, and helps nobody."""
    assert choose_victims(ALL, 9) == ()
    assert choose_victims(ALL, 0, needed_models=4) == ()
    assert choose_under_pressure(ALL, 9) == ("old", "big", "new")


def test_those_that_were_asked_to_end_already_are_asked_again() -> None:
    """Else two models could be drained in turns, and neither be gone."""
    other = replace(BUSY, name="other", used_at=0.0)
    assert choose_to_drain((BUSY, other), 4) == ("other",)
    assert choose_to_drain((replace(BUSY, draining=True), other), 4) == ("busy",)


LIMITS = Limits(models=2, room_bytes=10)


def plan(*residents: Resident, wanted: list[Wanted], limits: Limits = LIMITS, now: float = 100.0) -> Plan:
    return make_plan(residents, wanted, limits, policy=Policy.LRU, now=now)


def test_what_fits_is_loaded_without_anybody_leaving() -> None:
    assert plan(OLD, wanted=[Wanted(name="x", room_bytes=8)]) == Plan(load=("x",))


def test_what_does_not_fit_waits_for_the_room_that_it_makes() -> None:
    assert plan(OLD, BIG, wanted=[Wanted(name="x", room_bytes=1)]) == Plan(evict=("old",))
    leaving = replace(OLD, standing=Standing.LEAVING)
    assert plan(leaving, BIG, wanted=[Wanted(name="x", room_bytes=1)]) == Plan(), "room is coming: nobody else must go"


def test_room_that_comes_free_is_promised_only_once() -> None:
    """Two loads that together overflow the memory would take the machine down."""
    leaving = replace(BIG, standing=Standing.LEAVING)
    wanted = [Wanted(name="x", room_bytes=8), Wanted(name="y", room_bytes=3)]
    assert plan(leaving, wanted=wanted, limits=Limits(models=4, room_bytes=10)) == Plan(), "y would take x's room"
    assert plan(wanted=wanted) == Plan(load=("x",)), "both fit alone, not together"


def test_a_model_that_was_just_loaded_does_not_make_room_yet() -> None:
    """Else two models that alternate would do nothing but load."""
    fresh = replace(OLD, stays_until=101.0)
    wanted = [Wanted(name="x", room_bytes=9, aged=True)]
    assert plan(fresh, wanted=wanted) == Plan()
    assert plan(fresh, wanted=wanted, now=101.0) == Plan(evict=("old",))


def test_models_in_use_end_only_for_those_who_have_waited_too_long() -> None:
    wanted = Wanted(name="x", room_bytes=9)
    assert plan(BUSY, OLD, wanted=[wanted]) == Plan()
    assert plan(BUSY, OLD, wanted=[replace(wanted, aged=True)]) == Plan(evict=("old",), drain=frozenset({"busy"}))
    assert plan(PINNED, wanted=[replace(wanted, aged=True)]) == Plan()


def test_a_small_model_passes_a_large_one_until_that_has_waited_too_long() -> None:
    """First nobody wastes room that is free; then the large one gets its turn."""
    large = Wanted(name="large", room_bytes=8)
    small = Wanted(name="small", room_bytes=3)
    assert plan(BUSY, wanted=[large, small]) == Plan(load=("small",))
    assert plan(BUSY, wanted=[replace(large, aged=True), small]) == Plan(drain=frozenset({"busy"}))


residents = st.lists(
    st.builds(
        Resident,
        name=st.sampled_from("abcdefgh"),
        room_bytes=st.integers(0, 8),
        standing=st.sampled_from(Standing),
        in_use=st.booleans(),
        pinned=st.booleans(),
        used_at=st.floats(0, 100),
        idle_since=st.floats(0, 100),
        stays_until=st.sampled_from([0.0, 200.0]),
        draining=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: one.name,
)
wanted_models = st.lists(
    st.builds(Wanted, name=st.sampled_from("uvwxyz"), room_bytes=st.integers(0, 12), aged=st.booleans()),
    max_size=4,
    unique_by=lambda one: one.name,
)
policies = st.sampled_from(Policy)


@given(residents, st.integers(-3, 30), st.integers(-1, 5), policies)
def test_victims_may_leave_are_enough_and_not_one_too_many(
    models: list[Resident], needed_bytes: int, needed_models: int, policy: Policy
) -> None:
    by_name = {one.name: one for one in models}
    free = [one for one in models if one.standing is Standing.READY and not one.in_use and not one.pinned]
    chosen = choose_victims(models, needed_bytes, needed_models=needed_models, policy=policy)
    victims = [by_name[name] for name in chosen]

    def enough(some: list[Resident]) -> bool:
        return sum(one.room_bytes for one in some) >= needed_bytes and len(some) >= needed_models

    assert all(one in free for one in victims)
    assert enough(victims) or not enough(free)
    if not enough(free) or enough([]):
        assert victims == []
    for one in victims:
        assert not enough([other for other in victims if other is not one])


@given(residents, wanted_models, st.integers(1, 6), st.integers(1, 30), policies)
def test_no_plan_ever_overflows_or_touches_what_must_stay(
    models: list[Resident], wanted: list[Wanted], places: int, room: int, policy: Policy
) -> None:
    by_name = {one.name: one for one in models}
    plan = make_plan(models, wanted, Limits(models=places, room_bytes=room), policy=policy, now=100.0)
    loads = [one for one in wanted if one.name in plan.load]
    if loads:  # nothing that leaves has left yet
        assert sum(one.room_bytes for one in (*models, *loads)) <= room
        assert len(models) + len(loads) <= places
    for name in (*plan.evict, *plan.drain):
        one = by_name[name]
        assert one.standing is Standing.READY
        assert not one.pinned
        assert one.stays_until <= 100.0
    assert not any(by_name[name].in_use for name in plan.evict)
    assert all(by_name[name].in_use for name in plan.drain)
    if plan.drain:
        assert any(one.aged for one in wanted)
    assert len(set(plan.evict)) == len(plan.evict)


@given(residents, wanted_models, policies)
def test_whoever_waited_too_long_gets_room_unless_pinned_or_fresh_models_hold_it(
    models: list[Resident], wanted: list[Wanted], policy: Policy
) -> None:
    """The first in the queue is never passed over for want of trying."""
    if not wanted:
        return
    first = replace(wanted[0], aged=True)
    limits = Limits(models=3, room_bytes=12)
    plan = make_plan(models, [first, *wanted[1:]], limits, policy=policy, now=100.0)
    stays = [
        one
        for one in models
        if one.standing is not Standing.LEAVING
        and (one.standing is Standing.LOADING or one.pinned or one.stays_until > 100.0)
    ]
    possible = sum(one.room_bytes for one in stays) + first.room_bytes <= 12 and len(stays) < 3
    coming = {one.name for one in models if one.standing is Standing.LEAVING} | set(plan.evict) | plan.drain
    left = [one for one in models if one.name not in coming]
    after = sum(one.room_bytes for one in left) + first.room_bytes <= 12 and len(left) < 3
    assert after or not possible
