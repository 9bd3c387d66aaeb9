"""Which failures are worth asking somebody else, or the same one again. Pure."""

from enum import Enum
from typing import Final

from paddock.errors import (
    Airgapped,
    CrashedTwice,
    DeadlinePassed,
    Draining,
    Incompatible,
    ModelNotFound,
    NetworkError,
    NoRoom,
    NotEnoughMemory,
    NotOffered,
    Overloaded,
    PaddockError,
    PromptTooLong,
    ProviderFailed,
    ProviderRefused,
    RateLimited,
    RunnerCrashed,
)

_ELSEWHERE: Final = (
    NetworkError,  # no connection, timeouts, 408, 409, 429, 5xx, an answer that is none
    Overloaded,
    NoRoom,
    NotEnoughMemory,
    Incompatible,
    RunnerCrashed,
    ModelNotFound,  # a target that is no longer there; the caller did not name it
    NotOffered,
)
_SERVER_ERROR: Final = 500


class Worth(Enum):
    """What a failure before the first word means for the request."""

    NOTHING = "nothing"  # it is the caller's, or the server ends: it is told
    ANOTHER = "another"  # another target may answer
    LARGER = "larger"  # another target may, if it reads more


def worth(error: PaddockError) -> Worth:
    """What to do about `error`."""
    if isinstance(error, Draining | CrashedTwice | DeadlinePassed):
        return Worth.NOTHING  # whoever comes next would meet the same
    if isinstance(error, PromptTooLong):
        return Worth.LARGER
    if isinstance(error, _ELSEWHERE) or error.http_status >= _SERVER_ERROR:
        return Worth.ANOTHER
    return Worth.NOTHING


def blames(error: PaddockError) -> bool:
    """Whether it counts against the provider: it is not well, rather than asked for what it has not."""
    return worth(error) is Worth.ANOTHER and not isinstance(
        error, ModelNotFound | NotOffered | Incompatible | Airgapped
    )


def again(error: PaddockError) -> bool:
    """Whether the same provider may answer if it is asked once more. Models here have queues and retries of their own."""
    return isinstance(error, RateLimited | ProviderFailed) and not isinstance(error, ProviderRefused)


def retry_after_s(error: PaddockError) -> float | None:
    """When the other side wants to be asked again."""
    return error.retry_after_s if isinstance(error, RateLimited | ProviderFailed | Overloaded) else None
