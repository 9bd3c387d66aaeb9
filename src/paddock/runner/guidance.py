"""Answers held to a form: grammars are compiled here, kept, and given out as one Guide an answer.

Compiling may take a while, so it is done in a thread of its own; a hard schema then holds up nobody but who sent it.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from paddock.errors import UsageError
from paddock.families.markup import markup_of
from paddock.runner.executor import LoadedModel
from paddock.runner.guidance_faults import explained
from paddock.runner.guidance_free import free_grammar_of
from paddock.runner.guidance_grammar import Wanted, grammar_of
from paddock.runner.guide import Guide
from paddock.runner.opening import Tokenizer
from paddock.vocabulary import FormatKind, GenerateRequest, ToolUse

KEPT_MAX: Final = 64  # compiled grammars
KEPT_BYTES_MAX: Final = 4 * 1024 * 1024  # of their texts
_COMPILERS: Final = 2  # one hard schema does not keep the next one waiting
_TAIL_TOKENS: Final = 8  # of the prompt: enough to see whether it began a thought

# llguidance's own limits, named so that an update does not move them unseen: a grammar is compiled within a second or so, and
# a mask is worked out within some tens of milliseconds, or it is too complex.
_LIMITS: Final = LLParserLimits(
    max_items_in_row=2_000,
    initial_lexer_fuel=1_000_000,
    step_lexer_fuel=200_000,
    step_max_items=50_000,
    max_lexer_states=50_000,
    max_grammar_size=500_000,
    verbose_errors=False,
)


class Guidance:
    """One model's. `prepare` and `of` are called from the device's thread."""

    def __init__(self, tokenizer: Tokenizer, model: LoadedModel) -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._marks = dict(tokenizer.marks)
        self._words: LLTokenizer | None = None
        self._making = threading.Lock()  # of the vocabulary: long
        self._keeping = threading.Lock()  # of what is kept: short
        self._kept: OrderedDict[str, LLMatcher] = OrderedDict()
        self._kept_bytes = 0
        self._compilers = ThreadPoolExecutor(_COMPILERS, thread_name_prefix="grammar")
        # The vocabulary is read while nobody waits for it yet.
        self._compilers.submit(self._vocabulary)

    def wanted(self, request: GenerateRequest, prompt: Sequence[int]) -> Wanted | None:
        """What the answer is held to; None when it is free. Raises UsageError for what this model cannot be held to."""
        choice, form = request.tool_choice, request.format
        must_call = choice.use is ToolUse.REQUIRED
        is_free = form.kind is FormatKind.TEXT and not must_call
        if is_free and (choice.use is ToolUse.NONE or not any(tool.strict for tool in request.tools)):
            return None
        if request.messages is None:
            return Wanted(format=form)
        family = self._tokenizer.family
        markup = markup_of(family, self._tokenizer.template)
        tools = () if choice.use is ToolUse.NONE else request.tools
        if must_call:
            tools = tuple(tool for tool in tools if choice.name in (None, tool.name))
            if not tools:
                raise UsageError(
                    f"`tool_choice` asks for {f'`{choice.name}`' if choice.name else 'a tool'}, which is not among `tools`.",
                    hint="Send the tool with the request.",
                )
        if tools and markup.calls is None:
            if must_call:
                raise UsageError(
                    f"Models of the family `{family.name}` cannot be made to call a tool.",
                    hint="Send `tool_choice: auto`.",
                )
            if is_free:
                return None
            tools = ()
        tail = self._tokenizer.decode(prompt[-_TAIL_TOKENS:], special=True).rstrip()
        return Wanted(
            format=form,
            tools=tools,
            must_call=must_call,
            parallel=choice.parallel,
            markup=markup,
            thought_is_open=bool(markup.think) and tail.endswith(markup.think),
            may_think=bool(request.thinking.enabled),
            as_it_likes=is_free,
        )

    def prepare(self, wanted: Wanted, done: Callable[[Guide | Exception], None]) -> Guide | None:
        """The guide at once when its grammar is known; else None, and `done` gets it, or why not, in another thread.

        Raises UsageError for what breaks a limit.
        """
        grammar = (free_grammar_of if wanted.as_it_likes else grammar_of)(wanted, self._marks)
        with self._keeping:
            kept = self._kept.get(grammar)
            if kept is not None:
                self._kept.move_to_end(grammar)
                return self._guide(kept)
        self._compilers.submit(self._prepare, grammar, wanted, done)
        return None

    def close(self) -> None:
        self._compilers.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, grammar: str, wanted: Wanted, done: Callable[[Guide | Exception], None]) -> None:
        try:
            prepared: Guide | Exception = self._guide(self._compile(grammar, wanted))
        except Exception as error:  # noqa: BLE001  (the boundary of one request: whoever waits for it hears)
            prepared = error
        done(prepared)

    def _compile(self, grammar: str, wanted: Wanted) -> LLMatcher:
        matcher = self._matcher(grammar)
        matcher.compute_bitmask()  # what explodes does so in its first mask, most of the time
        if matcher.is_error():
            raise explained(matcher.get_error(), wanted, self._error)
        with self._keeping:
            if grammar not in self._kept:
                self._kept[grammar] = matcher
                self._kept_bytes += len(grammar)
            while len(self._kept) > KEPT_MAX or (self._kept_bytes > KEPT_BYTES_MAX and len(self._kept) > 1):
                dropped, _ = self._kept.popitem(last=False)
                self._kept_bytes -= len(dropped)
        return matcher

    def _guide(self, matcher: LLMatcher) -> Guide:
        return Guide(matcher.deep_copy(), self._model.end_token_ids)

    def _error(self, grammar: str) -> str:
        return self._matcher(grammar).get_error()

    def _matcher(self, grammar: str) -> LLMatcher:
        return LLMatcher(self._vocabulary(), grammar, log_level=0, limits=_LIMITS)

    def _vocabulary(self) -> LLTokenizer:
        with self._making:
            if self._words is None:
                self._words = _read_vocabulary(self._tokenizer, self._model, self._marks)
            return self._words


class _Words:
    """A vocabulary as llguidance's TokenizerWrapper takes it."""

    bos_token_id: int | None = None

    def __init__(self, tokens: Sequence[bytes], special: Sequence[int], end: int) -> None:
        self.tokens = tokens
        self.special_token_ids = special
        self.eos_token_id = end

    def __call__(self, text: Any) -> list[int]:
        """How a text is split; asked once, as a test. Our grammars force no tokens, so nothing depends on it."""
        return []


def _read_vocabulary(tokenizer: Tokenizer, model: LoadedModel, marks: dict[str, int]) -> LLTokenizer:
    ends = sorted(model.end_token_ids)
    if not ends:
        raise UsageError(
            "This model has no token that ends an answer, so an answer cannot be held to a form.",
            hint="Take a model whose `generation_config.json` names an end token.",
        )
    tokens = [tokenizer.token_bytes(token) for token in range(model.vocabulary)]
    # A token that says nothing can never come.
    special = {*marks.values(), *ends, *(token for token, word in enumerate(tokens) if not word)}
    words = _Words(tokens, sorted(token for token in special if token < model.vocabulary), ends[0])
    return LLTokenizer(TokenizerWrapper(words), n_vocab=model.vocabulary, eos_token=ends)
