"""A process that pulls one model and ends: what the kill test kills and the benchmark times.

python -m tests.hub.pull_once ADDRESS CACHE [NAME]
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from paddock.hub.http import HttpClient
from paddock.hub.hub_cache import HubCachePlacement
from paddock.hub.huggingface import HuggingFaceSource
from paddock.hub.reference import parse_reference
from paddock.hub.source import RemoteFile
from paddock.hub.stopping import Stop
from paddock.hub.transfer import fetch


class Silent:
    """A progress that nobody reads."""

    def at(self, path: str, done_bytes: int) -> None:
        pass

    def verifying(self, path: str) -> None:
        pass

    def finished(self, path: str) -> None:
        pass


def pull(address: str, cache: Path, name: str) -> Path:
    """All files of `name`, four at once, into the Hugging Face cache at `cache`."""
    with HttpClient() as client:
        source = HuggingFaceSource(client, endpoint=address)
        listing = source.list(parse_reference(name))
        placement = HubCachePlacement(
            cache,
            repo_id=listing.name,
            commit=listing.revision,
            files={file.path: file.key for file in listing.files},
            ref="main",
        )
        stop = Stop()

        def run(file: RemoteFile) -> None:
            fetch(
                file,
                listing=listing,
                source=source,
                placement=placement,
                client=client,
                progress=Silent(),
                stop=stop,
            )

        with placement.lock(), ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(run, file) for file in listing.files]:
                done.result()
            return placement.finish()


if __name__ == "__main__":
    print(pull(sys.argv[1], Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "bench/big"))
