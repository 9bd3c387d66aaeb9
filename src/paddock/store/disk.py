"""The calls that change what a folder holds, in one place, so that tests can fail or kill us at each of them."""

import errno
import os
from pathlib import Path

from paddock.errors import NotEnoughDisk, PaddockError, StorageError

# What file systems without hard links or symbolic links answer.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Disk:
    """The real calls. Each is one step: it happened or it did not."""

    def make_folder(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def rename(self, source: Path, target: Path) -> None:
        """Atomic; replaces a file, or an empty folder, of that name."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        os.link(source, target)

    def symlink(self, target: str, path: Path) -> None:
        path.symlink_to(target)

    def remove(self, path: Path) -> None:
        """A file or link; none there is fine."""
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """An empty folder."""
        path.rmdir()

    def write(self, path: Path, text: str) -> None:
        """New text in a new file, on the disk when this returns. Not atomic: write aside, then rename."""
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def sync_folder(self, path: Path) -> None:
        """Make renames and links within `path` survive a power cut."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, *NO_LINKS):  # some network file systems cannot, and need not
                raise
        finally:
            os.close(descriptor)

    def remove_tree(self, path: Path) -> None:
        """A folder of ours and all in it, links not followed; none there is fine."""
        if path.is_symlink() or path.is_file():
            self.remove(path)
            return
        if not path.is_dir():
            return
        for entry in sorted(path.iterdir()):
            self.remove_tree(entry)
        self.remove_folder(path)


def cannot_keep(name: str, folder: Path, error: OSError) -> PaddockError:
    """An error of the disk as one that names the model, the folder and the remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NotEnoughDisk(
            f"The disk of `{folder}` is full; `{name}` is not complete.",
            hint="Free some space, then pull again: it goes on where it stopped.",
        )
    return StorageError(
        f"`{name}` cannot be kept in `{folder}`: {error.strerror}.",
        hint="Make the folder writable for this user, or choose another with `HF_HOME` or `PADDOCK_HOME`.",
    )
