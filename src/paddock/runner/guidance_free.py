"""The grammar of an answer that is free but for its calls: `auto` with `strict` tools.

    answer = thought? (text opening call)* text

The model writes what it likes. Once it has written what opens a call, in any of the forms that its family is read in, the
rest of that call is held: the name is a tool's, and a strict tool's arguments match its schema. Text has no opening in it, so
there is no way round.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from paddock.families.markup import CallForm, Markup
from paddock.runner.guidance_grammar import (
    ANY_TOKENS,
    CALLS_MAX,
    FREE_TEXT,
    Speller,
    Wanted,
    check_bytes,
    check_schema,
    literal,
    schema_part,
)
from paddock.vocabulary import Tool

_ANY_OBJECT: Final = {"type": "object"}
_BLANK: Final = r"[ \t\r\n]*"


def free_grammar_of(wanted: Wanted, marks: Mapping[str, int]) -> str:
    """The grammar, as JSON. `marks`: texts that are one token each. Raises UsageError for what breaks a limit."""
    rules = _Rules(wanted, marks)
    body = rules.harmony() if wanted.markup.aside else rules.tagged()
    lark = "\n".join([ANY_TOKENS, *body])
    grammar = json.dumps({"grammars": [{"lark_grammar": lark}, *rules.parts]}, ensure_ascii=False)
    check_bytes(len(grammar.encode("utf-8", "surrogatepass")), "What the answer is held to")
    return grammar


class _Rules:
    def __init__(self, wanted: Wanted, marks: Mapping[str, int]) -> None:
        assert wanted.markup.calls is not None, "whoever cannot write calls is not asked for them"
        self._tools = wanted.tools
        self._markup = wanted.markup
        self._marks = marks
        self._spell = Speller(marks)
        self._forms: tuple[CallForm, ...] = (wanted.markup.calls, *wanted.markup.more_calls)
        self._calls_max = CALLS_MAX if wanted.parallel else 1
        self._thought_is_open = wanted.thought_is_open
        self.parts: Sequence[Mapping[str, Any]] = [_part(number, tool) for number, tool in enumerate(wanted.tools)]

    def tagged(self) -> list[str]:
        """Families whose calls stand in the text, or are all of it."""
        pieces = [f"piece_{number}" for number, form in enumerate(self._forms) if form.opening and form.is_closed]
        assert pieces, "tools that were told in words are called in tags that close"
        ways = [f"piece{{0,{self._calls_max}}} TAIL?"]
        rules = [
            f"piece: {' | '.join(pieces)}",
            f"TAIL: {self._free_of(*self._openings, *self._markup.never)}",
        ]
        for number, form in enumerate(self._forms):
            if not form.opening:
                ways.append(f"bare_{number}")
                rules += self._bare(number, form)
                continue
            rules += self._piece(number, form)
            if not form.is_closed:
                again = f"({self._spell(form.opening)} call_{number}){{0,{self._calls_max - 1}}}"
                ways.append(f"piece{{0,{self._calls_max}}} piece_{number} {again}")
        lead, more = _thought(self._markup, self._spell, is_open=self._thought_is_open)
        return [f"start: {lead} answer", f"answer: {' | '.join(ways)}", *more, *rules]

    def harmony(self) -> list[str]:
        """Where every message says what it is, in tokens of its own."""
        markup, spell = self._markup, self._spell
        ends = spell(markup.think_end)
        calls, rules = list[str](), list[str]()
        for number, form in enumerate(self._forms):
            calls.append(f"call_{number}")
            rules += self._call(f"call_{number}", form, drop=0)
        return [
            f"start: before{{0,{CALLS_MAX}}} (final | {' | '.join(calls)})",
            f"before: {spell(markup.think)} TEXT? {ends} | {spell(markup.aside)} TEXT? {ends}",
            f"final: {spell(markup.answer)} TEXT?",
            f"TEXT: {FREE_TEXT}",
            *rules,
        ]

    @property
    def _openings(self) -> Sequence[str]:
        return [form.opening for form in self._forms if form.opening]

    def _piece(self, number: int, form: CallForm) -> list[str]:
        """Text, the opening, and the call or calls that it opens."""
        others = (*(each for each in self._openings if each != form.opening), *self._markup.never)
        if form.opening in self._marks:
            lead = [f"lead_{number}: TEXT_{number}? {self._spell(form.opening)}"]
            lead.append(f"TEXT_{number}: {self._free_of(form.opening, *others)}")
        else:
            lead = [
                f"lead_{number}[suffix={literal(form.opening)}]: TEXT_{number}",
                f"TEXT_{number}: {self._free_of(*others)}",
            ]
        if not form.begin:
            calls = self._call(f"call_{number}", form, drop=len(form.opening))
            return [f"piece_{number}: lead_{number} call_{number}", *lead, *calls]
        begin = self._spell(form.begin[len(form.opening) :])
        more = "" if self._calls_max == 1 else f"({self._spell(form.between or '')} call_{number}){{0,{CALLS_MAX - 1}}}"
        calls = self._call(f"call_{number}", form, drop=0)
        whole = f"piece_{number}: lead_{number} {begin} call_{number} {more} {self._spell(form.end)}"
        return [whole, *lead, *calls]

    def _call(self, name: str, form: CallForm, *, drop: int) -> list[str]:
        """One rule for each tool. `drop`: so many characters of the head stand there already."""
        rules = [f"{name}: {' | '.join(f'{name}_{number}' for number in range(len(self._tools)))}"]
        for number, tool in enumerate(self._tools):
            head = self._spell(form.head(tool.name)[drop:])
            if form.own_arguments and not tool.strict:
                rules.append(f"{name}_{number}: {head} {name}_{number}_own")
                rules.append(f"{name}_{number}_own[suffix={literal(form.own_arguments.strip())}]: {FREE_TEXT}")
            else:
                rules.append(f"{name}_{number}: {head} @arguments_{number} {self._spell(form.tail)}")
        return rules

    def _bare(self, number: int, form: CallForm) -> list[str]:
        """A call that nothing opens: an answer that begins as one is one. Blanks may stand where JSON has them."""
        rules = [f"bare_{number}: {' | '.join(f'bare_{number}_{tool}' for tool in range(len(self._tools)))}"]
        for at, tool in enumerate(self._tools):
            head = re.escape(form.head(tool.name)).replace(r"\ ", " ").replace("/", r"\/")
            head = head.replace(": ", "[ ]?:[ ]?").replace(", ", r",[ \n]{0,4}").replace(r"\{", r"\{[ \n]{0,4}")
            head = head.replace('"parameters"', '"(parameters|arguments)"')
            rules.append(f"bare_{number}_{at}: HEAD_{number}_{at} @arguments_{at} {self._spell(form.tail)}")
            rules.append(f"HEAD_{number}_{at}: /{head}/")
        return rules

    def _free_of(self, *banned: str) -> str:
        """Any text that has none of `banned` in it, and where calls are bare, that begins as none."""
        free = FREE_TEXT
        if banned:
            free += f" & ~/(?s:.*)({'|'.join(map(_escaped, banned))})(?s:.*)/"
        if any(not form.opening for form in self._forms):
            names = "|".join(_escaped(tool.name) for tool in self._tools)
            key = f'"(name|function|tool_name)"{_BLANK}:{_BLANK}"({names})"'
            free += f" & ~/{_BLANK}(\\[{_BLANK})?\\{{(?s:.*){key}(?s:.*)/"
            free += f" & ~/{_BLANK}\\[{_BLANK}({names}){_BLANK}\\((?s:.*)/"
        return free


def _part(number: int, tool: Tool) -> Mapping[str, Any]:
    check_schema(tool.parameters, f"The parameters of `{tool.name}`")
    schema = {"type": "object", **tool.parameters} if tool.strict else _ANY_OBJECT
    return {"name": f"arguments_{number}", **schema_part(schema)}


def _thought(markup: Markup, spell: Speller, *, is_open: bool) -> tuple[str, list[str]]:
    """A thought may always come first: nobody told this model how it is to answer."""
    if not markup.think_end:
        return "", []
    first, *rest = spell.pieces(markup.think_end)
    if first.startswith("<["):
        rules = [f"thought: {FREE_TEXT} {first} {' '.join(rest)}"]
    else:
        rules = [f"thought: thinking {' '.join(rest)}", f"thinking[suffix={first}]: {FREE_TEXT}"]
    if is_open:
        return "thought", rules
    return "whole_thought?", [*rules, f"whole_thought: {spell(markup.think)} thought"]


def _escaped(text: str) -> str:
    """As a part of a regular expression between slashes."""
    return re.escape(text).replace("/", r"\/")
