"""Outcomes become events: one a sequence and step, and whatever a step computed beyond the end is not in them."""

from paddock.engine.outcome import Failure, Outcome
from paddock.errors import Overloaded
from paddock.runner.telling import Telling
from paddock.vocabulary import (
    FinishReason,
    GenerateRequest,
    Message,
    Sampling,
    TokenLogprob,
    Tool,
    ToolChoice,
    Usage,
)
from tests.fakes.toy_runner import END, ToyTokenizer


def telling(*stop: str) -> Telling:
    told = Telling(ToyTokenizer())
    told.begin(GenerateRequest(id="1", prompt="prompt", sampling=Sampling(stop=stop)), b"prompt")
    return told


def outcome(text: bytes, *, reason: FinishReason | None = None, end: bool = False) -> Outcome:
    tokens = (*text, *((END,) if end else ()))
    return Outcome(
        sequence_id="1",
        tokens=tokens,
        logprobs=tuple((TokenLogprob(token_id=token, logprob=-1.0),) for token in tokens),
        finish_reason=reason,
        stop_token=END if end else None,
        usage=Usage(prompt_tokens=6, completion_tokens=100) if reason else None,
    )


def test_several_outcomes_before_a_message_are_one_event() -> None:
    told = telling()
    assert not told.tell(outcome(b"ab"))
    assert not told.tell(outcome(b"cd"))
    (event,) = told.take()
    assert (event.text, event.token_ids, len(event.logprobs)) == ("abcd", tuple(b"abcd"), 4)
    assert told.take() == ()


def test_an_end_token_is_counted_and_not_shown() -> None:
    told = telling()
    told.tell(outcome(b"hi", reason=FinishReason.STOP, end=True))
    (event,) = told.take()
    assert (event.text, event.token_ids[-1], event.finish_reason) == ("hi", END, FinishReason.STOP)
    assert b"".join(entry[0].token for entry in event.logprobs) == b"hi"
    assert event.usage == Usage(prompt_tokens=6, completion_tokens=3)


def test_a_stop_string_amid_a_step_s_tokens_ends_there() -> None:
    """With speculation a step brings several tokens; the answer must be the same as without."""
    told = telling("cd")
    assert told.tell(outcome(b"abcdef"))
    told.tell(Outcome(sequence_id="1", finish_reason=FinishReason.STOP, usage=Usage(completion_tokens=6)))
    (event,) = told.take()
    assert (event.text, event.token_ids, len(event.logprobs)) == ("ab", tuple(b"abcd"), 4)
    assert event.usage == Usage(completion_tokens=4)


def test_a_stop_string_wins_over_the_length_reached_behind_it() -> None:
    told = telling("cd")
    assert not told.tell(outcome(b"abcdef", reason=FinishReason.LENGTH))
    assert told.take()[0].finish_reason is FinishReason.STOP


def test_what_was_held_back_comes_with_the_end() -> None:
    told = telling("xyz")
    told.tell(outcome(b"ax"))
    assert told.take()[0].text == "a"
    told.tell(outcome(b"y", reason=FinishReason.LENGTH))
    assert told.take()[0].text == "xy"


def test_a_failure_keeps_its_words() -> None:
    told = telling()
    failure = Failure("generation_failed", "It failed.", "Change it.")
    told.tell(Outcome(sequence_id="1", finish_reason=FinishReason.ERROR, failure=failure))
    (event,) = told.take()
    assert (event.error_code, event.error, event.hint) == ("generation_failed", "It failed.", "Change it.")


def test_a_refusal_is_an_event_of_its_own() -> None:
    told = telling()
    told.refuse("2", Overloaded("Full.", hint="Wait."))
    (event,) = told.take()
    assert (event.id, event.finish_reason, event.error_code) == ("2", FinishReason.ERROR, "overloaded")


def test_when_one_call_is_allowed_the_answer_is_over_with_it() -> None:
    """What a model writes behind it costs time and would be told to nobody."""
    told = Telling(ToyTokenizer())
    messages = (Message(role="user", content="Well?"),)
    choice = ToolChoice(parallel=False)
    told.begin(
        GenerateRequest(
            id="1", messages=messages, sampling=Sampling(), tools=(Tool(name="clock"),), tool_choice=choice
        ),
        b"prompt",
    )
    assert not told.tell(outcome(b'<tool_call>{"name": "clock", "arguments": {}'))
    assert told.tell(outcome(b'}<tool_call>{"name": "clock"'))
    told.tell(Outcome(sequence_id="1", finish_reason=FinishReason.STOP, usage=Usage(completion_tokens=60)))
    (event,) = told.take()
    assert "".join(call.name for call in event.tool_calls) == "clock"
    assert "".join(call.arguments for call in event.tool_calls) == "{}"
    assert event.finish_reason is FinishReason.TOOL_CALLS
    assert event.text == ""
    assert event.usage == Usage(completion_tokens=len('<tool_call>{"name": "clock", "arguments": {}}'))


def test_a_thought_is_counted_token_by_token_however_its_events_collect() -> None:
    """Thought, answer and end in one event: how many were thought must not hang on how quickly somebody reads."""
    for pieces in ([b"<think>", b"well", b"</think>", b"yes"], [b"<think>well</think>yes"]):
        told = Telling(ToyTokenizer())
        messages = (Message(role="user", content="Well?"),)
        told.begin(GenerateRequest(id="1", messages=messages, sampling=Sampling()), b"prompt")
        for piece in pieces:
            told.tell(outcome(piece))
        told.tell(outcome(b"!", reason=FinishReason.STOP, end=True))
        (event,) = told.take()
        assert (event.reasoning, event.text) == ("well", "yes!")
        assert event.usage is not None
        # The `<think` that is held back until its last character is not known to be a thought's.
        assert event.usage.reasoning_tokens == len(">well</think>")
