"""Answers that are held to a form are in that form, and everything else about them is as without it."""

import json
import os
import re
from collections.abc import Sequence

import pytest

from paddock.engine.speculation import DraftWish
from paddock.errors import UsageError
from paddock.vocabulary import FinishReason, FormatKind, OutputFormat, Priority, Sampling
from tests.exactness.driving import Answer, Driver
from tests.runner.mlx.held import Pony, Schemas, is_valid, schema_form

SCHEMAS = 200 if os.environ.get("PADDOCK_SOAK") else 60
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
TREE = {
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {
                "leaf": {"type": "boolean"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2},
            },
            "required": ["leaf", "children"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/tree",
}
ASKED = "Give me JSON with name and age: Ada is 36."
FORMS: Sequence[OutputFormat | None] = (
    schema_form(PERSON),
    OutputFormat(kind=FormatKind.JSON_OBJECT),
    OutputFormat(kind=FormatKind.REGEX, pattern=r"[A-Z][a-z]{2,6}/\d{2,5}"),
    None,
    OutputFormat(kind=FormatKind.CHOICE, choices=("yes, of course", 'no "never"', "né/漢")),
    OutputFormat(kind=FormatKind.GRAMMAR, pattern='start: "sum: " NUMBER ("+" NUMBER){1,3}\nNUMBER: /[0-9]{1,3}/'),
    OutputFormat(kind=FormatKind.GRAMMAR, pattern='root ::= "it is " ("hot" | "cold") [!.]'),
    None,
)


@pytest.fixture(scope="module")
def pony() -> Pony:
    return Pony()


def answers(pony: Pony, *, together: bool = True, temperature: float = 0.9, **how: object) -> list[Answer]:
    """To every form, at once or one after the other."""
    driver = Driver(pony.executor, **how)  # type: ignore[arg-type]
    given: list[Answer] = []
    for number, form in enumerate(FORMS):
        sampling = Sampling(temperature=temperature, seed=number, max_tokens=40)
        guide = pony.guide(form) if form is not None else None
        name = driver.submit(pony.prompt(ASKED), sampling, constraint=guide)
        given.append(driver.answers[name])
        if not together:
            driver.finish()
    driver.finish()
    return given


def test_random_schemas_are_kept_to(pony: Pony) -> None:
    """The promise of structured output. Hot and random, so that what the model would like to say does not help."""
    schemas = Schemas(seed=8)
    driver = Driver(pony.executor, batch_max=16)
    asked = []
    for number in range(SCHEMAS):
        schema = schemas.make()
        sampling = Sampling(temperature=1.3, seed=number, max_tokens=150)
        prompt = pony.prompt(f"Give me JSON of {number}.")
        asked.append((schema, driver.submit(prompt, sampling, constraint=pony.guide(schema_form(schema)))))
    driver.finish()
    ended = 0
    for schema, name in asked:
        answer = driver.answers[name]
        assert answer.error is None, (schema, answer.error)
        if answer.ended is FinishReason.STOP:
            ended += 1
            assert is_valid(schema, pony.text(answer.tokens)), (schema, pony.text(answer.tokens))
    assert ended >= 0.95 * SCHEMAS  # the others are long, and ended by `max_tokens` as anybody's


class Parrot:
    """Guesses what it heard the first time, and nonsense every third token: some guesses break the grammar."""

    def __init__(self, known: Sequence[tuple[Sequence[int], Sequence[int]]]) -> None:
        self._known = known

    def propose(self, wishes: Sequence[DraftWish]) -> list[tuple[int, ...]]:
        return [self._guess(wish) for wish in wishes]

    def forget(self, sequence_id: str) -> None: ...

    def _guess(self, wish: DraftWish) -> tuple[int, ...]:
        number = int(wish.sequence_id.removeprefix("request-"))
        prompt, output = self._known[number]
        at = len(wish.tokens) - len(prompt)
        guess = [*output[at : at + wish.count]]
        return tuple(4 if (at + offset) % 3 == 2 else token for offset, token in enumerate(guess))


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_what_holds_an_answer_changes_nothing_but_the_answer(pony: Pony, temperature: float) -> None:
    """Alone, in a batch, with guesses right and wrong, after preemption: the same tokens, and free neighbours are as free."""
    alone = [answer.tokens for answer in answers(pony, together=False, temperature=temperature)]
    assert [answer.tokens for answer in answers(pony, temperature=temperature)] == alone
    prompt = pony.prompt(ASKED)
    guessed = answers(pony, temperature=temperature, drafter=Parrot([(prompt, tokens) for tokens in alone]))
    assert [answer.tokens for answer in guessed] == alone
    assert sum(answer.accepted_tokens for answer in guessed) > 40
    crowded = Driver(pony.executor, batch_max=len(FORMS))
    names = []
    for number, form in enumerate(FORMS):
        sampling = Sampling(temperature=temperature, seed=number, max_tokens=40)
        guide = pony.guide(form) if form is not None else None
        names.append(crowded.submit(prompt, sampling, constraint=guide, priority=Priority.LOW))
    for _ in range(6):
        crowded.step()
    for _ in FORMS:
        crowded.submit(prompt, Sampling(temperature=0.0, max_tokens=2), priority=Priority.HIGH)
    crowded.finish()
    assert crowded.scheduler.stats().preemptions > 3
    assert [crowded.answers[name].tokens for name in names] == alone
    texts = [pony.text(tokens) for tokens in alone]
    assert is_valid(PERSON, texts[0])
    assert re.fullmatch(r"[A-Z][a-z]{2,6}/\d{2,5}", texts[2])
    assert texts[4] in FORMS[4].choices  # type: ignore[union-attr]
    assert re.fullmatch(r"sum: \d{1,3}(\+\d{1,3}){1,3}", texts[5])
    assert re.fullmatch(r"it is (hot|cold)[!.]", texts[6])


def test_the_solo_lane_holds_answers_as_the_paged_one_does(pony: Pony) -> None:
    """Models whose cache cannot be paged are held to forms too."""
    solo = Pony(paged=False)
    assert [answer.tokens for answer in answers(solo, temperature=0.0)] == [
        answer.tokens for answer in answers(pony, temperature=0.0)
    ]


def test_a_form_that_allows_everything_changes_nothing(pony: Pony) -> None:
    """A mask takes tokens away and moves no number."""
    anything = OutputFormat(kind=FormatKind.REGEX, pattern="(?s:.*)")
    for text in (ASKED, "Hello!", "Tell me a story about a horse."):
        greedy = Sampling(temperature=0.0, max_tokens=60)
        driver = Driver(pony.executor)
        free = driver.submit(pony.prompt(text), greedy)
        held = driver.submit(pony.prompt(text), greedy, constraint=pony.guide(anything))
        driver.finish()
        assert driver.answers[held].tokens == driver.answers[free].tokens


def test_every_way_to_choose_tokens_is_held(pony: Pony) -> None:
    """Greedy, plain and filtered rows are worked out apart: a mask must reach all three, and penalties must not lift it."""
    ways = (
        Sampling(temperature=0.0, repetition_penalty=1.3),
        Sampling(temperature=5.0, seed=1),
        Sampling(temperature=2.0, seed=2, top_k=3),
        Sampling(temperature=2.0, seed=3, top_p=0.9, presence_penalty=1.5),
        Sampling(temperature=2.0, seed=4, min_p=0.2, logit_bias={4: 100.0}),
    )
    driver = Driver(pony.executor)
    names = [driver.submit(pony.prompt(ASKED), way, constraint=pony.guide(schema_form(PERSON))) for way in ways]
    driver.finish()
    for name in names:
        assert is_valid(PERSON, pony.text(driver.answers[name].tokens))


def test_a_recursive_schema_is_kept_to(pony: Pony) -> None:
    """References to itself are how trees are described."""
    driver = Driver(pony.executor)
    names = [
        driver.submit(
            pony.prompt(ASKED),
            Sampling(temperature=1.0, seed=seed, max_tokens=80),
            constraint=pony.guide(schema_form(TREE)),
        )
        for seed in range(6)
    ]
    driver.finish()
    ended = [driver.answers[name] for name in names if driver.answers[name].ended is FinishReason.STOP]
    assert ended
    for answer in ended:
        assert is_valid(TREE, pony.text(answer.tokens))


def test_an_answer_may_end_where_its_form_is_whole_and_nowhere_else(pony: Pony) -> None:
    """An end token is as much a part of the form as any other."""
    guide, ends = pony.guide(OutputFormat(kind=FormatKind.REGEX, pattern="ab|abc")), pony.executor.model.end_token_ids
    may_end = []
    for letter in "abc":
        guide.take(pony.tokenizer.encode(letter))
        (mask,) = guide.masks(())
        may_end.append({bool(mask[end // 8] >> (end % 8) & 1) for end in ends})
    assert may_end == [{False}, {True}, {True}]


NESTED: dict[str, object] = {"type": "string"}
for _ in range(60):
    NESTED = {"type": "object", "properties": {"in": NESTED}}


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (
            schema_form({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "text"}}}}),
            "properties.a.items",
        ),
        (
            schema_form(
                {
                    "type": "object",
                    "properties": {"a": {"allOf": [{"type": "string"}, {"type": "null"}]}},
                    "required": ["a"],
                }
            ),
            "properties.a",
        ),
        (schema_form({"properties": {"b": {"type": "array", "uniqueItems": True}}, "required": ["b"]}), "uniqueItems"),
        (schema_form({"$ref": "https://example.com/schema.json"}), "The schema"),
        (schema_form({"enum": [f"choice {number}" for number in range(70_000)]}), "524288"),
        (schema_form(NESTED), "48"),  # type: ignore[arg-type]
        (OutputFormat(kind=FormatKind.JSON_SCHEMA, schema=False), "The schema"),
        (OutputFormat(kind=FormatKind.REGEX, pattern="(?=a)b"), "regular expression"),
        (OutputFormat(kind=FormatKind.GRAMMAR, pattern="start: nothing"), "nothing"),
        (OutputFormat(kind=FormatKind.GRAMMAR, pattern='root ::= "a" ['), "The grammar"),
        (OutputFormat(kind=FormatKind.GRAMMAR, pattern="root ::= " + "(" * 50_000), "The grammar"),
        (OutputFormat(kind=FormatKind.CHOICE, choices=("a", "")), "choice"),
    ],
)
def test_what_cannot_be_held_to_is_refused_before_a_token_and_named(pony: Pony, form: OutputFormat, words: str) -> None:
    """A schema that nothing satisfies, or that takes minutes, is the caller's to change; the message says which part."""
    with pytest.raises(UsageError) as caught:
        pony.guide(form)
    assert words in caught.value.message
    assert len(caught.value.message) < 600


@pytest.mark.parametrize(
    "pattern",
    [
        "((((((a{1,99}b?){1,99}c?){1,99}d?){1,99}e?){1,99}f?){1,99}g?){1,99}",
        "(((a{1,200}){1,200}){1,200}b?){50,90}c",
        "(x+x+)+y(\\w+\\s*)*z",
        "(a|b)*a(a|b){400}c",
        f"(?i)({'|'.join(f'w{number}x.*{number}' for number in range(3000))})",
    ],
)
def test_regular_expressions_that_explode_hold_up_nobody(pony: Pony, pattern: str) -> None:
    """Made to take forever elsewhere. Here each is held to, or its own answer ends with an error; a neighbour has its own."""
    driver = Driver(pony.executor)
    guide = pony.guide(OutputFormat(kind=FormatKind.REGEX, pattern=pattern))
    exploding = driver.submit(pony.prompt(ASKED), Sampling(temperature=1.5, seed=4, max_tokens=40), constraint=guide)
    free = driver.submit(pony.prompt(ASKED), Sampling(temperature=0.0, max_tokens=40))
    driver.finish()
    assert json.loads(pony.text(driver.answers[free].tokens)) == {"name": "Ada", "age": 36}
    answer = driver.answers[exploding]
    if answer.ended is FinishReason.STOP:
        assert re.fullmatch(pattern, pony.text(answer.tokens))


def test_what_becomes_too_complex_on_the_way_ends_its_own_answer_only(pony: Pony) -> None:
    """Some grammars explode only after some text: that row gets an error that says so."""
    guide = pony.guide(
        OutputFormat(
            kind=FormatKind.REGEX, pattern="((((((a{1,99}b?){1,99}c?){1,99}d?){1,99}e?){1,99}f?){1,99}g?){1,99}"
        )
    )
    driver = Driver(pony.executor)
    letters = dict.fromkeys(pony.tokenizer.encode("ab"), 100.0)
    sampling = Sampling(temperature=0.0, max_tokens=60, logit_bias=letters, frequency_penalty=2.0)
    exploding = driver.submit(pony.prompt(ASKED), sampling, constraint=guide)
    driver.finish()
    assert "too complex" in (driver.answers[exploding].error or "")
