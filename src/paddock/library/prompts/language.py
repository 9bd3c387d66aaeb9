"""The small language of prompt templates: a part of Jinja that cannot run code, reach into Python or grow for ever.

    {{ name }}  {{ user.city }}  {{ items[0] }}  {{ "a" ~ b }}  {{ count + 1 }}  {{ text | upper | truncate(80) }}
    {% if a and not b %} … {% elif c is defined %} … {% else %} … {% endif %}
    {% for item in items %} {{ loop.index }} {{ item }} {% endfor %}          {% set short = text[:80] %}

Anything else (calls, macros, imports, `*`, names with a leading underscore) is refused by name. What remains is
metered: rounds of loops, characters made, and time.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.visitor import NodeTransformer

from paddock.errors import InvalidTemplate
from paddock.library.prompts.filters import FILTERS, join, rounds
from paddock.library.prompts.limits import (
    DEPTH_MAX,
    INTEGER_MAX,
    NODES_MAX,
    SOURCE_CHARACTERS_MAX,
    is_text,
    nearest,
    wrong,
)


def checked_tree(text: str) -> nodes.Template:
    """The syntax tree of `text`, holding nothing but the small language, and metered. Raises InvalidTemplate."""
    if len(text) > SOURCE_CHARACTERS_MAX:
        raise wrong(f"it has {len(text):,} characters, {SOURCE_CHARACTERS_MAX:,} are allowed")
    if not is_text(text):
        raise wrong("it holds half characters, which are no text")
    try:
        tree = _ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise wrong(f"line {error.lineno}: {(error.message or 'it cannot be read').rstrip('.')}") from error
    except (TemplateError, ValueError, ArithmeticError, RecursionError) as error:
        raise wrong("it is nested too deeply, or holds a number that is too long") from error
    _check_nodes(tree)
    return cast("nodes.Template", _Metering().visit(tree))


def compiled(tree: nodes.Template) -> Template:
    """The tree ready to be rendered. Raises InvalidTemplate."""
    try:
        code = _ENVIRONMENT.compile(tree)
        return Template.from_code(_ENVIRONMENT, code, {})
    except (TemplateError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise wrong("it is nested too deeply, or holds characters that are no text") from error


def optional_names(tree: nodes.Template) -> Iterator[str]:
    """Variables whose absence the template provides for, by a default or a test."""
    for subject in tree.find_all((nodes.Filter, nodes.Test)):
        if subject.name in ("default", "d", "defined", "undefined") and isinstance(subject.node, nodes.Name):
            yield subject.node.name


# What may appear in a template

_ALLOWED = frozenset(
    {
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign),
        *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getitem, nodes.Getattr, nodes.Slice),
        *(nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
        *(nodes.Filter, nodes.Keyword, nodes.Test, nodes.Concat, nodes.Add, nodes.Sub, nodes.Neg, nodes.Pos),
    }
)
_IN_WORDS: Mapping[type[nodes.Node], str] = {nodes.Call: "calling something", nodes.Mul: "`*`", nodes.Pow: "`**`"}
_LOOP_FIELDS = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


def _check_nodes(tree: nodes.Template) -> None:
    waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > NODES_MAX or depth > DEPTH_MAX:
            raise _wrong_at(node, "it is too large or nested too deeply from here")
        if type(node) not in _ALLOWED:
            what = _IN_WORDS.get(type(node), f"`{type(node).__name__.lower()}`")
            raise _wrong_at(node, f"{what} is not part of the template language")
        _check_node(node)
        waiting.extend((child, depth + 1) for child in node.iter_child_nodes())


def _check_node(node: nodes.Node) -> None:
    match node:
        case nodes.Name() if node.name.startswith("_"):
            raise _wrong_at(node, f"`{node.name[:80]}` is not a name for a variable")
        case nodes.Getattr() if node.attr.startswith("_"):
            raise _wrong_at(node, f"`.{node.attr[:80]}` is out of reach")
        case nodes.For() if node.recursive:
            raise _wrong_at(node, "a loop cannot be recursive")
        case nodes.Filter() if node.node is None or node.name not in FILTERS:
            raise _wrong_at(node, f"there is no filter `{node.name[:80]}`", nearest(node.name, FILTERS, "filter"))
        case nodes.Test() if node.name not in _TESTS:
            raise _wrong_at(node, f"there is no test `{node.name[:80]}`", nearest(node.name, _TESTS, "test"))
        case nodes.Filter() | nodes.Test() if node.dyn_args or node.dyn_kwargs:
            raise _wrong_at(node, "arguments cannot be unpacked with `*`")
        case nodes.Const() if isinstance(node.value, int) and abs(node.value) > INTEGER_MAX:
            raise _wrong_at(node, "the number is too large")
        # Lists of lists, built line after line, would double with each; a target of a loop is a tuple of names.
        case nodes.List() | nodes.Tuple(ctx="load") if not all(isinstance(item, nodes.Const) for item in node.items):
            raise _wrong_at(node, "a list is written with texts and numbers")
        case _:
            return


def _wrong_at(node: nodes.Node, what: str, hint: str = "") -> InvalidTemplate:
    return wrong(f"line {node.lineno}: {what}", hint=hint)


class _Metering(NodeTransformer):
    """Puts every loop's list, and every `~`, through a function that counts."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 (Jinja's form)
        self.generic_visit(node)
        node.iter = _through("_rounds", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _through("_joined", nodes.List(node.nodes, lineno=node.lineno))


def _through(function: str, value: nodes.Node) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", value), function, [], [], None, None, lineno=value.lineno)


# What it does


class _Environment(SandboxedEnvironment):
    """Values are plain data: a dot reaches into a mapping or tells about the loop, and nowhere else."""

    intercepted_binops = frozenset({"+", "-"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP_FIELDS:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute) if isinstance(obj, dict) else self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, str | list | tuple | dict):
            try:
                return cast("Any", obj)[argument]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, int | float) and isinstance(right, int | float):
            return left + right if operator == "+" else left - right
        if isinstance(left, str) and isinstance(right, str) and operator == "+":
            return join(context, [left, right])
        kinds = f"{type(left).__name__} and {type(right).__name__}"
        raise wrong(f"`{operator}` cannot stand between {kinds}", hint="Put texts together with `~`.")


_TESTS = {
    name: TESTS[name]
    for name in (
        *("defined", "undefined", "none", "true", "false", "string", "number", "integer", "float", "boolean"),
        *("mapping", "sequence", "odd", "even", "in", "eq", "ne", "lt", "le", "gt", "ge"),
    )
}


def _shown(value: Any) -> Any:
    return "" if value is None else value


def _environment() -> SandboxedEnvironment:
    environment = _Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        optimized=False,  # filters run with a budget, and there is none before a rendering
        finalize=_shown,
    )
    environment.globals = {}
    environment.filters = cast("Any", {**FILTERS, "_rounds": rounds, "_joined": join})
    environment.tests = cast("Any", _TESTS)
    return environment


_ENVIRONMENT = _environment()
