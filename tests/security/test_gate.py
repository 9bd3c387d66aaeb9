"""From what a request shows to who asks: nothing tells how near a guess was, and what was taken back opens nothing."""

import ast
import inspect
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from paddock.db.engine import Database
from paddock.errors import KeyExpired, KeyMissing, KeyRevoked, ModelNotAllowed, OutOfScope, OverLimit, UsageError
from paddock.security import api_keys, gate
from paddock.security.api_keys import ApiKeys, KeyTerms
from paddock.security.callers import ADMIN, ALL, ANYONE, LAUNCHED, LOCAL, Scope
from paddock.security.gate import Gate
from tests.library.rooms import Clock

MASTER = "correct-horse-battery-staple"


def gate_of(database: Database, clock: Clock, **more: Any) -> Gate:
    return Gate(database=database, clock=clock, now=clock.now, **more)


def keys_of(database: Database, clock: Clock, *gates: Gate) -> ApiKeys:
    return ApiKeys(database=database, now=clock.now, changed=lambda: [each.reread() for each in gates] and None)


async def test_the_fixed_keys_are_told_apart(database: Database, clock: Clock) -> None:
    room = gate_of(
        database,
        clock,
        admin_key=SecretStr(MASTER),
        local_token=SecretStr("local"),
        launch_token=SecretStr("launch"),
    )
    assert [await room.caller(key, None) for key in (MASTER, "local", "launch")] == [ADMIN, LOCAL, LAUNCHED]
    with pytest.raises(KeyMissing):
        await room.caller(None, None)
    assert MASTER not in repr(vars(room))


async def test_a_server_that_others_reach_wants_a_key_also_when_none_is_left(database: Database, clock: Clock) -> None:
    with pytest.raises(KeyMissing):
        await gate_of(database, clock, exposed=True).caller(None, None)
    assert await gate_of(database, clock).caller("none", None) == ANYONE


async def test_a_key_is_kept_as_a_hash_and_opens_what_its_terms_say(database: Database, clock: Clock) -> None:
    room = gate_of(database, clock)
    keys = keys_of(database, clock, room)
    made = await keys.add("ci", KeyTerms(scopes=frozenset({Scope.CHAT}), models=("qwen*", "pony")))
    async with database.session() as session:
        rows = (await session.execute(text("SELECT * FROM api_keys"))).all()
    assert made.secret.rpartition("_")[2] not in repr(rows) + repr(made)
    caller = await room.caller(made.secret, None)
    assert caller.id == f"key:{made.key.id}"
    caller.check_scope(Scope.CHAT)
    with pytest.raises(OutOfScope):
        caller.check_scope(Scope.ADMIN)
    caller.check_model("qwen3-8b")
    with pytest.raises(ModelNotAllowed):
        caller.check_model("gemma3", "google/gemma-3")
    for wrong in (made.secret[:-1], made.secret + "x", made.secret[:-1] + "\N{SNOWMAN}", made.secret.upper()):
        with pytest.raises(KeyMissing):
            await room.caller(wrong, None)


async def test_expired_revoked_and_rotated_keys_open_nothing(database: Database, clock: Clock) -> None:
    room = gate_of(database, clock)
    keys = keys_of(database, clock, room)
    made = await keys.add("ci", KeyTerms(scopes=ALL, expires_at=clock.now() + timedelta(hours=1)))
    turned = await keys.rotate("ci", grace=timedelta(minutes=10))
    for secret in (made.secret, turned.secret):
        assert (await room.caller(secret, None)).name == "ci"
    clock.advance(601)
    with pytest.raises(KeyMissing):
        await room.caller(made.secret, None)
    assert (await room.caller(turned.secret, None)).name == "ci"
    clock.advance(3600)
    with pytest.raises(KeyExpired):
        await room.caller(turned.secret, None)
    await keys.edit("ci", KeyTerms(scopes=ALL))
    assert (await room.caller(turned.secret, None)).name == "ci"
    await keys.revoke("ci")
    with pytest.raises(KeyRevoked):
        await room.caller(turned.secret, None)
    with pytest.raises(UsageError):
        await keys.rotate("ci")
    with pytest.raises(KeyMissing):
        await room.caller("x" * 40, None)


async def test_what_another_server_takes_back_opens_nothing_seconds_later(database: Database, clock: Clock) -> None:
    """Two servers on one database: the one that was not asked has to notice by itself."""
    room = gate_of(database, clock)
    assert await room.caller(None, None) == ANYONE
    elsewhere = keys_of(database, clock)
    made = await elsewhere.add("ci", KeyTerms())
    assert (await room.caller(made.secret, None)).name == "ci"
    await elsewhere.revoke("ci")
    clock.advance(gate.TRUSTED_S + 0.1)
    with pytest.raises(KeyRevoked):
        await room.caller(made.secret, None)
    with pytest.raises(KeyMissing):
        await room.caller(None, None)


async def test_requests_a_minute_come_back_steadily(database: Database, clock: Clock) -> None:
    room = gate_of(database, clock)
    made = await keys_of(database, clock, room).add("ci", KeyTerms(requests_per_minute=6))
    caller = await room.caller(made.secret, None)
    for _ in range(6):
        await room.admit(caller)
    with pytest.raises(OverLimit) as caught:
        await room.admit(caller)
    assert caught.value.retry_after_s == pytest.approx(10.0)
    clock.advance(10.0)
    await room.admit(caller)
    with pytest.raises(OverLimit):
        await room.admit(caller)


async def test_tokens_of_a_day_survive_a_restart_and_end_at_midnight(database: Database, clock: Clock) -> None:
    room = gate_of(database, clock)
    keys = keys_of(database, clock, room)
    made = await keys.add("ci", KeyTerms(tokens_per_day=100))
    caller = await room.caller(made.secret, None)
    await room.admit(caller)
    room.limits.took(made.key.id, 60)
    await room.write_use()
    (key,) = await keys.list()
    assert (key.tokens_today, key.last_used_at) == (60, clock.now())
    room = gate_of(database, clock)  # the next server
    caller = await room.caller(made.secret, None)
    await room.admit(caller)
    room.limits.took(made.key.id, 40)
    with pytest.raises(OverLimit) as caught:
        await room.admit(caller)
    assert caught.value.retry_after_s == pytest.approx(12 * 3600, abs=60), "it is noon"
    await room.write_use()
    assert (await keys.list())[0].tokens_today == 100
    clock.advance(12 * 3600)
    await room.admit(caller)
    assert (await keys.list())[0].tokens_today == 0


@pytest.mark.parametrize("module", [api_keys, gate])
def test_digests_are_compared_in_constant_time(module: Any) -> None:
    """`==` on them would tell by its time how much of a guess was right; so no comparison names one."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Compare):
            compared = ast.unparse(node)
            assert "digest" not in compared.replace("SessionRow.digest == digest", ""), compared
