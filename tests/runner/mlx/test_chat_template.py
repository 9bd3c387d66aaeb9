"""Chat templates come from strangers: what they mean is kept, what they could do is not."""

import time
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from paddock.errors import InvalidTemplate, PaddockError, UsageError
from paddock.runner.chat_template import ChatTemplate
from paddock.runner.mlx.tokenizer import load_tokenizer
from paddock.vocabulary import Message

PONY = Path(__file__).parents[3] / "src/paddock/builtin_models/pony"
USER = [{"role": "user", "content": "Hi"}]


def render(source: str, **options: object) -> str:
    return ChatTemplate(source, {"bos_token": "<s>"}).render(USER, options)


def test_conversations_come_out_as_transformers_renders_them() -> None:
    """Models were trained on exactly this text."""
    theirs = AutoTokenizer.from_pretrained(PONY)
    ours = ChatTemplate((PONY / "chat_template.jinja").read_text(), {})
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"a": "<b> & 'ü'"}}}]
    conversations = [
        USER,
        [{"role": "system", "content": "Be brief."}, *USER, {"role": "assistant", "content": "Yes."}, *USER],
        [{"role": "tool", "content": "7"}, *USER],
    ]
    for conversation in conversations:
        for options in ({}, {"enable_thinking": True}, {"tools": tools}):
            expected = theirs.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True, **options)
            assert ours.render(conversation, options) == expected


def test_thinking_is_off_unless_it_is_asked_for() -> None:
    """mlx-lm turns it on by default, and the built-in model then answers inside a thought."""
    tokenizer = load_tokenizer(PONY, "pony", ())
    messages = [Message(role="user", content="Hi")]
    plain = tokenizer.decode(tokenizer.render(messages, {}))
    thinking = tokenizer.decode(tokenizer.render(messages, {"enable_thinking": True}))
    assert "<think>" not in plain
    assert thinking.endswith("<think>\n")


def test_templates_may_use_what_templates_use() -> None:
    """The dialect in the wild: namespaces, macros, loop controls, slices, filters, generation marks."""
    source = (
        "{{ bos_token }}{% set ns = namespace(n=0) %}{% macro turn(m) %}[{{ m.role | upper }}]{% endmacro %}"
        "{% for m in messages %}{% if loop.index > 5 %}{% break %}{% endif %}{{ turn(m) }}"
        "{% generation %}{{ m['content'][::-1] ~ loop.last }}{% endgeneration %}{% set ns.n = ns.n + 1 %}{% endfor %}"
        "{{ ns.n }}{{ '%s-%d' % ('a', 3) }}{{ '=' * 3 }}{{ {'b': '<'} | tojson }}{{ none }}{{ tools is none }}"
    )
    assert render(source) == '<s>[USER]iHTrue1a-3==={"b": "<"}True'


def test_a_template_that_refuses_the_messages_is_the_callers_error() -> None:
    """Roles out of order are for the caller to mend, and the template says which."""
    with pytest.raises(UsageError, match="must alternate"):
        render("{{ raise_exception('Roles must alternate') }}")


GROW = "{{% set ns = namespace(s='x') %}}{{% for i in range(60) %}}{{% set ns.s = {} %}}{{% endfor %}}"
BOMBS = {
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "loops over text": "{% set t = 'x' * 9999 %}{% for a in t %}{% for b in t %}{% endfor %}{% endfor %}",
    "macros that call themselves twice": "{% macro f(n) %}{{ f(n-1) ~ f(n-1) if n }}{% endmacro %}{{ f(60) }}",
    "a macro without an end": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "doubling by +": GROW.format("ns.s + ns.s"),
    "doubling by ~": GROW.format("ns.s ~ ns.s"),
    "doubling by a block": "{% set ns = namespace(s='x') %}{% for i in range(60) %}"
    "{% set b %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = b %}{% endfor %}",
    "doubling lists": "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "text times a number": "{{ 'x' * 1000000000000 }}",
    "a number to a power": "{{ 9 ** 999999999 }}",
    "powers of powers": "{% set ns = namespace(n=9) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    "a wide format": "{{ '%999999999d' % 1 }}",
    "a wide format filter": "{{ '%999999999d' | format(1) }}",
    "a wide method": "{{ 'x'.ljust(99999999999) }}",
    "a wide format method": "{{ '{:99999999999}'.format(1) }}",
    "an indent": "{{ 'a\nb' | indent(99999999999) }}",
    "replacing": GROW.format("ns.s.replace('x', 'xx')"),
    "replacing by filter": GROW.format("ns.s | replace('x', 'xx')"),
    "replacing once": "{{ ('x' * 99999) | replace('x', 'x' * 99999) }}",
    "replacing once by method": "{{ ('x' * 99999).replace('x', 'x' * 99999) }}",
    "joining": "{{ range(99999) | join('x' * 99999) }}",
    "joining by method": "{{ ('x' * 99999).join(['a'] * 99999) }}",
    "one text in many places": "{{ ('%s' * 50000) % (('x' * 99999,) * 50000) }}",
    "one text in many places by method": "{{ ('{0}' * 50000).format('x' * 99999) }}",
    "tabs": "{{ ('\\t' * 99999).expandtabs(99999) }}",
    "a deep expression": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
}


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS.keys())
def test_a_template_that_explodes_is_stopped(source: str) -> None:
    """It would hold the device's thread, or all of the memory, for good."""
    started = time.process_time()
    with pytest.raises(InvalidTemplate):
        render(source)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ '{0.__class__}'.format(1) }}",
    ],
)
def test_a_template_does_not_get_out(source: str) -> None:
    """Out of the sandbox lies everything that the runner may do."""
    try:
        text = render(source)
    except PaddockError:
        return
    assert "class" not in text
    assert "root:" not in text
