"""A whole pull in a few lines: list, fetch every file through the real transfer into a real store, publish."""

from pathlib import Path

from paddock.hub.http import HttpClient, HttpLimits
from paddock.hub.reference import parse_reference
from paddock.hub.source import Listing, Source
from paddock.hub.stopping import Stop
from paddock.hub.transfer import TransferLimits, fetch
from paddock.store.layout import ModelStore


class Silence:
    """Progress that nobody watches."""

    def at(self, path: str, done_bytes: int) -> None: ...

    def verifying(self, path: str) -> None: ...

    def finished(self, path: str) -> None: ...


def quick_client() -> HttpClient:
    """Tries as often as in production, but does not wait long in between."""
    return HttpClient(sleep=lambda _: None, limits=HttpLimits(read_timeout_s=2, attempts_max=3, backoff_s=0.001))


def pull(source: Source, text: str, client: HttpClient, root: Path) -> tuple[Listing, Path]:
    """The listing and the folder that the model landed in."""
    listing = source.list(parse_reference(text))
    keys = {file.path: file.key for file in listing.files}
    placement = ModelStore(root).placement(listing.name, listing.revision, keys)
    with placement.lock():
        for file in listing.files:
            fetch(
                file,
                listing=listing,
                source=source,
                placement=placement,
                client=client,
                progress=Silence(),
                stop=Stop(),
                limits=TransferLimits(stall_timeout_s=1.0, attempts_max=3),
            )
        return listing, placement.finish()
