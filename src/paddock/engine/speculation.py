"""Guesses at the next tokens, checked by the model in one step instead of made one step each.

A guess changes when a token is computed, never which: the executor samples every position as if nothing had been guessed,
and a guess is kept when it is what was sampled.
"""

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from paddock.engine.limits import Limits
from paddock.engine.sequence import Sequence

_SMOOTHING = 0.2  # weight of the newest row
_POOR = 0.25  # below this share of guesses kept, guessing costs more than it saves
_REST_TOKENS = 64  # how long a sequence whose guesses were poor is left alone
_GRAMS = (3, 2)  # lengths of the endings looked up, longest first
_TRUST_SMOOTHING = 0.25  # weight of the newest guess of the first of two guessers
_TRUSTED = 0.75  # below this share of guesses right, the second is asked instead: a draft model is right as often


@dataclass(frozen=True, slots=True)
class DraftWish:
    """Guesses wanted for one sequence. `tokens` is live: valid during the call, not to be kept or changed."""

    sequence_id: str
    tokens: SequenceOf[int]
    count: int


class Drafter(Protocol):
    """Whoever guesses. A draft model keeps its own cache, and finds out by `tokens` what of it is still true."""

    def propose(self, wishes: SequenceOf[DraftWish]) -> SequenceOf[tuple[int, ...]]:
        """For each wish up to `count` tokens that may come next; none where there is no idea."""
        ...

    def forget(self, sequence_id: str) -> None:
        """It has ended, or was preempted. Unknown ids are fine."""
        ...


class _Grams:
    """Where each short run of tokens was last followed by something."""

    __slots__ = ("after", "read")

    def __init__(self) -> None:
        self.after: dict[tuple[int, ...], int] = {}
        self.read = 0

    def learn(self, tokens: SequenceOf[int]) -> None:
        """Index every run that ends before the last token: what follows it is known."""
        for end in range(max(self.read, 1), len(tokens)):
            for length in _GRAMS:
                if end >= length:
                    self.after[tuple(tokens[end - length : end])] = end
        self.read = len(tokens)

    def continuation(self, tokens: SequenceOf[int]) -> int | None:
        """Where to read on after the last occurrence of what `tokens` ends in."""
        for length in _GRAMS:
            found = self.after.get(tuple(tokens[-length:]))
            if found is not None:
                return found
        return None


class NgramDrafter:
    """Guesses that what followed the same words before, in prompt or output, follows again."""

    def __init__(self) -> None:
        self._grams: dict[str, _Grams] = {}

    def propose(self, wishes: SequenceOf[DraftWish]) -> list[tuple[int, ...]]:
        return [self._guess(wish) for wish in wishes]

    def forget(self, sequence_id: str) -> None:
        self._grams.pop(sequence_id, None)

    def _guess(self, wish: DraftWish) -> tuple[int, ...]:
        grams = self._grams.setdefault(wish.sequence_id, _Grams())
        grams.learn(wish.tokens)
        start = grams.continuation(wish.tokens)
        if start is None:
            return ()
        # Past the end the guess reads itself: "a b a b" goes on with "a b a b …".
        period = len(wish.tokens) - start
        return tuple(wish.tokens[start + index % period] for index in range(wish.count))


@dataclass(slots=True)
class _Trust:
    """How far the first guesser is believed for one sequence."""

    kept: float = 0.0  # smoothed share of its guesses that came true; it must have been right before it is followed
    start: int = 0  # where its last guess begins
    guess: tuple[int, ...] = ()


class FirstThen:
    """Two guessers: the first where it has an idea and has been right, the second otherwise.

    The first should be cheap and silent when it does not know, as n-grams are. What it guessed is compared with what came,
    used or not, so that it is followed where it has been right and a text in which it is wrong is left to the second.
    """

    def __init__(self, first: Drafter, second: Drafter) -> None:
        self._first = first
        self._second = second
        self._trusts: dict[str, _Trust] = {}

    def propose(self, wishes: SequenceOf[DraftWish]) -> list[tuple[int, ...]]:
        guesses = [self._believed(wish, guess) for wish, guess in zip(wishes, self._first.propose(wishes), strict=True)]
        without = [index for index, guess in enumerate(guesses) if not guess]
        if without:
            others = self._second.propose([wishes[index] for index in without])
            for index, guess in zip(without, others, strict=True):
                guesses[index] = guess
        return guesses

    def forget(self, sequence_id: str) -> None:
        self._trusts.pop(sequence_id, None)
        self._first.forget(sequence_id)
        self._second.forget(sequence_id)

    def _believed(self, wish: DraftWish, guess: tuple[int, ...]) -> tuple[int, ...]:
        """`guess` when the last ones were right; learns from what became of the one before, used or not."""
        trust = self._trusts.setdefault(wish.sequence_id, _Trust())
        came = tuple(wish.tokens[trust.start : trust.start + len(trust.guess)])
        if came:
            right = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(trust.guess, came, strict=False)))
            trust.kept += _TRUST_SMOOTHING * (right / len(came) - trust.kept)
        trust.start, trust.guess = len(wish.tokens), guess
        return guess if trust.kept >= _TRUSTED else ()


@dataclass(slots=True)
class _Record:
    """How well one sequence was guessed."""

    kept: float = 1.0  # smoothed share of guesses kept; begins hopeful
    resumes_at: int = 0  # no guesses while the sequence is shorter


class Speculation:
    """Who is guessed for, how far, and how well it went."""

    def __init__(self, drafter: Drafter | None, limits: Limits) -> None:
        self._drafter = drafter
        self._limits = limits
        self._records: dict[str, _Record] = {}

    def guesses(self, decoding: SequenceOf[Sequence], context_window: int) -> dict[str, tuple[int, ...]]:
        """Guesses for the sequences that decode in the next step, by id."""
        if self._drafter is None or not decoding:
            return {}
        # A step has room for so many guesses beside the tokens that must be computed anyway.
        most = min(self._limits.draft_tokens_max, self._limits.draft_step_tokens_max // len(decoding) - 1)
        wishes = [
            DraftWish(sequence.id, sequence.tokens, count)
            for sequence in decoding
            if (count := min(most, self._wanted(sequence), _useful(sequence, context_window))) > 0
        ]
        if not wishes:
            return {}
        proposals = self._drafter.propose(wishes)
        vocabulary = self._limits.vocabulary
        # A draft model may know tokens that the model does not: its guess ends there.
        return {
            wish.sequence_id: _before_unknown(proposal[: wish.count], vocabulary)
            for wish, proposal in zip(wishes, proposals, strict=True)
        }

    def learn(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        """A row of this sequence came back with so many of its guesses kept."""
        if not drafted:
            return
        sequence.drafted += drafted
        sequence.accepted += accepted
        record = self._records.setdefault(sequence.id, _Record())
        record.kept += _SMOOTHING * (accepted / drafted - record.kept)
        if record.kept < _POOR:
            # Half hope after the rest: a few bad rows end it again, a few good ones bring it back.
            record.kept, record.resumes_at = 0.5, len(sequence.tokens) + _REST_TOKENS

    def forget(self, sequence_id: str, *, ended: bool = True) -> None:
        if self._drafter is not None:
            self._drafter.forget(sequence_id)
        if ended:
            self._records.pop(sequence_id, None)

    def _wanted(self, sequence: Sequence) -> int:
        if not sequence.may_guess:
            return 0
        record = self._records.get(sequence.id)
        if record is None:
            return self._limits.draft_tokens_max
        if len(sequence.tokens) < record.resumes_at:
            return 0
        return max(1, round(record.kept * self._limits.draft_tokens_max))


def _useful(sequence: Sequence, context_window: int) -> int:
    """Guesses that could become tokens: one more comes free with the last that is kept."""
    room = context_window - len(sequence.tokens)
    if sequence.sampling.max_tokens is not None:
        room = min(room, sequence.sampling.max_tokens - sequence.output_length)
    return room - 1


def _before_unknown(tokens: tuple[int, ...], vocabulary: int) -> tuple[int, ...]:
    for index, token in enumerate(tokens):
        if not 0 <= token < vocabulary:
            return tokens[:index]
    return tokens
