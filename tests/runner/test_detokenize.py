"""Text that streams is whole characters, and never shows a part of a stop string."""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies

from paddock.runner.detokenize import Detokenizer, StopStrings


def decode(tokens: Sequence[int]) -> str:
    """One byte a token; 256 is special and says nothing."""
    return bytes(token for token in tokens if token < 256).decode(errors="replace")


def pieces(tokens: Sequence[int], *stop: str, prompt: Sequence[int] = ()) -> list[str]:
    detokenizer = Detokenizer(decode, prompt, stop)
    said: list[str] = []
    for token in tokens:
        piece = detokenizer.feed(token)
        said.append(piece.text)
        if piece.stopped:
            return said
    return [*said, detokenizer.finish().text]


@given(strategies.text(), strategies.text())
def test_pieces_join_to_the_text(prompt: str, text: str) -> None:
    assert "".join(pieces(text.encode(), prompt=tuple(prompt.encode()))) == text


def test_a_character_comes_whole_or_not_at_all() -> None:
    """A terminal or a JSON string cannot take half an emoji."""
    assert pieces("a🐴b".encode()) == ["a", "", "", "", "🐴", "b", ""]


def test_garbage_is_not_held_back_for_ever() -> None:
    said = pieces([0x80] * 20)
    assert "".join(said) == "\ufffd" * 20
    assert any(said[:10])


def test_an_unfinished_character_is_shown_at_the_end() -> None:
    assert "".join(pieces("a🐴".encode()[:-1])) == "a\ufffd"


def test_special_tokens_say_nothing_and_hold_nothing_up() -> None:
    assert "".join(pieces([*b"a", *[256] * 50, *b"b"])) == "ab"


def test_the_blank_in_front_of_the_first_word_stays() -> None:
    """SentencePiece drops it from a text that begins with it; the end of the prompt is context that prevents it."""

    def sentencepiece(tokens: Sequence[int]) -> str:
        return decode(tokens).removeprefix(" ")

    detokenizer = Detokenizer(sentencepiece, b"capital", ())
    assert "".join(detokenizer.feed(token).text for token in b" of") == " of"


def test_what_could_begin_a_stop_string_is_held_back() -> None:
    assert pieces(b"one STAR STOP more", "STOP") == ["o", "n", "e", " ", "", "", "STA", "R", " ", "", "", "", ""]


def test_a_stop_string_at_the_very_end_is_not_shown() -> None:
    detokenizer = Detokenizer(decode, (), ("\ufffd",))
    assert detokenizer.feed("é".encode()[0]).text == ""
    last = detokenizer.finish()
    assert (last.text, last.stopped) == ("", True)


@pytest.mark.parametrize(
    ("stop", "shown"), [(("cd", "bcd"), "a"), (("zz",), "abcdef"), (("f",), "abcde"), ((), "abcdef")]
)
def test_the_stop_string_that_begins_first_counts(stop: tuple[str, ...], shown: str) -> None:
    stops = StopStrings(stop)
    piece = stops.feed("abcdef")
    assert (piece.text + stops.rest(), piece.stopped) == (shown, shown != "abcdef")


@given(
    strategies.lists(strategies.text("ab", max_size=4), max_size=8),
    strategies.lists(strategies.text("ab", min_size=1, max_size=4), max_size=3),
)
def test_however_the_text_is_cut_the_same_is_shown(parts: list[str], stop: list[str]) -> None:
    """Compared with looking at the text after every letter, which is when a stop string can first be seen."""
    text = "".join(parts)
    ends = [end for end in range(len(text) + 1) if any(text[:end].endswith(one) for one in stop)]
    expected = text
    if ends:
        seen = text[: ends[0]]
        expected = seen[: min(at for one in stop if (at := seen.find(one)) >= 0)]
    stops = StopStrings(stop)
    shown = ""
    for letter in text:
        piece = stops.feed(letter)
        shown += piece.text
        if piece.stopped:
            break
    else:
        shown += stops.rest()
    assert shown == expected
