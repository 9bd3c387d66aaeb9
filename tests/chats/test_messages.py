"""What a model is told of a conversation that goes on."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from paddock.chats.messages import (
    MessagePart,
    NewMessage,
    PartKind,
    Role,
    SavedMessage,
    answer_message,
    answered,
    text_message,
)
from paddock.chats.titles import title_from
from paddock.vocabulary import FinishReason, Message, ToolCall
from tests.chats.books import asked, said


def kept(*messages: NewMessage) -> Sequence[SavedMessage]:
    return [
        SavedMessage(
            role=message.role,
            parts=message.parts,
            finish_reason=message.finish_reason,
            position=position,
            created_at=datetime(2026, 3, 1, tzinfo=UTC),
        )
        for position, message in enumerate(messages)
    ]


def test_a_question_without_an_answer_and_one_that_failed_are_not_told() -> None:
    """After a crash two questions would stand side by side, which many templates refuse."""
    messages = kept(
        text_message(Role.SYSTEM, "Be brief."),
        asked("Lost in a crash"),
        asked("One"),
        said("1"),
        asked("Failed"),
        said("half an ans", FinishReason.ERROR),
        asked("Cut"),
        said("as far as", FinishReason.CANCELLED),
        asked("Lost, too"),
    )
    assert [(message.role, message.content) for message in answered(messages)] == [
        ("system", "Be brief."),
        ("user", "One"),
        ("assistant", "1"),
        ("user", "Cut"),
        ("assistant", "as far as"),
    ]


def test_calls_their_results_and_thoughts_are_told_in_their_fields() -> None:
    """A template writes them in its family's own way."""
    call = ToolCall(id="c1", name="look", arguments="{}")
    parts = (MessagePart(kind=PartKind.REASONING, text="Hm."), MessagePart(kind=PartKind.TOOL_CALL, call=call))
    result = MessagePart(kind=PartKind.TOOL_RESULT, text="a horse", call_id="c1")
    messages = kept(
        asked("What is it?"),
        NewMessage(role=Role.ASSISTANT, parts=parts),
        NewMessage(role=Role.TOOL, parts=(result,)),
        said("A horse."),
    )
    assert answered(messages)[1:3] == (
        Message(role="assistant", reasoning="Hm.", tool_calls=(call,)),
        Message(role="tool", content="a horse", tool_call_id="c1"),
    )


turns = st.lists(st.sampled_from(["asked", "said", "cut", "failed"]), max_size=12)


@given(turns)
def test_question_and_answer_always_alternate(kinds: Sequence[str]) -> None:
    """Whatever was interrupted, and however often."""
    reasons = {"said": FinishReason.STOP, "cut": FinishReason.CANCELLED, "failed": FinishReason.ERROR}
    made: list[NewMessage] = []
    for kind in kinds:
        if kind != "asked" and (not made or made[-1].role is Role.ASSISTANT):
            continue  # nobody answers what was not asked
        made.append(asked("?") if kind == "asked" else answer_message("!", model="pony", finish_reason=reasons[kind]))
    roles = [message.role for message in answered(kept(*made))]
    assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_a_system_prompt_that_was_given_later_holds_from_then_on() -> None:
    """It comes first, because many templates refuse it anywhere else."""
    messages = kept(
        text_message(Role.SYSTEM, "Be brief."),
        asked("One"),
        said("1"),
        text_message(Role.SYSTEM, "Sing."),
        asked("Two"),
        said("2"),
    )
    assert [one.content for one in answered(messages)] == ["Sing.", "One", "1", "Two", "2"]


@given(st.text())
def test_a_title_is_one_line_that_a_terminal_may_show(text: str) -> None:
    """Whatever somebody pastes first."""
    title = title_from(text)
    assert len(title) <= 60
    assert title == " ".join(title.split())
    assert not any(letter in title for letter in "\x1b\x07\u202e\n\t")
