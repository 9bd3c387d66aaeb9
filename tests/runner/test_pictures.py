"""Pictures come to a runner ahead of their request, once each, and nothing that is not needed stays there."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from paddock.errors import ProtocolError
from paddock.images.digest import digest_of
from paddock.runner.messages import Count, Keep, Pixels, Submit, ToRunner
from paddock.runner.pictures import ReceivedPictures, SentPictures
from paddock.vocabulary import GenerateRequest, Message, Picture, Sampling


def picture(number: int, *, at: int = 0, side: int = 10) -> Picture:
    pixels = bytes([number]) * (3 * side * side)
    return Picture(at=at, pixels=pixels, width=side, height=side, digest=digest_of(pixels, side, side))


def asked(*pictures: Sequence[Picture]) -> GenerateRequest:
    messages = tuple(Message(role="user", content="look", images=tuple(each)) for each in pictures)
    return GenerateRequest(id="1", sampling=Sampling(), messages=messages)


def sizes(frames: Sequence[ToRunner]) -> list[str]:
    return [type(frame).__name__ for frame in frames]


def through(received: ReceivedPictures, frames: Sequence[ToRunner]) -> list[ToRunner]:
    return [message for frame in frames if (message := received.take(frame)) is not None]


def test_a_request_arrives_with_the_pixels_of_its_pictures_where_they_stood() -> None:
    request = asked((picture(1, at=0), picture(2, at=4)), (), (picture(1, at=2),))
    frames = list(SentPictures().frames(Submit(request)))
    assert sizes(frames) == ["Keep", "Pixels", "Pixels", "Submit"]  # the same picture goes once
    assert all(
        not each.pixels
        for message in frames[-1].request.messages or ()
        for each in message.images  # type: ignore[union-attr]
    )
    assert through(ReceivedPictures(), frames) == [Submit(request)]


def test_a_request_without_pictures_is_sent_as_ever() -> None:
    request = GenerateRequest(id="1", sampling=Sampling(), messages=(Message(role="user", content="hi"),))
    assert list(SentPictures().frames(Count(3, request))) == [Count(3, request)]
    assert ReceivedPictures().take(Count(3, request)) == Count(3, request)


def test_what_the_runner_has_is_not_sent_again() -> None:
    """A conversation shows its pictures again with every turn, and several answers to one request share them."""
    sent, received = SentPictures(), ReceivedPictures()
    first = through(received, list(sent.frames(Submit(asked((picture(1),))))))
    frames = list(sent.frames(Count(7, asked((picture(1),), (picture(2),)))))
    assert sizes(frames) == ["Keep", "Pixels", "Count"]
    (second,) = through(received, frames)
    assert second == Count(7, asked((picture(1),), (picture(2),)))
    assert isinstance(first[0], Submit)
    assert first[0].request.messages is not None
    assert second.request.messages is not None
    assert first[0].request.messages[0].images[0].pixels is second.request.messages[0].images[0].pixels


def test_the_oldest_leave_when_others_come_and_both_sides_agree() -> None:
    """In whatever order pictures come again, the runner has what the server believes it has, and no more than it may."""
    sent, received = SentPictures(kept_bytes_max=700), ReceivedPictures()  # room for two
    for numbers in ((1,), (2,), (3,), (1, 2), (2,), (4, 5, 6, 1), (3,), (1,), (6,), (5, 3), (2, 1, 4)):
        request = asked([picture(number) for number in numbers])
        assert through(received, list(sent.frames(Submit(request)))) == [Submit(request)]
        held = received._pictures
        assert len(held) <= len(numbers) + 2


def test_a_request_that_was_broken_off_on_its_way_is_no_trouble_for_the_next() -> None:
    """Its sender was cancelled after some frame, and whether the last one had left is not known."""
    request = asked((picture(1), picture(2), picture(3)))
    for count in range(5):
        sent, received = SentPictures(kept_bytes_max=0), ReceivedPictures()
        frames = sent.frames(Submit(request))
        through(received, [next(frames) for _ in range(count)])
        frames.close()
        other = asked((picture(4), replace(picture(2), at=1)))
        assert through(received, list(sent.frames(Submit(other)))) == [Submit(other)]
        assert set(received._pictures) <= {picture(4).digest, picture(2).digest}


def test_a_request_whose_picture_did_not_come_ends_the_connection() -> None:
    received = ReceivedPictures()
    with pytest.raises(ProtocolError):
        received.take(Submit(asked((picture(1),))))
    through(received, [Keep(()), Pixels(picture(1).digest, 10, 10, b"short")])
    with pytest.raises(ProtocolError):
        received.take(Submit(asked((picture(1),))))
