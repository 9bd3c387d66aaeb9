"""What a request wants answered, as tokens and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.vocabulary import GenerateRequest, Picture, ToolUse

if TYPE_CHECKING:
    from paddock.runner.opening import OpenedModel


@dataclass(frozen=True, slots=True)
class Look:
    """One picture in a prompt. A few hundred tokens that all read alike stand for it."""

    picture: Picture
    places: Sequence[int]  # of these tokens in the prompt, rising


@dataclass(frozen=True, slots=True)
class Prompt:
    tokens: Sequence[int]
    looks: tuple[Look, ...] = ()

    @property
    def names(self) -> Sequence[int]:
        """What the prefix index calls the tokens, when they do not say all by themselves; else nothing.

        The token at a picture's place has a name of its own, made of the picture and of where in it the place is: prompts
        share what comes before their first difference, whether that is in a word or in a picture.
        """
        if not self.looks:
            return ()
        names = list(self.tokens)
        for look in self.looks:
            for part, place in enumerate(look.places):
                names[place] = _name(look.picture.digest, part)
        return names


def read_prompt(request: GenerateRequest, opened: "OpenedModel") -> Prompt:
    """What `request` says, which has exactly one of messages, prompt and tokens. Raises UsageError."""
    given = [name for name in ("messages", "prompt", "tokens") if getattr(request, name) is not None]
    if len(given) != 1:
        raise UsageError(
            f"A request has one of `messages`, `prompt` and `tokens`; this one has {' and '.join(given) or 'none'}.",
            hint="Send one of them.",
        )
    tokenizer = opened.tokenizer
    if request.messages is not None:
        if not request.messages:  # a template would make a prompt of nothing, and the model an answer to nobody
            raise UsageError("The conversation has no messages.", hint="Send at least one.")
        tools = () if request.tool_choice.use is ToolUse.NONE else request.tools
        options, thinking = request.template_options, request.thinking
        if opened.sight is not None and any(message.images for message in request.messages):
            return opened.sight.read(request.messages, options, tools=tools, thinking=thinking)
        return Prompt(tokenizer.render(request.messages, options, tools=tools, thinking=thinking))
    if request.prompt is not None:
        return Prompt(tokenizer.encode(request.prompt))
    assert request.tokens is not None
    return Prompt(request.tokens)


def _name(digest: str, part: int) -> int:
    """Below zero, where no token is. A block has many names: that two pictures agree on all of them does not happen."""
    content = blake2b(f"{digest} {part}".encode(errors="surrogatepass"), digest_size=8).digest()
    return -1 - (int.from_bytes(content, "little") >> 1)
