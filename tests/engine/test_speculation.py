"""Guesses: where they come from, how many, and when they stop."""

from paddock.engine.limits import Limits
from paddock.engine.speculation import DraftWish, FirstThen, NgramDrafter, Speculation
from tests.engine.simulated import a_sequence

LIMITS = Limits(vocabulary=100, context_window=64, draft_tokens_max=4, draft_step_tokens_max=12)


class Sevens:
    """Guesses 7, and a token that does not exist where it is asked for three or more."""

    def __init__(self) -> None:
        self.wished: list[tuple[str, int]] = []
        self.forgotten: list[str] = []

    def propose(self, wishes: list[DraftWish]) -> list[tuple[int, ...]]:
        self.wished = [(wish.sequence_id, wish.count) for wish in wishes]
        return [(7, 7, 100, 7, 7)[: wish.count + 1] for wish in wishes]

    def forget(self, sequence_id: str) -> None:
        self.forgotten.append(sequence_id)


def test_what_followed_the_same_words_before_is_guessed_again() -> None:
    """Answers quote their prompts: code to be edited, texts to be summarised."""
    drafter = NgramDrafter()
    assert drafter.propose([DraftWish("a", [1, 2, 3, 4, 5, 6, 1, 2, 3], 3)]) == [(4, 5, 6)]


def test_the_longest_and_the_latest_occurrence_is_followed() -> None:
    """More words in common are a better reason; the newer is the likelier."""
    drafter = NgramDrafter()
    assert drafter.propose([DraftWish("a", [1, 2, 3, 40, 9, 2, 3, 50, 1, 2, 3], 1)]) == [(40,)]
    assert drafter.propose([DraftWish("b", [2, 3, 40, 2, 3, 50, 2, 3], 1)]) == [(50,)]


def test_a_loop_is_guessed_on_past_its_end() -> None:
    """ "a b a b" goes on with "a b a b"."""
    assert NgramDrafter().propose([DraftWish("a", [5, 6, 5, 6, 5], 5)]) == [(6, 5, 6, 5, 6)]


def test_without_a_precedent_nothing_is_guessed() -> None:
    """A wild guess costs a row."""
    drafter = NgramDrafter()
    assert drafter.propose([DraftWish("a", [1, 2, 3, 4], 3), DraftWish("b", [1], 3)]) == [(), ()]


def test_new_tokens_are_learnt_as_they_come_and_forgotten_with_their_sequence() -> None:
    """The index grows with the text; it is not built anew at every step."""
    drafter = NgramDrafter()
    tokens = [1, 2, 3, 4]
    assert drafter.propose([DraftWish("a", tokens, 2)]) == [()]
    tokens += [1, 2]
    assert drafter.propose([DraftWish("a", tokens, 2)]) == [(3, 4)]
    drafter.forget("a")
    drafter.forget("unknown")
    assert drafter.propose([DraftWish("a", [1, 2], 2)]) == [()]


def test_of_two_guessers_the_first_is_followed_once_it_has_been_right() -> None:
    """A text quotes its prompt here and says something new there; each has a guesser that is good at it."""
    sevens = Sevens()
    both = FirstThen(NgramDrafter(), sevens)
    story = [*range(10, 40)]
    tokens = [*story, *story[:2]]
    followed: list[bool] = []
    for new in story[2:12]:
        wishes = [DraftWish("a", tokens, 2), DraftWish("b", [1, 2, 3], 2)]
        followed.append(both.propose(wishes)[0] == (new, new + 1))
        assert sevens.wished[-1] == ("b", 2)
        tokens.append(new)
    assert followed == [False] * 5 + [True] * 5
    assert len(sevens.wished) == 1
    both.forget("b")
    assert sevens.forgotten == ["b"]


def test_a_first_guesser_that_is_wrong_is_passed_over() -> None:
    """Two words in common are a weak reason; a draft model that would be right must not wait behind it."""
    both = FirstThen(NgramDrafter(), Sevens())
    tokens = [*range(10, 40), *range(10, 20)]
    for new in range(20, 30):
        guess = both.propose([DraftWish("a", tokens, 1)])
        tokens.append(new)
    assert guess == [(29,)]
    tokens += [12, 13]
    assert both.propose([DraftWish("a", tokens, 1)]) == [(14,)]
    for new in (50, 51):
        tokens += [new, 12, 13]
        guess = both.propose([DraftWish("a", tokens, 1)])
    assert guess == [(7, 7)]


def test_guesses_share_the_room_of_a_step_and_end_where_the_answer_ends() -> None:
    """Many rows leave little room for guesses; the last token needs none."""
    drafter = Sevens()
    speculation = Speculation(drafter, LIMITS)
    rows = [a_sequence(name, [1], LIMITS, max_tokens=most) for name, most in (("a", 9), ("b", 3), ("c", 1))]
    speculation.guesses(rows[:1], 64)
    assert drafter.wished == [("a", 4)]
    speculation.guesses(rows, 64)
    assert drafter.wished == [("a", 3), ("b", 2)]
    speculation.guesses(rows[:1], 4)
    assert drafter.wished == [("a", 2)]
    many = [a_sequence(str(number), [1], LIMITS) for number in range(12)]
    assert speculation.guesses(many, 64) == {}


def test_a_guess_that_is_no_token_of_the_model_ends_the_guesses() -> None:
    """A draft model may know more tokens; they must not reach the device."""
    sequence = a_sequence("a", [1], LIMITS, max_tokens=9)
    assert Speculation(Sevens(), LIMITS).guesses([sequence], 64) == {"a": (7, 7)}


def test_poor_guesses_stop_and_are_tried_again_later() -> None:
    """A text may begin to repeat itself; until then a row does without."""
    drafter = Sevens()
    speculation = Speculation(drafter, LIMITS)
    sequence = a_sequence("a", [1], LIMITS, max_tokens=None)
    rows = 0
    while speculation.guesses([sequence], 64):
        speculation.learn(sequence, 4, 0)
        rows += 1
    assert 3 <= rows <= 10
    assert (sequence.drafted, sequence.accepted) == (4 * rows, 0)
    sequence.tokens += [1] * 64
    speculation.guesses([sequence], 1000)
    assert drafter.wished == [("a", 2)]


def test_good_guesses_go_on_at_full_length() -> None:
    """And the counts tell how good they are."""
    drafter = Sevens()
    speculation = Speculation(drafter, LIMITS)
    sequence = a_sequence("a", [1], LIMITS, max_tokens=None)
    for _ in range(50):
        speculation.guesses([sequence], 64)
        speculation.learn(sequence, 4, 4)
    assert drafter.wished == [("a", 4)]
    assert (sequence.drafted, sequence.accepted) == (200, 200)


def test_without_a_drafter_nothing_is_guessed() -> None:
    """Off is off."""
    assert Speculation(None, LIMITS).guesses([a_sequence("a", [1], LIMITS)], 64) == {}
