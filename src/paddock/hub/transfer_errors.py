"""What a transfer says when the other side does not do its part. Each names the file, the host and the next step."""

import httpx2

from paddock.errors import AccessDenied, Corrupt, NotFound, PaddockError, TransferFailed
from paddock.hub.addresses import host_of
from paddock.hub.http import unreachable


def web_page(path: str, host: str) -> TransferFailed:
    return TransferFailed(
        f"`{host}` sends a web page in place of `{path}`: a login page, most likely.",
        hint="Sign in to the network or the hub (open its address in a browser), then pull again.",
    )


def compressed(path: str, host: str) -> TransferFailed:
    return TransferFailed(
        f"`{host}` sends `{path}` compressed, which nobody asked for.",
        hint="A proxy in between alters files; try another network.",
    )


def another_part(path: str, host: str) -> TransferFailed:
    return TransferFailed(
        f"`{host}` sends another part of `{path}` than was asked for.",
        hint="A proxy in between may cache wrongly; try another network, or later.",
    )


def shorter_than_before(path: str, host: str) -> TransferFailed:
    return TransferFailed(
        f"`{host}` says that `{path}` is shorter than what it sent before.",
        hint="Pull it again; when it stays so, report it to the hub.",
    )


def unexpected(path: str, host: str, status: int) -> TransferFailed:
    return TransferFailed(
        f"`{host}` answers {status} when asked for `{path}`.",
        hint="Try again later; when it stays so, report it to the hub.",
    )


def denied(path: str, host: str, status: int) -> PaddockError:
    """For a 401, 403, 404 or 410 that a fresh address did not mend."""
    if status in (404, 410):
        return NotFound(
            f"`{host}` has no `{path}` any more ({status}).",
            hint="The model may have changed or gone: look with `paddock plan`.",
        )
    return AccessDenied(
        f"`{host}` does not let us have `{path}` ({status}).",
        hint="Accept the model's licence on its page, or set a token that may read it, then pull again.",
    )


def broken_off(
    path: str, location: str, error: Exception | None, *, position: int, size: int | None, stall_timeout_s: float
) -> PaddockError:
    """For a body that did not come to its end; `error` is None when it ended early and politely."""
    if isinstance(error, httpx2.ConnectError):
        return unreachable(location, error)
    silent = isinstance(error, httpx2.TimeoutException)
    said = f"went silent for {stall_timeout_s:g} seconds" if silent else "broke off"
    of = f" of {size:,}" if size is not None else ""
    return TransferFailed(
        f"`{path}` from `{host_of(location)}` {said} after {position:,}{of} bytes, again and again.",
        hint="Pull again later: it goes on where it stopped.",
    )


def damaged(path: str, *, hashes: tuple[str, str] | None, sizes: tuple[int, int] | None) -> Corrupt:
    """`hashes` and `sizes` are what arrived and what is right."""
    if sizes is not None:
        found = f"{sizes[0]:,} bytes, where {sizes[1]:,} are right"
    else:
        assert hashes is not None
        found = f"its hash is {hashes[0]}, where {hashes[1]} is right"
    return Corrupt(
        f"`{path}` arrived damaged: {found}.",
        hint="Nothing of it was kept. Try another network; when it stays so, tell the model's owner.",
    )
