"""What a request wants answered, as tokens."""

from collections.abc import Sequence

from paddock.errors import UsageError
from paddock.runner.opening import Tokenizer
from paddock.vocabulary import GenerateRequest, ToolUse


def prompt_tokens(request: GenerateRequest, tokenizer: Tokenizer) -> Sequence[int]:
    """The tokens of `request`, which has exactly one of messages, prompt and tokens. Raises UsageError."""
    given = [name for name in ("messages", "prompt", "tokens") if getattr(request, name) is not None]
    if len(given) != 1:
        raise UsageError(
            f"A request has one of `messages`, `prompt` and `tokens`; this one has {' and '.join(given) or 'none'}.",
            hint="Send one of them.",
        )
    if request.messages is not None:
        if not request.messages:  # a template would make a prompt of nothing, and the model an answer to nobody
            raise UsageError("The conversation has no messages.", hint="Send at least one.")
        tools = () if request.tool_choice.use is ToolUse.NONE else request.tools
        return tokenizer.render(request.messages, request.template_options, tools=tools, thinking=request.thinking)
    if request.prompt is not None:
        return tokenizer.encode(request.prompt)
    assert request.tokens is not None
    return request.tokens
