"""A model's chat template: Jinja from a stranger, rendered in a sandbox and metered.

A template can loop for ever, call itself twice at every level or double a text until memory is full. Jinja's sandbox keeps it
from reaching into Python, no more. So every round of a loop, every call and every text that grows is charged to a budget,
and a template that uses it up is refused. The dialect is that of transformers, which templates are written for.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, Final, NoReturn, cast

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from paddock.errors import InvalidTemplate, UsageError
from paddock.runner.template_budget import HINT, Budget, charge_for_growth, check_numbers

SOURCE_CHARACTERS_MAX: Final = 256 * 1024  # the longest in the wild have some 30,000
_HINT_MESSAGES: Final = (
    "Check the roles and their order; many models want user and assistant in turn, and system first."
)


class ChatTemplate:
    """A template, compiled once. Not thread-safe: the budget of the rendering under way lives in it."""

    def __init__(self, source: str, tokens: Mapping[str, str]) -> None:
        """`tokens` are the tokenizer's special ones (`bos_token`, …). Raises InvalidTemplate."""
        if len(source) > SOURCE_CHARACTERS_MAX:
            raise InvalidTemplate(f"The chat template has {len(source):,} characters.", hint=HINT)
        self._environment = _Environment()
        self._tokens = dict(tokens)
        try:
            self._template: Template = self._environment.from_string(source)
        except (TemplateError, SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
            raise InvalidTemplate(f"The chat template cannot be read: {_in_short(error)}.", hint=HINT) from error

    def render(self, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> str:
        """The conversation as text, up to where the answer begins.

        Raises UsageError when the template refuses the messages, InvalidTemplate when it fails or does not end.
        """
        self._environment.budget = Budget()
        values = {"tools": None, "documents": None, **self._tokens, "add_generation_prompt": True, **options}
        try:
            return self._template.render(messages=[dict(message) for message in messages], **values)
        except _Refused as error:
            raise UsageError(
                f"The model's chat template refuses the messages: {_in_short(error)}.", hint=_HINT_MESSAGES
            ) from error
        # What a template does with surprising messages is Python inside: any of its everyday errors.
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            raise InvalidTemplate(f"The chat template failed: {_in_short(error)}.", hint=HINT) from error
        except (RecursionError, MemoryError) as error:
            raise InvalidTemplate("The chat template does not end.", hint=HINT) from error


class _Refused(TemplateError):
    """The template said no, through `raise_exception`."""


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with everything that loops or grows charged to the budget of the rendering under way."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[loopcontrols, _Generation],
            finalize=self._shown,
            optimized=False,  # else constants are folded before there is a budget
        )
        self.budget = Budget()
        filters = cast("dict[str, Any]", self.filters)
        # They make texts of any width from a short call; no chat template has use for them.
        for name in ("center", "wordwrap", "filesizeformat", "pprint", "urlize", "xmlattr"):
            filters.pop(name)
        filters.update(tojson=_tojson, format=self._formatted)
        for name, function in filters.items():
            filters[name] = self._metered(name, function)
        filters.update(_rounds=self._rounds, _joined=self._joined)
        cast("dict[str, Any]", self.globals).update(raise_exception=_refuse, strftime_now=_strftime_now)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return cast("nodes.Template", _Metering().visit(super()._parse(source, name, filename)))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 (Jinja's form)
        __self.budget.step()
        # The sandbox puts a function of its own around `str.format`.
        text = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(text, str):
            charge_for_growth(__self.budget, str(__obj.__name__), text, (*args, *kwargs.values()))
        check_numbers((*args, *kwargs.values()))
        return __self._counted(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.budget.step()
        if operator == "%" and isinstance(left, str):
            return self._formatted(left, *(cast("tuple[Any, ...]", right) if isinstance(right, tuple) else (right,)))
        if operator == "*":
            for sequence, count in ((left, right), (right, left)):
                if isinstance(sequence, str | list | tuple) and isinstance(count, int):
                    self.budget.grow(len(cast("Any", sequence)) * max(0, count))
        if operator != "+":
            check_numbers((left, right))
        return self._counted(super().call_binop(context, operator, left, right))

    def _metered(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)  # keeps the mark by which Jinja knows what to pass
        def metered(*args: Any, **kwargs: Any) -> Any:
            self.budget.step()
            # A filter that wants the context, or the environment, gets it first; then comes what is filtered.
            given = args[1:] if hasattr(function, "jinja_pass_arg") else args
            if name == "join":
                given = (list(cast("Iterable[Any]", given[0])), *given[1:])
            charge_for_growth(self.budget, name, given[0], (*given[1:], *kwargs.values()))
            check_numbers((*given[1:], *kwargs.values()))
            return self._counted(function(*args[: len(args) - len(given)], *given, **kwargs))

        return metered

    def _counted(self, value: Any) -> Any:
        if isinstance(value, str | list | tuple):
            self.budget.grow(len(cast("Any", value)))
        return cast("Any", value)

    def _shown(self, value: Any) -> Any:
        self.budget.step()
        return self._counted("" if value is None else value)

    def _rounds(self, iterable: Iterable[Any]) -> Iterator[Any]:
        for item in iterable:
            self.budget.step()
            yield item

    def _joined(self, items: Sequence[Any]) -> str:
        texts = [str(item) for item in items]
        self.budget.grow(sum(map(len, texts)))
        return "".join(texts)

    def _formatted(self, text: Any, *values: Any, **named: Any) -> str:
        """`"%s of %s" % (a, b)`, without widths that make a page of blanks."""
        charge_for_growth(self.budget, "%", str(text), (*values, *named.values()))
        return self._counted(str(text) % (named or (values[0] if len(values) == 1 else values)))


class _Metering(NodeTransformer):
    """Puts every loop's list, and every `~`, through a function that counts."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 (Jinja's form)
        self.generic_visit(node)
        node.iter = _through("_rounds", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _through("_joined", nodes.List(node.nodes, lineno=node.lineno))


class _Generation(Extension):
    """`{% generation %}` marks the assistant's words for training; here it is its body."""

    tags = {"generation"}  # noqa: RUF012 (Jinja's form)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _through(function: str, value: nodes.Node) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", value), function, [], [], None, None, lineno=value.lineno)


def _refuse(message: object) -> NoReturn:
    raise _Refused(str(message))


def _strftime_now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As transformers has it: Jinja's own escapes `<` and `>`, which models were not trained on."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _in_short(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
