"""Between the thread that reads and the thread that owns the device nothing piles up, and nobody polls."""

import threading
import time

from paddock.runner.inbox import Inbox
from paddock.runner.messages import Cancel, ToRunner


def test_messages_come_out_in_order_and_all_at_once() -> None:
    inbox = Inbox()
    for number in range(5):
        inbox.put(Cancel(str(number)))
    assert inbox.take(wait=True) == tuple(Cancel(str(number)) for number in range(5))
    assert inbox.take(wait=False) == ()


def test_a_full_inbox_makes_the_reader_wait() -> None:
    inbox = Inbox(messages_max=2)
    numbers = [Cancel(str(number)) for number in range(5)]

    def read() -> None:
        for message in numbers:
            inbox.put(message)

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(0.05)
    assert reader.is_alive()
    taken: list[ToRunner] = []
    while len(taken) < 5:
        messages = inbox.take(wait=True)
        assert len(messages) <= 2
        taken += messages
    reader.join(5)
    assert taken == numbers


def test_waiting_costs_nothing() -> None:
    """An idle runner must not keep a laptop awake."""
    inbox = Inbox()
    taker = threading.Thread(target=inbox.take, kwargs={"wait": True})
    taker.start()
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.05
    inbox.put(Cancel("1"))
    taker.join(5)
    assert not taker.is_alive()
