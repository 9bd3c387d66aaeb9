"""People sign in, and nothing of what they typed is kept as they typed it."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from paddock.db.engine import Database
from paddock.errors import KeyMissing, NotFound, SignInFailed, TooManyAttempts, UsageError
from paddock.security.callers import ALL, SPEAKING, Scope
from paddock.security.gate import Gate
from paddock.security.users import Users
from tests.library.rooms import Clock

PASSWORD = SecretStr("analytical engine")


@pytest.fixture
def gate(database: Database, clock: Clock) -> Gate:
    return Gate(database=database, clock=clock, now=clock.now)


@pytest.fixture
def users(database: Database, clock: Clock, gate: Gate) -> Users:
    return Users(database=database, clock=clock, now=clock.now, session=timedelta(hours=12), changed=gate.reread)


async def test_a_person_signs_in_until_the_session_ends(
    users: Users, gate: Gate, clock: Clock, database: Database
) -> None:
    await users.add("Ada", PASSWORD, frozenset({Scope.ADMIN}))
    signed = await users.sign_in("ADA", PASSWORD, address="::1")
    caller = await gate.caller(None, signed.token)
    assert (caller.id, caller.scopes) == (f"user:{signed.user.id}", {Scope.ADMIN})
    async with database.session() as session:
        rows = [(await session.execute(text(f"SELECT * FROM {table}"))).all() for table in ("users", "sessions")]
    assert PASSWORD.get_secret_value() not in repr(rows)
    assert signed.token not in repr(rows) + repr(signed)
    clock.advance(12 * 3600)
    with pytest.raises(KeyMissing, match="wants a key"):
        await gate.caller(None, signed.token)


async def test_whatever_ends_a_persons_rights_ends_their_sessions(users: Users, gate: Gate) -> None:
    await users.add("ada", PASSWORD, ALL)
    other = SecretStr("difference engine")

    async def session() -> str:
        return (await users.sign_in("ada", PASSWORD, address="::1")).token

    async def is_in(token: str) -> bool:
        try:
            return (await gate.caller(None, token)).session is not None
        except KeyMissing:
            return False

    token = await session()
    assert await is_in(token)
    await users.edit("ada", scopes=SPEAKING)
    assert (await gate.caller(None, token)).scopes == SPEAKING, "fewer rights hold at once"
    await users.edit("ada", disabled=True)
    assert not await is_in(token)
    with pytest.raises(SignInFailed):
        await session()
    await users.edit("ada", disabled=False)
    assert not await is_in(token), "being let in again does not bring old sessions back"
    token = await session()
    await users.edit("ada", password=other)
    assert not await is_in(token)
    with pytest.raises(SignInFailed):
        await session()
    await users.edit("ada", password=PASSWORD)
    token = await session()
    await users.remove("ada")
    assert not await is_in(token)
    for attempt in (users.remove("ada"), users.edit("ada", disabled=True)):
        with pytest.raises(NotFound):
            await attempt


async def test_unknown_people_and_wrong_passwords_look_the_same_and_are_throttled(users: Users, clock: Clock) -> None:
    """Otherwise one could ask which users there are."""
    await users.add("ada", PASSWORD, ALL)
    messages: set[str] = set()
    for name in ("ada", "nobody"):
        for _ in range(5):
            with pytest.raises(SignInFailed) as caught:
                await users.sign_in(name, SecretStr("x"), address="10.0.0.1")
            messages.add(f"{caught.value.message} {caught.value.hint}")
        with pytest.raises(TooManyAttempts):
            await users.sign_in(name, PASSWORD, address="10.0.0.1")
    assert len(messages) == 1
    assert (await users.sign_in("ada", PASSWORD, address="10.0.0.2")).user.name == "ada", "from elsewhere she gets in"
    clock.advance(1.0)
    assert (await users.sign_in("ada", PASSWORD, address="10.0.0.1")).user.name == "ada"


async def test_what_cannot_be_a_user_is_refused(users: Users) -> None:
    await users.add("ada", PASSWORD, ALL)
    for name, password in (
        ("Ada", PASSWORD),
        ("", PASSWORD),
        ("a b", PASSWORD),
        ("x" * 65, PASSWORD),
        ("bob", SecretStr("short")),
    ):
        with pytest.raises(UsageError) as caught:
            await users.add(name, password, ALL)
        assert "short" not in str(caught.value)
    assert [user.name for user in await users.list()] == ["ada"]
