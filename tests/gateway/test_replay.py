"""Yesterday's requests under other rules: who would move is told, what a row does not say is not guessed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from paddock.audit.record import AuditRow
from paddock.errors import UsageError
from paddock.gateway.candidates import Candidate
from paddock.gateway.replay import NEEDS, Answerer, Fate, Outcome, asks_model, needs_possible, outcome_of
from paddock.gateway.rule_book import drafted
from paddock.gateway.rules import Rule

from .building import model, routed, rule

SMALL, LARGE = model("small", context=4096), model("large", context=32768)
CLOUD = model("gpt-5", context=128_000, provider="cloud")


def row(**more: Any) -> AuditRow:
    values: dict[str, Any] = {
        "seq": 1,
        "at": datetime(2026, 11, 27, tzinfo=UTC),
        "request_id": "r",
        "caller": "local",
        "dialect": "openai",
        "method": "POST",
        "endpoint": "/v1/chat/completions",
        "asked_model": "gpt-5",
        "model": "gpt-5",
        "provider": "cloud",
        "route": "exact",
        "rule": "",
        "attempts": 1,
        "status": 200,
        "error_code": "",
        "duration_us": 1,
        "first_token_us": 1,
        "prompt_tokens": 100,
        "cached_tokens": 0,
        "completion_tokens": 10,
        "cost_nanos": None,
        "bytes_in": 1,
        "bytes_out": 1,
        "prompt": None,
        **more,
    }
    return AuditRow(**values)


def outcome(one: AuditRow, *here: Candidate, rules: tuple[Rule, ...] = ()) -> Outcome:
    """Of one row, when nothing is known of who answered it."""
    return outcome_of(one, {needs: routed(one.asked_model, *here, rules=rules, needs=needs) for needs in NEEDS})


def test_a_request_stays_moves_or_leads_nowhere() -> None:
    assert outcome(row(), CLOUD).fate is Fate.SAME
    moved = outcome(row(), CLOUD, LARGE, rules=(rule("home", "exact", "gpt-5", "/large"),))
    assert (moved.fate, moved.after, moved.route) == (
        Fate.MOVED,
        Answerer(provider="local", model="large"),
        "rule:home",
    )
    nowhere = outcome(row(), LARGE)
    assert nowhere.fate is Fate.NOBODY
    assert "`gpt-5`" in nowhere.reason


@pytest.mark.parametrize(
    ("tokens", "verdict", "model"),
    [
        (1000, Fate.MOVED, "small"),
        (20_000, Fate.MOVED, "large"),
        (4000, Fate.UNDECIDED, ""),
        (0, "undecided", ""),
    ],
)
def test_a_length_decides_only_where_it_is_clear(tokens: int, verdict: str, model: str) -> None:
    """Another model counts the same text differently; and what failed was never counted."""
    chain = (rule("home", "exact", "gpt-5", "/small", "/large"),)
    found = outcome(row(prompt_tokens=tokens), CLOUD, SMALL, LARGE, rules=chain)
    assert found.fate == verdict
    assert (found.after.model if found.after else "") == model
    alone = outcome(row(prompt_tokens=tokens), CLOUD, SMALL, rules=(rule("home", "exact", "gpt-5", "/small"),))
    assert alone.after == Answerer(provider="local", model="small"), "nobody else could take it"


def test_what_a_row_does_not_tell_is_undecided() -> None:
    """Pictures and tools are not written down, and may lead elsewhere."""
    plain, seeing = model("plain", "llama", can="tools"), model("seeing", "llama", can="vision tools", context=16384)
    asked = row(asked_model="auto", model="plain", provider="local", route="profile:general")
    found = outcome(asked, plain, seeing)
    assert found.fate is Fate.UNDECIDED
    assert "pictures or tools" in found.reason
    possible = needs_possible(asked, lambda seat: ("text", "tools"))
    assert possible == ((), ("tools",)), "the one that answered sees no pictures"
    routes = {needs: routed("auto", plain, seeing, needs=needs) for needs in possible}
    assert outcome_of(asked, routes).fate is Fate.SAME


def test_an_answer_after_others_had_failed_is_no_sign_of_where_it_leads() -> None:
    chain = (rule("home", "exact", "gpt-5", "/large", "cloud/gpt-5"),)
    assert outcome(row(attempts=2), CLOUD, LARGE, rules=chain).fate is Fate.UNDECIDED
    assert outcome(row(), CLOUD, LARGE, rules=chain).fate is Fate.MOVED


def test_only_requests_that_asked_a_model_count() -> None:
    assert asks_model(row())
    assert not asks_model(row(endpoint="/admin/routes/{name}", asked_model=""))
    assert not asks_model(row(asked_model="", status=401))


def test_drafts_are_checked_as_an_import_would() -> None:
    with pytest.raises(UsageError):
        drafted([rule("a", "regex", "(")])
    with pytest.raises(UsageError):
        drafted([rule("a", "exact", "x"), rule("a", "exact", "y")])
