"""Who is computed with whom, and when."""

import random

from paddock.runner.embedding.batching import Batches, Job, Pace
from paddock.runner.embedding.encoder import Tokens
from paddock.vocabulary import Priority


def job(name: str, *lengths: int, priority: Priority = Priority.NORMAL) -> Job:
    return Job(name, [Tokens([1] * length) for length in lengths], priority)


def drained(batches: Batches, tokens_max: int) -> list[list[tuple[str, int]]]:
    order: list[list[tuple[str, int]]] = []
    while batch := batches.next_batch(tokens_max):
        order.append([(piece.job.id, len(piece.tokens)) for piece in batch])
    return order


def test_every_row_is_computed_once_and_padding_stays_below_a_quarter() -> None:
    draw = random.Random(1)
    batches = Batches()
    lengths = [draw.randint(1, 500) for _ in range(400)]
    batches.add(job("one", *lengths[:250]))
    batches.add(job("two", *lengths[250:]))
    order = drained(batches, 4096)
    assert sorted(length for batch in order for _, length in batch) == sorted(lengths)
    for batch in order:
        longest = max(length for _, length in batch)
        assert len(batch) == 1 or longest * len(batch) <= 4096
        assert longest <= 16 or min(length for _, length in batch) >= longest - longest // 4


def test_a_small_request_waits_for_one_batch_of_a_big_one() -> None:
    batches = Batches()
    batches.add(job("big", *[100] * 200))
    assert {piece.job.id for piece in batches.next_batch(1000)} == {"big"}
    batches.add(job("small", 5))
    assert [piece.job.id for piece in batches.next_batch(1000)] == ["small"]


def test_a_big_request_is_not_starved_by_a_stream_of_small_ones() -> None:
    batches = Batches()
    batches.add(job("big", *[100] * 20))
    taken = 0
    for number in range(100):
        batches.add(job(f"small {number}", 90))
        taken += sum(piece.job.id == "big" for piece in batches.next_batch(200))
    assert taken == 20


def test_priority_is_a_share_and_not_a_right() -> None:
    batches = Batches()
    batches.add(job("low", *[100] * 40, priority=Priority.LOW))
    batches.add(job("high", *[50] * 40, priority=Priority.HIGH))
    first = [piece.job.id for _ in range(30) for piece in batches.next_batch(100)]
    assert first.count("high") > first.count("low") > 0


def test_rows_of_one_length_from_many_requests_share_a_batch() -> None:
    batches = Batches()
    for number in range(10):
        batches.add(job(str(number), 20))
    assert len(batches.next_batch(1000)) == 10


def test_a_row_longer_than_any_batch_goes_alone() -> None:
    batches = Batches()
    batches.add(job("one", 5000, 4900))
    assert [len(batch) for batch in drained(batches, 256)] == [1, 1]


def test_what_is_dropped_is_not_computed() -> None:
    batches = Batches()
    batches.add(job("one", 5, 6))
    batches.drop("one")
    assert batches.is_idle
    assert not batches.next_batch(100)


def test_batches_follow_the_speed_of_the_device() -> None:
    slow, fast = Pace(0.25), Pace(0.25)
    for _ in range(50):
        slow.took(slow.tokens_max, slow.tokens_max / 500)
        fast.took(fast.tokens_max, fast.tokens_max / 1_000_000)
    assert slow.tokens_max == 256
    assert fast.tokens_max == 32_768
    before = fast.tokens_max
    fast.took(3, 10)  # a tiny batch says nothing
    assert fast.tokens_max == before
