"""Threads that go through a step together: they wait for each other, and for nobody who will never come."""

import threading

import pytest

from paddock.runner.mlx.host_team import Member, Team

MEETINGS = 200


def test_nobody_goes_on_before_all_are_there() -> None:
    """What one writes before a meeting, the others read after it."""
    team = Team()
    seen: list[list[int]] = [[0] * MEETINGS for _ in range(team.size)]

    def work(member: Member) -> None:
        for number in range(MEETINGS):
            seen[member.number][number] = 1
            member.meet()
            assert all(each[number] for each in seen)

    team.run(work)


def test_tasks_are_done_once_each() -> None:
    done: list[int] = []
    for team in (Team(1), Team()):
        done.clear()
        tasks = iter([lambda number=number: done.append(number) for number in range(100)])
        team.run(lambda member, tasks=tasks: member.share_out(tasks))
        assert sorted(done) == list(range(100))


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_ends_the_work_and_is_raised(failing: int) -> None:
    """Whoever waits at a meeting for the one that failed would wait for ever, and the runner with it."""
    team = Team()
    if failing >= team.size:
        failing = 0

    def work(member: Member) -> None:
        member.meet()
        if member.number == failing:
            raise MemoryError("no room")
        for _ in range(MEETINGS):
            member.meet()

    with pytest.raises(MemoryError, match="no room"):
        team.run(work)
    here = threading.current_thread()
    workers: list[threading.Thread] = []
    team.run(lambda member: (workers.append(threading.current_thread()), member.meet()))  # it can be sent again
    assert here in workers
    assert len(workers) == team.size
