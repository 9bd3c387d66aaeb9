"""Who holds a lock is said, and a dead holder holds nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from paddock.errors import InUse, StorageError
from paddock.store.locking import hold

HOLDER = (
    "import sys, time; from pathlib import Path; from paddock.store.locking import hold\n"
    "with hold(Path(sys.argv[1]), what='it is held'):\n"
    "    print('held', flush=True); time.sleep(60)\n"
)


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "model.lock"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(InUse, match=f"it is held by process {process.pid}"), hold(path, what="it is held"):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with hold(path, what="it is held"):
        pass


def test_a_lock_can_be_taken_again_after_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "model.lock"
    for _ in range(3):
        with hold(path, what="it is held"):
            assert path.with_name("model.lock.holder").exists()
        assert not path.with_name("model.lock.holder").exists()


def test_two_threads_of_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    path = tmp_path / "model.lock"
    with hold(path, what="it is held"), pytest.raises(InUse, match="this process"), hold(path, what="it is held"):
        pass


def test_a_folder_that_cannot_hold_a_lock_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be taken"), hold(tmp_path / "file" / "x.lock", what="it is held"):
        pass
