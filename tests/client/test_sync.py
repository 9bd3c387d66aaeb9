"""The twin without `await`: every method of `Paddock`, its errors, its streams, and Ctrl-C."""

import inspect

import pytest

import paddock
from paddock.client.blocking import Calls, Iterates
from paddock.client.paddock import Paddock, Session
from paddock.client.sync import SyncPaddock, SyncSession, open_sync
from paddock.errors import ModelNotFound
from tests.client.serving import RunningServer
from tests.library.rooms import Events, Site


def test_the_twin_lacks_no_method() -> None:
    """Whoever adds one to `Paddock` or `Session` adds its line to the twin."""
    for original, twin in ((Paddock, SyncPaddock), (Session, SyncSession)):
        for name, method in inspect.getmembers(original, inspect.isfunction):
            if not name.startswith("_") and name != "session":
                kind = Iterates if inspect.isasyncgenfunction(method) else Calls
                assert isinstance(inspect.getattr_static(twin, name), kind), name


def test_a_plain_program_pulls_loads_asks_and_converses(site: Site, server: RunningServer) -> None:
    """The whole of it without a loop, through the server of this home."""
    with open_sync(config=site.config) as models:
        assert models.url == server.url
        events = Events()
        assert models.pull("org/tiny", on_progress=events).name == "org/tiny"
        assert events.last.percentage == 100
        assert models.load("pony").model_id == "pony"
        assert len(models.embed("A horse", model="pony-embed").vectors[0]) == 256
        answer = models.chat("What is 3 plus 4?", model="pony", temperature=0, max_tokens=12)
        pieces = list(models.stream("What is 3 plus 4?", model="pony", temperature=0, max_tokens=12))
        assert "".join(piece.text for piece in pieces) == answer.text
        session = models.session("pony", temperature=0, max_tokens=8)
        first = session.say("Hello")
        assert [message.content for message in session.messages] == ["Hello", first.text]
        assert "".join(piece.text for piece in session.stream("And now?"))
        assert len(session.messages) == 4
        session.close()
        with pytest.raises(ModelNotFound, match="pany"):
            models.show("pany")


def test_leaving_a_stream_early_closes_it(site: Site) -> None:
    """In this process, without a server: the block ends although an answer was not read to its end."""
    with open_sync(config=site.config, in_process=True) as models:
        for piece in models.stream("Tell me a long story.", model="pony", max_tokens=200):
            assert piece.model == "pony"
            break
        assert models.memory().counters.loads == 1


def test_the_public_name_is_the_twin() -> None:
    assert paddock.open_sync is open_sync
