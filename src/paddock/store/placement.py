"""The seam between moving bytes and keeping them: where one model's files land, and how they get their final names.

Two places implement it: the Hugging Face cache (so that no other tool needs a second copy) and Paddock's own store.
Nothing under a final name is ever incomplete: bytes grow in `partial`, are checked, and only then `keep` renames them.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Placement(Protocol):
    """Where one revision of one model lands."""

    root: Path  # the folder whose disk the bytes will fill; may not exist yet

    def final(self, path: str) -> Path:
        """Where the model's file `path` will be found when the pull is done."""
        ...

    def holds(self, path: str, key: str, size: int | None) -> bool:
        """True when the content is here under its final name already, from whichever model it came."""
        ...

    def partial(self, key: str) -> Path:
        """Where content `key` grows. Stable across processes, so that the next one resumes."""
        ...

    def keep(self, path: str, key: str) -> None:
        """Give the checked partial (or the content that is already here) its final name: atomic, idempotent."""
        ...

    def finish(self) -> Path:
        """All files are in place: publish the revision and return the model's folder."""
        ...

    def discard(self) -> None:
        """Delete every partial of this revision (a cancelled pull)."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Held while bytes move. Ends with the process. Raises InUse when another process pulls the same model."""
        ...
