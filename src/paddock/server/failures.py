"""What the framework raises, as our own failures."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from paddock.errors import Defect, NotAllowed, NotFound, PaddockError, UsageError
from paddock.server.asking import asking_of
from paddock.server.problems import Problem, problem

_FIELD_MAX: Final = 100


def install(app: FastAPI) -> None:
    """Every failure below `app` gets the body of its dialect. What is not expected goes on to the edge."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, PaddockError), "registered for nothing else"
        asking_of(request).record.error_code = error.code
        return _response(request, problem(error, path=request.scope["path"], request_id=asking_of(request).id))

    async def starlettes(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException), "registered for nothing else"
        response = await ours(request, _of_http(request, error))
        if response.status_code == NotAllowed.http_status:
            response.headers["allow"] = _allowed(request)
        return response

    async def pydantics(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError), "registered for nothing else"
        return await ours(request, _of_validation(error.errors()))

    app.add_exception_handler(PaddockError, ours)
    app.add_exception_handler(HTTPException, starlettes)
    app.add_exception_handler(RequestValidationError, pydantics)


def _response(request: Request, refusal: Problem) -> Response:
    return Response(refusal.body, status_code=refusal.status, headers=dict(refusal.headers))


def _of_http(request: Request, error: HTTPException) -> PaddockError:
    if error.status_code == NotFound.http_status:
        return NotFound("There is nothing at this address.", hint="`/openapi.json` lists every address.")
    if error.status_code == NotAllowed.http_status:
        return NotAllowed("This address does not take that method.", hint=f"It takes {_allowed(request)}.")
    if error.status_code < Defect.http_status:
        return UsageError("This request cannot be read.", hint="Send valid JSON, as `/openapi.json` describes it.")
    return Defect("Paddock itself broke while it answered this request.", hint="Please report it.")


def _allowed(request: Request) -> str:
    """Every method of every route that has this path, as the `Allow` header lists them."""
    methods: set[str] = set()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            methods |= {method, "HEAD"} if method == "GET" else {method}
    return ", ".join(sorted(methods))


def _of_validation(errors: Sequence[Any]) -> UsageError:
    """Names the first field that is wrong and the rule it breaks, never the value: it may be a prompt or a key."""
    first: Mapping[str, Any] = errors[0] if errors else {}
    place = [str(part) for part in first.get("loc", ()) if part not in ("body", "query", "path", "header")]
    field = ".".join(place)[:_FIELD_MAX]
    rule = str(first.get("msg", "it is not valid"))
    if first.get("type") == "json_invalid":
        return UsageError("The body is not valid JSON.", hint="Send one JSON object.")
    return UsageError(
        f"`{field or 'body'}` is not valid: {rule[:1].lower()}{rule[1:]}.",
        hint="`/openapi.json` describes what this address takes.",
        param=field or None,
    )
