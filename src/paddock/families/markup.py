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

    @classmethod
    def tagged(cls, tags: Tags) -> Self:
        """JSON objects between tags, as most families write them."""
        return cls(
            before=f'{tags.call}\n{{"name": "', after='", "arguments": ', tail=f"}}\n{tags.call_end}", between="\n"
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
    always_thinks: bool = False  # or may, whatever it is asked for


def markup_of(family: Family, template: str) -> Markup:
    """What `family` writes; where its generations differ, as the model's own `template` shows."""
    tags = family.tags
    if family.name == "gpt_oss":
        return _HARMONY
    return Markup(think=tags.think, think_end=tags.think_end, calls=_calls(family.name, tags, template))


def _calls(name: str, tags: Tags, template: str) -> CallForm:
    match name:
        case "llama":
            return CallForm(before='{"name": "', after='", "parameters": ', tail="}")
        case "mistral" if "[ARGS]" in template:
            return CallForm(before="[TOOL_CALLS]", after="[ARGS]", between="", quoted=False)
        case "mistral":
            object_ = CallForm(before='{"name": "', after='", "arguments": ', tail="}", between=", ")
            return replace(object_, begin="[TOOL_CALLS][", end="]")
        case "phi":
            object_ = CallForm(before='{"name": "', after='", "arguments": ', tail="}", between=", ")
            return replace(object_, begin=f"{tags.call}[", end=f"]{tags.call_end}")
        case "deepseek":
            return _deepseek(fenced="```json" in template)
        case "qwen_coder":
            return CallForm(
                before="<tool_call>\n<function=",
                after=">\n",
                tail="\n</function>\n</tool_call>",
                between="\n",
                quoted=False,
            )
        case _:
            return CallForm.tagged(tags if tags.call else Tags())


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
    )
    if not fenced:
        return form
    return replace(form, before=f"{begin}function{separator}", after="\n```json\n", tail=f"\n```{end}", between="\n")


_HARMONY: Final = Markup(
    think="<|channel|>analysis<|message|>",
    think_end="<|end|><|start|>assistant",
    answer="<|channel|>final<|message|>",
    calls=CallForm(before="<|channel|>commentary to=functions.", after=" <|constrain|>json<|message|>", quoted=False),
    always_thinks=True,
)
