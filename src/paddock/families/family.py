"""One family: the protocol, and the plain one that serves for whatever no other knows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from paddock.families.speech import Reader, Speech
from paddock.families.tagged import COMMON_MARKUP, AnswerReader, Opening, Tags, tagged_calls
from paddock.families.turns import Turn, described, folded_system, knows_system, knows_tools, told_in_text, turn_of
from paddock.vocabulary import Message, Thinking, Tool


class Family(Protocol):
    """How one family speaks. Stateless; what belongs to one answer is in its Speech."""

    name: ClassVar[str]
    end_texts: ClassVar[Sequence[str]]  # tokens that end a turn, beside those that the model's files name
    markup: ClassVar[frozenset[str]]  # special tokens that the Speech must see; all others are never shown
    tags: ClassVar[Tags]
    thought_end: ClassVar[str]  # what ends a thought and begins the answer; empty: it has no thoughts

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """What the model's own `template` is rendered with."""
        ...

    def options(self, tools: Sequence[Tool], thinking: Thinking, template: str) -> Mapping[str, Any]:
        """What else the template is told."""
        ...

    def speech(self, prompt_tail: str, tools: Sequence[Tool], *, parallel: bool = True) -> Speech:
        """Who reads the answer to a prompt that ends in `prompt_tail`. Not `parallel`: it makes one call at most."""
        ...


class PlainFamily:
    """Tags as most models write them; tools go into the system message where the template has no place for them."""

    name: ClassVar[str] = "plain"
    end_texts: ClassVar[Sequence[str]] = ("<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end|>", "</s>")
    markup: ClassVar[frozenset[str]] = COMMON_MARKUP
    tags: ClassVar[Tags] = Tags()
    thought_end: ClassVar[str] = "\n</think>\n\n"

    def conversation(self, messages: Sequence[Message], tools: Sequence[Tool], template: str) -> Sequence[Turn]:
        """See Family."""
        if knows_tools(template):
            turns = [turn_of(message) for message in messages]
        else:
            turns = told_in_text(messages, tools, self.tags)
        return turns if knows_system(template) else folded_system(turns)

    def options(self, tools: Sequence[Tool], thinking: Thinking, template: str) -> Mapping[str, Any]:
        """See Family. Models think only when asked to: nobody waits for an answer twice as long by chance."""
        thinks = wants_thought(thinking)
        options: dict[str, Any] = {"enable_thinking": thinks, "thinking": thinks}
        if tools and knows_tools(template):
            options["tools"] = [described(tool) for tool in tools]
        return options

    def speech(self, prompt_tail: str, tools: Sequence[Tool], *, parallel: bool = True) -> Speech:
        """See Family."""
        names = frozenset(tool.name for tool in tools)
        return Speech(self.reader(prompt_tail, tools), tool_names=names, parallel=parallel)

    def reader(self, prompt_tail: str, tools: Sequence[Tool]) -> Reader:
        """Who reads the first words. A prompt that ends with the tag of thoughts has begun one."""
        answer = self.answer_reader(tools)
        begun = self.tags.think and prompt_tail.rstrip().endswith(self.tags.think)
        return answer.thought() if begun else answer

    def answer_reader(self, tools: Sequence[Tool]) -> AnswerReader:
        """Who reads what is said. Without tools a call's tag is text like any other."""
        tags = self.tags
        openings: dict[str, Opening] = {}
        if tools:
            # Tools that were told in words (`told_in_text`) are called in these tags, whatever the family.
            for call, end in ((tags.call, tags.call_end), ("<tool_call>", "</tool_call>")):
                openings[call] = tagged_calls(end, *tags.ends)
        return AnswerReader(tags, openings, silent=(tags.call_end, "</tool_call>") if tools else ())


def wants_thought(thinking: Thinking) -> bool:
    """Whether a thought is asked for. A budget for one asks for it, too."""
    return thinking.enabled or (thinking.enabled is None and bool(thinking.budget_tokens))
