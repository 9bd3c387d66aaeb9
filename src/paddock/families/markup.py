"""What a family writes around the parts of an answer, for answers that are held to a form while they are written."""

import json
from dataclasses import dataclass, replace
from typing import Final, Self

from paddock.families.family import Family
from paddock.families.tagged import Tags


@dataclass(frozen=True, slots=True, kw_only=True)
class CallForm:
    """How calls are written: `begin`, then for each `before` name `after` arguments `tail`, `between` them, then `end`.

    Arguments are a JSON object. `between` None: an answer has one call.
    """

    before: str
    after: str
    tail: str = ""
    begin: str = ""
    between: str | None = None
    end: str = ""
    quoted: bool = True  # the name stands in a JSON string
    opening: str = ""  # its first characters, where they begin nothing but calls; empty: a call is the whole answer
    own_arguments: str = ""  # models of this family write arguments another way unless they are made to; up to this

    @property
    def is_closed(self) -> bool:
        """Whether something may follow its calls: what ends with the arguments would go on with whatever comes next."""
        return bool(self.tail or self.end)

    @classmethod
    def tagged(cls, tags: Tags) -> Self:
        """JSON objects between tags, as most families write them."""
        return cls(
            before=f'{tags.call}\n{{"name": "',
            after='", "arguments": ',
            tail=f"}}\n{tags.call_end}",
            between="\n",
            opening=tags.call,
        )

    def head(self, name: str) -> str:
        """What stands before the arguments of a call of `name`."""
        return f"{self.before}{json.dumps(name)[1:-1] if self.quoted else name}{self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup:
    """Empty is: it writes no such thing. `calls` None: its calls are in no form that could be held to a schema."""

    think: str = ""
    think_end: str = ""
    answer: str = ""  # before what is said
    calls: CallForm | None = None
    more_calls: tuple[CallForm, ...] = ()  # that are read as calls, too, and may come by themselves
    never: tuple[str, ...] = ()  # what is read as a call and in no such form
    aside: str = ""  # before what is said on the way, and ends as thoughts do
    always_thinks: bool = False  # or may, whatever it is asked for


def markup_of(family: Family, template: str) -> Markup:
    """What `family` writes; where its generations differ, as the model's own `template` shows."""
    tags = family.tags
    if family.name == "gpt_oss":
        return _HARMONY
    return Markup(
        think=tags.think,
        think_end=tags.think_end,
        calls=_calls(family.name, tags, template),
        more_calls=_more_calls(family.name, tags),
        never=_NEVER.get(family.name, ()),
    )


def _calls(name: str, tags: Tags, template: str) -> CallForm:
    match name:
        case "llama":
            return CallForm(before='{"name": "', after='", "parameters": ', tail="}")
        case "mistral" if "[ARGS]" in template:
            return CallForm(before="[TOOL_CALLS]", after="[ARGS]", between="", quoted=False, opening="[TOOL_CALLS]")
        case "mistral":
            object_ = CallForm(before='{"name": "', after='", "arguments": ', tail="}", between=", ")
            return replace(object_, begin="[TOOL_CALLS][", end="]", opening="[TOOL_CALLS]")
        case "phi":
            object_ = CallForm(before='{"name": "', after='", "arguments": ', tail="}", between=", ")
            return replace(object_, begin=f"{tags.call}[", end=f"]{tags.call_end}", opening=tags.call)
        case "deepseek":
            return _deepseek(fenced="```json" in template)
        case "qwen_coder":
            return CallForm(
                before="<tool_call>\n<function=",
                after=">\n",
                tail="\n</function>\n</tool_call>",
                between="\n",
                quoted=False,
                opening=tags.call,
                own_arguments="\n</function>\n</tool_call>",
            )
        case _:
            return CallForm.tagged(tags if tags.call else Tags())


def _more_calls(name: str, tags: Tags) -> tuple[CallForm, ...]:
    """Tools that were told in words are called in these tags, whatever the family."""
    told_in_words = CallForm.tagged(Tags())
    match name:
        case "llama":
            marked = CallForm(
                before='<|python_tag|>{"name": "', after='", "parameters": ', tail="}", opening="<|python_tag|>"
            )
            return (marked, told_in_words)
        case "mistral" | "phi" | "deepseek":
            return (told_in_words,)
        case "qwen_coder":
            return (
                CallForm(
                    before="<function=",
                    after=">\n",
                    tail="\n</function>",
                    quoted=False,
                    opening="<function=",
                    own_arguments="\n</function>",
                ),
            )
        case _:
            return ()


def _deepseek(*, fenced: bool) -> CallForm:
    begin, separator, end = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
    form = CallForm(
        before=begin,
        after=separator,
        tail=end,
        between="",
        begin="<｜tool▁calls▁begin｜>",
        end="<｜tool▁calls▁end｜>",
        quoted=False,
        opening="<｜tool▁calls▁begin｜>",
    )
    if not fenced:
        return form
    return replace(form, before=f"{begin}function{separator}", after="\n```json\n", tail=f"\n```{end}", between="\n")


_NEVER: Final = {"llama": ("<function=",), "deepseek": ("<｜tool▁call▁begin｜>",)}
_HARMONY: Final = Markup(
    think="<|channel|>analysis<|message|>",
    think_end="<|end|><|start|>assistant",
    answer="<|channel|>final<|message|>",
    aside="<|channel|>commentary<|message|>",
    calls=CallForm(before="<|channel|>commentary to=functions.", after=" <|constrain|>json<|message|>", quoted=False),
    more_calls=(
        CallForm(before=" to=functions.", after="<|channel|>commentary <|constrain|>json<|message|>", quoted=False),
    ),
    always_thinks=True,
)
