"""From what a request wants to the grammar that holds its answer, in llguidance's form.

    answer = thought? (held text | calls)

A thought comes first where the model thinks; it is free text up to its end. Marks that are single tokens stand in the grammar
as these tokens, so no answer contains one by chance.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from llguidance.gbnf_to_lark import any_to_lark

from paddock.errors import UsageError
from paddock.families.markup import CallForm, Markup
from paddock.vocabulary import FormatKind, OutputFormat, Tool

FORM_BYTES_MAX: Final = 512 * 1024  # of a schema, a pattern, a grammar, or the tools of a request
DEPTH_MAX: Final = 48  # of values within values in a schema
CALLS_MAX: Final = 16  # in one answer

# Between a JSON text's parts: nothing, a blank, or a new line and how far it is indented. Boundless, it is what weak models
# write until their tokens end.
_BLANKS: Final = r"(\n[ ]{0,24}|[ ])?"
FREE_TEXT: Final = "/(?s:.*)/"
# Text that must come may come in any tokens that spell it: the model knows best how it splits its words.
ANY_TOKENS: Final = '%llguidance {"no_forcing": true}'
_NO_MARKUP: Final = Markup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an answer is held to."""

    format: OutputFormat
    tools: tuple[Tool, ...] = ()  # that may be called
    must_call: bool = False
    parallel: bool = True
    markup: Markup = _NO_MARKUP
    thought_is_open: bool = False  # the prompt has begun it
    may_think: bool = False
    as_it_likes: bool = False  # text, calls, or both: only a call that it begins is held, to its end


def grammar_of(wanted: Wanted, marks: Mapping[str, int]) -> str:
    """The grammar, as JSON. `marks`: texts that are one token each. Raises UsageError for what breaks a limit."""
    spell = Speller(marks)
    parts: list[Mapping[str, Any]] = []
    ways: list[str] = []
    if not wanted.must_call:
        parts.append({"name": "held", **_text_part(wanted.format)})
        ways.append(f"{spell(wanted.markup.answer)} @held")
    rules: list[str] = []
    if wanted.tools:
        assert wanted.markup.calls is not None, "whoever cannot write calls is not asked for them"
        more, calls = _calls(wanted.tools, wanted.markup.calls, spell, parallel=wanted.parallel)
        rules += more
        parts += calls
        ways.append("calls")
    lead, more = lead_of(wanted, spell)
    start = f"{ANY_TOKENS}\nstart: {lead} answer\nanswer: {' | '.join(ways)}"
    grammar = json.dumps(
        {"grammars": [{"lark_grammar": "\n".join([start, *more, *rules])}, *parts]}, ensure_ascii=False
    )
    check_bytes(len(grammar.encode("utf-8", "surrogatepass")), "What the answer is held to")
    return grammar


def schema_part(schema: Mapping[str, Any] | bool, *, lenient: bool = False) -> Mapping[str, Any]:
    """A JSON schema as a part of a grammar. `lenient`: keywords that cannot be held to are passed over."""
    if schema is False:
        return {"json_schema": False}
    options = {"whitespace_pattern": _BLANKS, "lenient": lenient}
    return {"json_schema": {**({} if schema is True else schema), "x-guidance": options}}


def check_schema(schema: Any, what: str) -> None:
    """Raises UsageError when it is nested too deeply; walks it without recursion."""
    level: list[Any] = [schema]
    for _ in range(DEPTH_MAX):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise UsageError(
        f"{what} is nested more than {DEPTH_MAX} values deep.",
        hint="Name its inner parts in `$defs` and refer to them with `$ref`.",
    )


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value).values()
    if isinstance(value, list | tuple):
        return cast("Sequence[Any]", value)
    return ()


def _text_part(wanted: OutputFormat) -> Mapping[str, Any]:
    match wanted.kind:
        case FormatKind.TEXT:
            return {"lark_grammar": f"start: {FREE_TEXT}"}
        case FormatKind.JSON_OBJECT:
            return schema_part({"type": "object"})
        case FormatKind.JSON_SCHEMA:
            assert wanted.schema is not None, "a schema is wanted and none is there"
            check_schema(wanted.schema, "The schema")
            return schema_part(wanted.schema)
        case FormatKind.REGEX:
            check_bytes(len(wanted.pattern.encode("utf-8", "surrogatepass")), "The regular expression")
            pattern = re.sub(r"(?<!\\)((?:\\\\)*)/", r"\1\\/", wanted.pattern.replace("\n", r"\n"))
            return {"lark_grammar": f"start: /{pattern}/"}
        case FormatKind.CHOICE:
            if not wanted.choices or not all(wanted.choices):
                raise UsageError("A choice is empty.", hint="Name at least one text, each of a character or more.")
            return {"lark_grammar": f"start: {' | '.join(map(literal, wanted.choices))}"}
        case FormatKind.GRAMMAR:
            return {"lark_grammar": _lark(wanted.pattern)}


def _lark(text: str) -> str:
    """A grammar in Lark's form or in llama.cpp's (GBNF)."""
    check_bytes(len(text.encode("utf-8", "surrogatepass")), "The grammar")
    try:
        return any_to_lark(text)
    except Exception as error:  # its reader raises bare Exceptions, and RecursionError for what is nested too deeply
        raise UsageError(
            f"The grammar cannot be read: {(str(error).splitlines() or ['it is broken'])[0][:200]}",
            hint="Write it as Lark does, with a rule `start`, or as llama.cpp does, with a rule `root`.",
        ) from error


def _calls(
    tools: Sequence[Tool], form: CallForm, spell: "Speller", *, parallel: bool
) -> tuple[list[str], list[Mapping[str, Any]]]:
    """Rules, and the parts that they refer to."""
    parts: list[Mapping[str, Any]] = []
    rules: list[str] = []
    for number, tool in enumerate(tools):
        check_schema(tool.parameters, f"The parameters of `{tool.name}`")
        # Arguments are an object whatever else the schema says; what it cannot be held to matters only to who is strict.
        schema = {"type": "object", **tool.parameters}
        parts.append({"name": f"arguments_{number}", **schema_part(schema, lenient=not tool.strict)})
        rules.append(f"call_{number}: {spell(form.head(tool.name))} @arguments_{number} {spell(form.tail)}")
    rules.append(f"call: {' | '.join(f'call_{number}' for number in range(len(tools)))}")
    more = "" if form.between is None or not parallel else f"({spell(form.between)} call){{0,{CALLS_MAX - 1}}}"
    rules.append(f"calls: {spell(form.begin)} call {more} {spell(form.end)}")
    return rules, parts


def lead_of(wanted: Wanted, spell: "Speller") -> tuple[str, list[str]]:
    """What may come before the answer: the thought. Its use, and its rules."""
    markup = wanted.markup
    if not markup.think_end or not (wanted.thought_is_open or wanted.may_think or markup.always_thinks):
        return "", []
    rules = ["BLANK: /[ \\n]{0,4}/"]
    first, *rest = spell.pieces(markup.think_end)
    if first.startswith("<["):
        rules.append(f"thought: {FREE_TEXT} {first} {' '.join(rest)} BLANK")
    else:
        rules += [f"thought: thinking {' '.join(rest)} BLANK", f"thinking[suffix={first}]: {FREE_TEXT}"]
    if wanted.thought_is_open:
        return "thought", rules
    return "whole_thought?", [*rules, f"whole_thought: {spell(markup.think)} thought"]


class Speller:
    """Texts as a grammar writes them: marks as tokens, everything else quoted."""

    def __init__(self, marks: Mapping[str, int]) -> None:
        self._marks = marks
        longest_first = sorted(marks, key=len, reverse=True)
        self._pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if marks else None

    def __call__(self, text: str) -> str:
        return " ".join(self.pieces(text))

    def pieces(self, text: str) -> list[str]:
        parts = self._pattern.split(text) if self._pattern else [text]
        return [f"<[{self._marks[part]}]>" if part in self._marks else literal(part) for part in parts if part]


def literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def check_bytes(count: int, what: str) -> None:
    if count > FORM_BYTES_MAX:
        raise UsageError(
            f"{what} has {count} bytes; {FORM_BYTES_MAX} is the most.",
            hint="Hold the answer to a smaller form, and check the rest when it has come.",
        )
