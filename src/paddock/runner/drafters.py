"""Who guesses ahead in this runner: a draft model, n-grams, both, or nobody. A broken guesser never breaks an answer."""

from collections.abc import Callable, Sequence

from paddock.engine.speculation import Drafter, DraftWish, FirstThen, NgramDrafter


def choose_drafter(draft: Drafter | None, *, ngrams: bool, on_broken: Callable[[Exception], None]) -> Drafter | None:
    """`on_broken` hears why the draft model was given up, once."""
    guarded = GuardedDrafter(draft, on_broken) if draft is not None else None
    if not ngrams:
        return guarded
    return NgramDrafter() if guarded is None else FirstThen(NgramDrafter(), guarded)


class GuardedDrafter:
    """Guesses as the draft model does until that breaks; from then on it has no idea, which is always allowed.

    Guesses only save time: the tokens are the same without them. So whatever goes wrong in a draft model is no reason to fail
    a request. It is not asked again: what broke once in the middle of a text has caches that nobody can trust.
    """

    def __init__(self, draft: Drafter, on_broken: Callable[[Exception], None]) -> None:
        self._draft: Drafter | None = draft
        self._on_broken = on_broken

    def propose(self, wishes: Sequence[DraftWish]) -> Sequence[tuple[int, ...]]:
        if self._draft is not None:
            try:
                guesses = self._draft.propose(wishes)
                if len(guesses) != len(wishes):
                    raise ValueError(f"{len(guesses)} guesses for {len(wishes)} wishes")
            except Exception as error:  # noqa: BLE001  (the boundary of what may fail without harm)
                self._give_up(error)
            else:
                return guesses
        return [()] * len(wishes)

    def forget(self, sequence_id: str) -> None:
        if self._draft is not None:
            try:
                self._draft.forget(sequence_id)
            except Exception as error:  # noqa: BLE001  (as above)
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._draft = None  # its memory goes with it
        self._on_broken(error)
