"""What the smaller sources share: reading a hub's JSON with suspicion, and the names of a file's place."""

from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from paddock.catalog.reading import RangeReader
from paddock.errors import HubUnreachable, TransferFailed
from paddock.hub.addresses import host_of
from paddock.hub.http import Answer, Headers, HttpClient, no_headers
from paddock.hub.ranges import HttpRangeReader
from paddock.hub.source import RemoteFile

Shape = TypeVar("Shape", bound=BaseModel)


def read_json(answer: Answer, shape: type[Shape]) -> Shape:
    """The body of a good answer as `shape`. Raises HubUnreachable when it is anything else, such as a log-in page."""
    try:
        return shape.model_validate_json(answer.body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise HubUnreachable(
            f"`{host_of(answer.url)}` answered with something that is not what a model hub says"
            f" ({where + ': ' if where else ''}{first['msg']}).",
            hint="A log-in page or a proxy may be in between, or the address of the hub is wrong.",
        ) from error


def unexpected(answer: Answer, said: str | None = None) -> HubUnreachable:
    """The error for a status that no rule covers."""
    words = f": {said}" if said else ""
    return HubUnreachable(
        f"`{host_of(answer.url)}` answers {answer.status}{words}.",
        hint="Try again later; when it stays so, check the address of the hub.",
    )


def remote_reader(client: HttpClient, model: str, file: RemoteFile, *, headers: Headers = no_headers) -> RangeReader:
    """Reads parts of a listed file. Raises TransferFailed when its source does not tell how long it is."""
    if file.size is None:
        raise TransferFailed(
            f"`{file.path}` cannot be looked into: its server does not tell its size.",
            hint="It can still be pulled whole; its facts are read once it is here.",
        )
    return HttpRangeReader(client, file.location, name=f"{model}/{file.path}", size=file.size, headers=headers)


def same_origin(url: str, other: str) -> bool:
    """Whether credentials for the one may go to the other: same scheme, host and port."""
    return _origin(url) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
