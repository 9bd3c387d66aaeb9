"""What a prompt template may cost, and how its errors read."""

from collections.abc import Callable, Collection
from itertools import islice

from rapidfuzz import process

from paddock.errors import InvalidTemplate

SOURCE_CHARACTERS_MAX = 32_768
OUTPUT_CHARACTERS_MAX = 1_048_576
MADE_CHARACTERS_MAX = 16 * OUTPUT_CHARACTERS_MAX  # by all filters and joins of one rendering
ROUNDS_MAX = 20_000  # of all loops of one rendering
SECONDS_MAX = 2.0
DEPTH_MAX = 40
NODES_MAX = 5_000
INTEGER_MAX = 2**63
BUDGET = "_budget"  # where a rendering keeps its Budget; no template can name it


class Budget:
    """What one rendering may still spend."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._deadline_s = clock() + SECONDS_MAX
        self._rounds = ROUNDS_MAX
        self._characters = MADE_CHARACTERS_MAX

    def spend_round(self) -> None:
        self._rounds -= 1
        if self._rounds < 0:
            raise wrong(f"its loops make more than {ROUNDS_MAX:,} rounds")
        if self._clock() > self._deadline_s:
            raise wrong(f"it takes longer than {SECONDS_MAX:g} seconds")

    def spend_characters(self, count: int) -> None:
        self._characters -= count
        if count > OUTPUT_CHARACTERS_MAX or self._characters < 0:
            raise too_long()


def is_text(text: str) -> bool:
    """False for a text with lone surrogates, which no file and no request can carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def nearest(name: str, known: Collection[str], kind: str) -> str:
    """A hint that names the most similar of `known`."""
    if not known:
        return f"The template has no {kind}."
    found = process.extractOne(name[:80], sorted(known), score_cutoff=60)
    if found:
        return f"Did you mean `{found[0]}`?"
    return f"Known: {', '.join(f'`{one}`' for one in islice(sorted(known), 20))}."


def wrong(what: str, *, hint: str = "") -> InvalidTemplate:
    return InvalidTemplate(f"The prompt template cannot be used: {what}.", hint=hint or "Correct the template.")


def too_long() -> InvalidTemplate:
    return wrong(
        f"it would write more than {OUTPUT_CHARACTERS_MAX:,} characters", hint="Shorten the values or the loops."
    )
