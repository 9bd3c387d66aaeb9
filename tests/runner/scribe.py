"""A writer without a mind: single bytes and a family's marks are its tokens, and what an answer is held to is all it knows.

It follows a script where it may, and else writes at random. What a real model could at worst write, it writes.
"""

import queue
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paddock.families.detection import family_of
from paddock.families.family import Family
from paddock.runner.executor import LoadedModel
from paddock.runner.guidance import Guidance
from paddock.runner.guide import Guide
from paddock.vocabulary import GenerateRequest, Message, Sampling

END = 256
_LETTERS = frozenset(b'abc {}"[]:,019\n<>|_=/')
_CLOSING = frozenset(b'"}]')
TOKENS_MAX = 1500


@dataclass
class Letters:
    """A Tokenizer of bytes, an end, and marks that are one token each."""

    architecture: str
    template: str
    marked: Sequence[str] = ()
    marks: Mapping[str, int] = field(init=False)
    family: Family = field(init=False)

    def __post_init__(self) -> None:
        self.marks = {mark: END + 1 + number for number, mark in enumerate(self.marked)}
        self.family = family_of(self.architecture, self.template)

    @property
    def vocabulary(self) -> int:
        return END + 1 + len(self.marks)

    def encode(self, text: str) -> Sequence[int]:
        return self.encode_within(text)

    def encode_within(self, text: str) -> Sequence[int]:
        """Marks as the tokens that they are."""
        tokens: list[int] = []
        while text:
            mark = next((mark for mark in sorted(self.marks, key=len, reverse=True) if text.startswith(mark)), None)
            tokens.extend([self.marks[mark]] if mark else text[0].encode())
            text = text[len(mark or text[0]) :]
        return tokens

    def render(
        self, messages: object, options: object, *, tools: object = (), thinking: object = None
    ) -> Sequence[int]:
        return [0]

    def decode(self, tokens: Sequence[int], *, special: bool = False) -> str:
        return b"".join(map(self.token_bytes, tokens)).decode(errors="replace")

    def token_bytes(self, token: int) -> bytes:
        if token < END:
            return bytes([token])
        return b"<end>" if token == END else list(self.marks)[token - END - 1].encode()


class Scribe:
    def __init__(self, letters: Letters) -> None:
        self.letters = letters
        model = LoadedModel(
            architecture=letters.architecture,
            vocabulary=letters.vocabulary,
            context_window=4096,
            end_token_ids=frozenset({END}),
            pages=False,
            block_tokens=16,
            block_count=0,
            bytes_per_token=0,
            memory_bytes=0,
            load_seconds=0.0,
            device="none",
        )
        self._guidance = Guidance(letters, model)

    def guide(self, **asked: object) -> Guide | None:
        """What an answer to such a request is held to."""
        request = GenerateRequest(
            id="x",
            sampling=Sampling(),
            messages=(Message(role="user", content="x"),),
            **asked,  # type: ignore[arg-type]
        )
        wanted = self._guidance.wanted(request, [0])
        if wanted is None:
            return None
        prepared = queue.Queue[Guide | Exception]()
        guide = self._guidance.prepare(wanted, prepared.put) or prepared.get(timeout=60)
        if isinstance(guide, Exception):
            raise guide
        return guide

    def write(self, guide: Guide, draw: random.Random, script: str = "") -> str | None:
        """An answer that begins with `script` as far as it may; None when it does not end."""
        wanted = list(self.letters.encode_within(script))
        written: list[int] = []
        for _ in range(TOKENS_MAX):
            mask = guide.masks(())[0]
            assert guide.failure is None, (guide.failure, self.letters.decode(written))
            allowed = [token for token in range(self.letters.vocabulary) if mask[token // 8] >> token % 8 & 1]
            if END in allowed and not wanted and draw.random() < 0.3:
                return self.letters.decode(written)
            token = self._choose(allowed, wanted, draw)
            if token is None:
                return self.letters.decode(written)
            written.append(token)
            guide.take([token])
        return None

    def _choose(self, allowed: Sequence[int], wanted: list[int], draw: random.Random) -> int | None:
        """The script's next token; where it may not come, it is left out, or something else comes before it."""
        while wanted:
            if wanted[0] in allowed:
                return wanted.pop(0)
            if draw.random() < 0.5:
                break
            wanted.pop(0)
        tokens = [token for token in allowed if token != END]
        if not tokens:
            return None
        closing = [token for token in tokens if token in _CLOSING or token > END]
        likely = [token for token in tokens if token in _LETTERS]
        return draw.choice(closing if closing and draw.random() < 0.5 else likely or tokens)
