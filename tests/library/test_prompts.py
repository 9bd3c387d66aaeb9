"""Prompt templates do what people write, and nothing that a stranger could want of them."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.errors import InvalidTemplate, PaddockError
from paddock.library.prompts.limits import OUTPUT_CHARACTERS_MAX, ROUNDS_MAX, SOURCE_CHARACTERS_MAX
from paddock.library.prompts.template import parse_template, render


@pytest.mark.parametrize(
    ("template", "values", "prompt"),
    [
        ("Hello {{ name }}!", {"name": "Ada"}, "Hello Ada!"),
        ("{{ text | trim | truncate(5) }}", {"text": "  a long story "}, "a lo…"),
        ("{% for x in xs %}{{ loop.index }}. {{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
         {"xs": ["a", "b"]}, "1. a, 2. b"),
        ("{% for key, value in facts | items %}{{ key }}={{ value }};{% endfor %}", {"facts": {"a": 1}}, "a=1;"),
        ("{{ user.city }} {{ user['city'] }} {{ xs[0] }} {{ xs[-1] }} {{ text[:3] }}",
         {"user": {"city": "Paris"}, "xs": [1, 2], "text": "abcdef"}, "Paris Paris 1 2 abc"),
        ("{% set short = text | upper %}{{ short ~ '!' ~ (count + 1) }}", {"text": "a", "count": 2}, "A!3"),
        ("{{ 'yes' if ok and kind in ['a', 'b'] else 'no' }}", {"ok": True, "kind": "b"}, "yes"),
        ("{{ xs | join(', ') }} {{ xs | length }} {{ xs | sort | first }}", {"xs": ["b", "a"]}, "b, a 2 a"),
        ("{{ text | indent(2) }}", {"text": "a\nb"}, "a\n  b"),
        ("{{ nothing }}{{ number | round(1) }}", {"nothing": None, "number": 1.25}, "1.2"),
        ("{% for x in [] %}{% else %}none{% endfor %}", {}, "none"),
        ("{# a note #}{{ text | replace('a', 'b') | reverse }}", {"text": "abc"}, "cbb"),
        ("{{ xs | unique | join }}{{ (a + b) - 1 }}", {"xs": [1, 1, 2], "a": 3, "b": 4}, "126"),
        ("{{ text }}\n", {"text": "<&>{{ x }}"}, "<&>{{ x }}\n"),
    ],
)  # fmt: skip
def test_the_language_does_what_people_write(template: str, values: dict[str, object], prompt: str):
    assert render(template, values) == prompt


def test_variables_are_found_and_those_with_a_default_are_optional():
    """Forms and `--var` offer exactly these."""
    template = parse_template(
        "{{ a }} {{ b | default('x') }} {% if c is defined %}{{ c }}{% endif %} {% for d in e %}{{ d }}{% endfor %}"
    )
    assert template.required == {"a", "e"}
    assert template.optional == {"b", "c"}
    assert render(template, {"a": 1, "e": []}) == "1 x  "
    assert render(template, {"a": 1}, defaults={"e": ["z"], "unused": 1}) == "1 x  z"


def test_a_missing_variable_is_named():
    with pytest.raises(InvalidTemplate, match="`a`, `b` must be given") as caught:
        render("{{ a }} {{ b }} {{ c }}", {"c": 1})
    assert caught.value.hint == "Give a value for `a`, `b`."


def test_an_unknown_variable_is_told_with_the_nearest_name():
    with pytest.raises(InvalidTemplate, match="no variable `langauge`") as caught:
        render("{{ language }}", {"langauge": "French"})
    assert caught.value.hint == "Did you mean `language`?"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("one\ntwo {{ a", "line 2: unexpected end of template"),
        ("{% if a %}", "line 1: Unexpected end"),
        ("\n{% nonsense %}", "line 2: Encountered unknown tag 'nonsense'"),
        ("{{ a | uper }}", "line 1: there is no filter `uper`"),
        ("{{ a is defned }}", "line 1: there is no test `defned`"),
        ("x" * (SOURCE_CHARACTERS_MAX + 1), "32,769 characters"),
        ("".join(f"{{{{ v{number} }}}}" for number in range(101)), "101 variables"),
    ],
)
def test_mistakes_are_told_with_their_line(template: str, complaint: str):
    with pytest.raises(InvalidTemplate, match=complaint):
        parse_template(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ a.__class__ }}",
        "{{ a['__class__'].x() }}",
        "{{ a.format(b) }}",
        "{{ range(10) }}",
        "{% for i in range(10 ** 9) %}{{ i }}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%1000000000s' % a }}",
        "{{ a | attr('x') }}",
        "{{ a | map(attribute='__class__') }}",
        "{{ a | center(1000000000) }}",
        "{{ lipsum(100000) }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ self.__init__ }}",
        "{{ _budget }}",
        "{% set _budget = 1 %}",
        "{% set ns = namespace(x=1) %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% call m() %}{% endcall %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}{% endfilter %}",
        "{% set x %}{% endset %}",
        "{% for a in b recursive %}{{ loop(a) }}{% endfor %}",
        "{% set a = [a, a] %}",
        "{{ (a, a) | join }}",
        "{{ {'a': b} }}",
        "{{ a | join(*b) }}",
        "{{ a | join(**b) }}",
        "{{ a is callable }}",
        "{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}",
        "{{ " + "not " * 5000 + "a }}",
        "{{ " + "a" + " + a" * 5000 + " }}",
        "{% if a %}" * 200 + "{% endif %}" * 200,
        "{% for a in b %}" * 21 + "{% endfor %}" * 21,
        "{{ " + "9" * 10_000 + " }}",
        "{{ a" + "[0]" * 5000 + " }}",
        "\ud800{{ a }}",
    ],
)
def test_what_runs_code_or_grows_is_refused_when_a_template_is_saved(template: str):
    """Every way out of a Jinja sandbox that was ever published begins with one of these."""
    with pytest.raises(InvalidTemplate):
        parse_template(template)


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("{% for a in xs %}{% for b in xs %}{% for c in xs %}{% endfor %}{% endfor %}{% endfor %}", {"xs": [0] * 1000}),
        ("{% for a in xs %}{{ text }}{% endfor %}", {"xs": [0] * 1000, "text": "x" * 10_000}),
        ("{% set a = text %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}", {"text": "x"}),
        ("{% set a = text %}" + "{% set a = a + a %}" * 60 + "{{ a }}", {"text": "x"}),
        ("{% set a = text %}" + "{% set a = a | replace('x', a) %}" * 20 + "{{ a }}", {"text": "xxxx"}),
        ("{% set a = text | replace('', text) %}{{ a }}", {"text": "x" * 100_000}),
        ("{{ xs | join(text) }}", {"xs": [1] * 10_000, "text": "x" * 10_000}),
        ("{{ text | indent(100) }}", {"text": "x\n" * 100_000}),
        ("".join("{% set v" + str(i) + " = text | upper %}" for i in range(200)), {"text": "x" * 1_000_000}),
        ("{{ text }}" * 100, {"text": "x" * 100_000}),
        ("{% for a in text %}{% for b in text %}{% endfor %}{% endfor %}", {"text": "x" * 100_000}),
    ],
)
def test_bombs_go_off_quickly_and_harmlessly(template: str, values: dict[str, object]):
    """What cannot be seen in the text of a template is metered while it is rendered."""
    started = time.process_time()
    with pytest.raises(InvalidTemplate, match=r"rounds|characters"):
        render(template, values)
    assert time.process_time() - started < 2


def test_a_template_that_takes_too_long_is_stopped():
    """Comparing long texts round after round stays within every other limit."""
    ticks = iter(range(1000))
    with pytest.raises(InvalidTemplate, match="longer than 2 seconds"):
        render("{% for x in xs %}{{ x }}{% endfor %}", {"xs": [0] * 100}, clock=lambda: float(next(ticks)))


@pytest.mark.parametrize(
    "make",
    [
        object,
        lambda: open,
        lambda: {1: "a"},
        lambda: {"a": {"b": {1, 2}}},
        lambda: 2**80,
        lambda: "x" * (OUTPUT_CHARACTERS_MAX + 1),
        lambda: [0] * 200_000,
        lambda: [endless_list()],
        lambda: "\ud800",
        lambda: b"bytes",
    ],
)
def test_values_are_plain_data_of_bounded_size(make: Callable[[], object]):
    with pytest.raises(InvalidTemplate, match=r"`a`|its values"):
        render("{{ a }}", {"a": make()})


def endless_list() -> list[object]:
    values: list[object] = []
    values.append(values)
    return values


@pytest.mark.parametrize(
    "template", ["{{ a + b }}", "{{ a - b }}", "{{ a.missing }}", "{{ a | int }}", "{% for x in b %}{% endfor %}"]
)
def test_values_that_do_not_fit_are_errors_and_not_crashes(template: str):
    with pytest.raises(InvalidTemplate):
        render(template, {name: {"a": "text", "b": 3}[name] for name in parse_template(template).variables})


def test_the_limit_of_rounds_leaves_room_for_real_lists():
    assert len(render("{% for x in xs %}x{% endfor %}", {"xs": [0] * ROUNDS_MAX})) == ROUNDS_MAX


pieces = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{#", "#}", " a ", "b", "|", "join", "items", "sort", "round", "default", "(", ")", "[",
     "]", ".", "for", "in", "if", "endif", "endfor", "else", "set", "=", "+", "-", "~", "'x'", "1", "9e999", "loop",
     "\n", "is", "defined", "not", ":", ",", "int", "float", "first", "unique", "truncate", "==", "<", "\x00", "é"]
)  # fmt: skip
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(pieces, max_size=25).map(" ".join) | st.text(max_size=60), plain, plain)
@settings(max_examples=400, deadline=None)
def test_no_template_and_no_value_raises_anything_but_our_own_error(text: str, one: object, other: object):
    with suppress(PaddockError):
        template = parse_template(text)
        render(template, {name: one if number % 2 else other for number, name in enumerate(sorted(template.variables))})


operations = (
    *("a | sort", "a | join(b)", "a | round(b)", "a | int", "a | float | int", "a | truncate(b)", "a | indent(b)"),
    *("a | first | last", "a | replace(b, a)", "a | items", "a | reverse | unique", "a | default(b) | length"),
    *("a < b", "a in b", "a[b]", "a[:b]", "-a", "a ~ b", "a + b", "a - b"),
)


@given(st.sampled_from(operations), plain, plain)
@settings(max_examples=400, deadline=None)
def test_no_operation_on_any_value_raises_anything_but_our_own_error(operation: str, one: object, other: object):
    template = "{{ " + operation + " }}"
    with suppress(PaddockError):
        render(template, {name: {"a": one, "b": other}[name] for name in parse_template(template).variables})
