"""A runner with a toy language model: one byte a token, and after each byte comes the next one of the alphabet.

It does what its prompt says, so that tests can break it where they like:

    !die      the process is killed in the middle of a step
    !later    the same, in the step that would make its fifth token: `w`
    !raise    a step raises what nobody expects
    !refuse   a step raises a PaddockError
    !poison   this row fails, and no other
    !mute     in a message: its answer cannot be read
    !hang     a step never ends
    !freeze   the whole process stops, heartbeats too
    !noise    it writes a megabyte to stderr and dies
    !echo     it says its prompt, as it was rendered, and ends

A picture stands in the prompt as `<4x3 DIGEST>`, or as `<broken>` when its pixels are not those of its digest.

With the option `draft_guesses` it has a draft model, which breaks after so many.
The path says what happens while it loads: `toy`, `dies`, `hangs`, `refuses`, `raises`, and `loads-once:FILE`.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paddock.engine.speculation import DraftWish
from paddock.engine.step import Row, RowResult, StepPlan, StepResult
from paddock.errors import NotEnoughMemory, UsageError
from paddock.families.detection import PLAIN
from paddock.images.digest import digest_of
from paddock.runner.executor import Constraint, LoadedModel, Memory
from paddock.runner.main import serve
from paddock.runner.opening import LoadOptions, OpenedModel
from paddock.runner.process import close_inherited, settle
from paddock.runner.prompts import Look
from paddock.vocabulary import Message, Sampling, TokenLogprob

END = 256
VOCABULARY = 257
CONTEXT = 4096
COMMANDS = ("die", "later", "raise", "refuse", "poison", "hang", "freeze", "noise")


class ToyTokenizer:
    def encode(self, text: str) -> Sequence[int]:
        return list(text.encode())

    def encode_within(self, text: str) -> Sequence[int]:
        return self.encode(text)

    family = PLAIN
    template = ""
    marks: Mapping[str, int] = {"<end>": END}

    def render(self, messages: Sequence[Message], options: Mapping[str, Any], **_: object) -> Sequence[int]:
        if options.get("no_template"):
            raise UsageError("`toy` has no chat template.", hint="Send a prompt.")
        return self.encode("".join(f"{message.role}: {_shown(message)}\n" for message in messages))

    def decode(self, tokens: Sequence[int], *, special: bool = False) -> str:
        text = bytes(token for token in tokens if token != END).decode(errors="replace")
        if special and "!mute" in text:
            raise LookupError("toy trouble")
        return text

    def token_bytes(self, token: int) -> bytes:
        return b"<end>" if token == END else bytes((token,))


def _shown(message: Message) -> str:
    """What it says, with its pictures where they stand."""
    text, done = "", 0
    for picture in message.images:
        digest = digest_of(picture.pixels, picture.width, picture.height)
        shown = f"{picture.width}x{picture.height} {digest}" if digest == picture.digest else "broken"
        text += f"{message.content[done : picture.at]}<{shown}>"
        done = picture.at
    return text + message.content[done:]


class ToyExecutor:
    def __init__(self, options: LoadOptions) -> None:
        self._step_s = float(options.options.get("step_s", 0.001))
        self._commands: dict[str, str] = {}
        self._echoes: dict[str, list[int]] = {}  # what is still to be said
        self.model = LoadedModel(
            architecture="toy",
            vocabulary=VOCABULARY,
            context_window=CONTEXT,
            end_token_ids=frozenset({END}),
            pages=True,
            block_tokens=16,
            block_count=int(options.options.get("block_count", 2048)),
            bytes_per_token=1,
            memory_bytes=1,
            load_seconds=0.0,
            device="none",
        )

    def begin(
        self,
        sequence_id: str,
        tokens: Sequence[int],
        sampling: Sampling,
        *,
        prompt_tokens: int | None = None,
        constraint: Constraint | None = None,
        looks: Sequence[Look] = (),
    ) -> None:
        text = ToyTokenizer().decode(tokens)
        for command in COMMANDS:
            if f"!{command}" in text:
                self._commands[sequence_id] = command
        if "!echo" in text:
            self._echoes[sequence_id] = [END, *reversed(text.encode())]

    def put(self, sequence_id: str, tokens: Sequence[int]) -> None: ...

    def end(self, sequence_id: str) -> None:
        self._commands.pop(sequence_id, None)
        self._echoes.pop(sequence_id, None)

    def step(self, plan: StepPlan) -> StepResult:
        time.sleep(self._step_s)
        results: list[RowResult] = []
        for row in plan.rows:
            if not row.samples:
                continue
            command = self._commands.get(row.sequence_id, "")
            if command == "poison":
                results.append(RowResult(sequence_id=row.sequence_id, tokens=(), error="it does not agree with me"))
                continue
            if command == "later" and row.tokens[-1] == ord("v"):
                command = "die"
            _do(command)
            echo = self._echoes.get(row.sequence_id)
            tokens = (echo.pop(),) if echo else _verified(row)
            logprobs = tuple((TokenLogprob(token_id=token, logprob=-0.5),) for token in tokens)
            results.append(RowResult(sequence_id=row.sequence_id, tokens=tokens, logprobs=logprobs))
        return StepResult(number=plan.number, rows=tuple(results), elapsed_s=self._step_s)

    def warm(self, prefill_tokens: int, tokens: int) -> None:
        if prefill_tokens > CONTEXT:
            raise UsageError("A warm-up longer than the context.", hint="Warm up with less.")

    def memory(self) -> Memory:
        return Memory(active_bytes=1, peak_bytes=2, cache_bytes=3)

    def close(self) -> None: ...


class ToyDraft:
    """Knows the alphabet, and breaks after so many guesses."""

    def __init__(self, guesses_max: int) -> None:
        self._left = guesses_max

    def propose(self, wishes: Sequence[DraftWish]) -> list[tuple[int, ...]]:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("the draft lost its notes: the prompt was secret")
        return [self._guess(wish) for wish in wishes]

    def forget(self, sequence_id: str) -> None: ...

    def _guess(self, wish: DraftWish) -> tuple[int, ...]:
        tokens = [wish.tokens[-1]]
        for _ in range(wish.count):
            tokens.append(following(tokens[-1]))
        return tuple(tokens[1:])


def _verified(row: Row) -> tuple[int, ...]:
    """The guesses that are right, and one token more."""
    fed = row.tokens[len(row.tokens) - 1 - row.drafted :]
    tokens = [following(fed[0])]
    for guess in fed[1:]:
        if guess != tokens[-1]:
            break
        tokens.append(following(guess))
    return tuple(tokens)


def following(token: int) -> int:
    """The alphabet, round and round; anything else is followed by `a`."""
    return token + 1 if ord("a") <= token < ord("z") else ord("a")


def _do(command: str) -> None:
    match command:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "noise":
            print("a line of noise that nobody wants to read\n" * 20_000, file=sys.stderr)
            print("these are my last words, from /some/private/folder at 0x7f00", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise RuntimeError("the device caught fire")
        case "refuse":
            raise NotEnoughMemory("There is no memory for this step.", hint="Ask for less.")
        case "hang":
            time.sleep(3600)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        case _:
            pass


def open_toy(options: LoadOptions) -> OpenedModel:
    what, _, argument = options.path.partition(":")
    match what:
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hangs":
            time.sleep(3600)
        case "refuses":
            raise NotEnoughMemory("`toy` needs 5 GB, 3 GB is free.", hint="Unload something.")
        case "raises":
            raise RuntimeError("the weights are upside down")
        case "loads-once":
            marker = Path(argument)
            if marker.exists():
                os.kill(os.getpid(), signal.SIGKILL)
            marker.touch()
        case _:
            pass
    guesses_max = options.options.get("draft_guesses")
    draft = ToyDraft(int(guesses_max)) if guesses_max is not None else None
    return OpenedModel(executor=ToyExecutor(options), tokenizer=ToyTokenizer(), drafter=draft)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--fd", type=int, required=True)
    words = parser.parse_args()
    close_inherited(words.fd)
    settle(words.name)
    sys.exit(serve(words.fd, open_toy))


if __name__ == "__main__":
    main()
