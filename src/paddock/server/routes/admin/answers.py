"""What every admin route shares: how answers are written, and what is told of failures in the description of the API."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response, StreamingResponse

from paddock.server.documents import encode

EVENTS: Final = "text/event-stream"
_PROBLEM: Final = "application/problem+json"
_HEARTBEAT_S: Final = 2.0


class Problem(BaseModel):
    """A failure (RFC 9457): `code` is for programs, `detail` and `hint` for people; `param` is the field that is wrong."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    param: str | None
    request_id: str


class Body(BaseModel):
    """What clients send: nothing that is not known here, no value of another kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _problem(title: str, description: str) -> dict[str, Any]:
    """Two titles for one shape: generators of clients make a class of each, and classes of one name would clash."""
    schema = {**Problem.model_json_schema(), "title": title}
    return {"description": description, "content": {_PROBLEM: {"schema": schema}}}


FAILURES: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": _problem("Refusal", "The request cannot be carried out; `code` and `hint` say why and what to do."),
    "5XX": _problem(
        "Outage", "The server, this machine or a hub cannot do it now; `code` and `hint` say why and what to do."
    ),
}
STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Server-sent events.", "content": {EVENTS: {}}},
    **FAILURES,
}


def answer(document: object, status: int = 200) -> Response:
    """`document` in the form that `--json` has."""
    return Response(encode(document), status_code=status, media_type="application/json")


def event(name: str, document: object) -> bytes:
    """One server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + encode(document) + b"\n\n"


def stream(events: AsyncGenerator[bytes]) -> Response:
    """Events as they come, and a comment where none comes for a while. A client that leaves ends them."""
    return StreamingResponse(_with_heartbeat(events), media_type=EVENTS, headers={"cache-control": "no-cache"})


async def _with_heartbeat(events: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        following = asyncio.ensure_future(anext(events, None))
        try:
            while True:
                done, _ = await asyncio.wait({following}, timeout=_HEARTBEAT_S)
                if not done:
                    yield b": working\n\n"
                    continue
                piece = following.result()
                if piece is None:
                    return
                yield piece
                following = asyncio.ensure_future(anext(events, None))
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
