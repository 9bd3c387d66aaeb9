"""The transfer against a hub that fails in every way we know: the file arrives whole, or an error says what went wrong."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from paddock.errors import (
    AccessDenied,
    Corrupt,
    HubUnreachable,
    Interrupted,
    NotFound,
    PaddockError,
    RateLimited,
    StorageError,
    TransferFailed,
)
from paddock.hub.http import HttpClient, HttpLimits
from paddock.hub.hub_cache import HubCachePlacement
from paddock.hub.huggingface import HuggingFaceSource
from paddock.hub.reference import parse_reference
from paddock.hub.source import Listing
from paddock.hub.stopping import Stop
from paddock.hub.transfer import TransferLimits, fetch
from tests.fakes import faults
from tests.fakes.content import Generated
from tests.fakes.huggingface import HuggingFaceHub

MIB = 1 << 20
WEIGHTS = Generated(3 * MIB + 17, seed=1)
CONFIG = b'{"model_type": "qwen3"}\n'
PATIENCE = TransferLimits(stall_timeout_s=1.0, attempts_max=3)  # a busy machine is silent for a moment, too


class Reports:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.done: list[str] = []
        self.on_report: Callable[[int], None] = lambda position: None

    def at(self, path: str, done_bytes: int) -> None:
        self.positions.append(done_bytes)
        self.on_report(done_bytes)

    def verifying(self, path: str) -> None:
        pass

    def finished(self, path: str) -> None:
        self.done.append(path)


class Pull:
    """One model on its way from the fake hub to a fresh cache."""

    def __init__(self, hub: HuggingFaceHub, cache: Path) -> None:
        self.cache = cache
        self.waits: list[float] = []
        self.client = HttpClient(
            limits=HttpLimits(backoff_s=0.001, attempts_max=2, retry_after_max_s=5), sleep=self.waits.append
        )
        self.source = HuggingFaceSource(self.client, endpoint=hub.url)
        self.reports = Reports()
        self.stop = Stop()
        self.listing: Listing = self.source.list(parse_reference("org/name"))
        self.placement = self.place()

    def place(self) -> HubCachePlacement:
        keys = {file.path: file.key for file in self.listing.files}
        return HubCachePlacement(self.cache, repo_id="org/name", commit=self.listing.revision, files=keys, ref="main")

    def fetch(self, path: str = "model.safetensors") -> None:
        file = next(file for file in self.listing.files if file.path == path)
        fetch(
            file,
            listing=self.listing,
            source=self.source,
            placement=self.placement,
            client=self.client,
            progress=self.reports,
            stop=self.stop,
            limits=PATIENCE,
        )

    def all(self) -> Path:
        for file in self.listing.files:
            self.fetch(file.path)
        return self.placement.finish()

    def strays(self) -> list[str]:
        """What lies in the cache under a name that no finished pull leaves."""
        return [path.name for path in self.cache.rglob("*paddock*") if ".locks" not in path.parts]

    def assert_nothing_half_written_has_a_final_name(self) -> None:
        for blob in self.cache.glob("models--*/blobs/*"):
            if ".paddock-" in blob.name:
                continue
            data = blob.read_bytes()
            right = hashlib.sha256(data).hexdigest() if len(blob.name) == 64 else _git_oid(data)
            assert blob.name == right
        assert not list(self.cache.glob("models--*/snapshots/*"))


def _git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture
def hub() -> Generator[HuggingFaceHub]:
    with HuggingFaceHub() as hub:
        hub.add_repo("org/name", {"config.json": CONFIG, "model.safetensors": WEIGHTS})
        yield hub


@pytest.fixture
def pull(hub: HuggingFaceHub, tmp_path: Path) -> Generator[Pull]:
    pull = Pull(hub, tmp_path / "hub")
    with pull.client, pull.placement.lock():
        yield pull


def assert_complete(pull: Pull) -> None:
    folder = pull.all()
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == WEIGHTS.sha256
    assert (folder / "config.json").read_bytes() == CONFIG
    assert pull.strays() == []


def test_a_pull_without_trouble_asks_once_for_each_file(hub: HuggingFaceHub, pull: Pull) -> None:
    assert_complete(pull)
    assert len(hub.requests("model.safetensors", at="storage")) == 1
    assert hub.bytes_sent("model.safetensors") == WEIGHTS.size


# Each of these heals: the pull completes, and the bytes are right.
HEALS = {
    "connection dropped": faults.Drop(after=MIB),
    "connection reset": faults.Reset(after=MIB),
    "body cut short": faults.Short(by=MIB),
    "body too long": faults.Long(by=1000),
    "stall": faults.Stall(after=MIB, seconds=5),
    "slow": faults.Slow(bytes_per_s=20 * MIB),
    "503": faults.Unavailable(),
    "503 with Retry-After": faults.Unavailable(retry_after=0),
    "429 with Retry-After": faults.RateLimited(retry_after=0),
    "expired signed address": faults.Expired(),
    "one corrupt byte": faults.Corrupt(at=MIB),
}


@pytest.mark.parametrize("fault", HEALS.values(), ids=HEALS.keys())
def test_what_goes_wrong_once_does_not_keep_a_pull_from_completing(
    hub: HuggingFaceHub, pull: Pull, fault: faults.Fault
) -> None:
    """huggingface_hub gives up on most of these, and takes the corrupt byte for good."""
    hub.fail("model.safetensors", fault, at="storage")
    assert_complete(pull)


@pytest.mark.parametrize("fault", [faults.IgnoreRange(), faults.WrongContentRange(), faults.WrongContentRange(-100)])
def test_a_server_that_gets_ranges_wrong_is_asked_from_zero(
    hub: HuggingFaceHub, pull: Pull, fault: faults.Fault
) -> None:
    """Bytes from elsewhere in the file would have the right count and the wrong content."""
    hub.fail("model.safetensors", faults.Drop(after=MIB), at="storage")
    hub.fail("model.safetensors", fault, at="storage")
    assert_complete(pull)


def test_a_dropped_connection_goes_on_from_where_it_stopped(hub: HuggingFaceHub, pull: Pull) -> None:
    hub.fail("model.safetensors", faults.Drop(after=MIB), at="storage", times=2)
    assert_complete(pull)
    first, *others = hub.requests("model.safetensors", at="storage")
    assert first.range is None
    assert all(entry.range for entry in others)
    assert hub.bytes_sent("model.safetensors") == WEIGHTS.size


def test_a_connection_that_always_drops_at_the_same_byte_ends_with_an_error(hub: HuggingFaceHub, pull: Pull) -> None:
    """Ranges ignored and the body always cut: each try brings bytes, none brings new ones. It must end."""
    hub.fail("model.safetensors", faults.IgnoreRange(), at="storage", times=None)
    hub.fail("model.safetensors", faults.Drop(after=MIB), at="storage", times=None)
    with pytest.raises(TransferFailed, match="broke off"):
        pull.fetch()
    pull.assert_nothing_half_written_has_a_final_name()


# Each of these stays: an error of its own, and nothing under a final name.
STAYS: dict[str, tuple[faults.Fault, type[PaddockError], str]] = {
    "corrupt weights": (faults.Corrupt(at=5), Corrupt, "hash"),
    "login page": (faults.LoginPage(), TransferFailed, "login page"),
    "stall": (faults.Stall(after=0, seconds=5), TransferFailed, "silent"),
    "drop": (faults.Drop(after=0), TransferFailed, "broke off"),
    "503": (faults.Unavailable(), HubUnreachable, "503"),
    "429 for an hour": (faults.RateLimited(retry_after=3600), RateLimited, "fewer"),
    "expired": (faults.Expired(), AccessDenied, "403"),
    "gone": (faults.Status(404), NotFound, "404"),
    "teapot": (faults.Status(418), TransferFailed, "418"),
    "plain http elsewhere": (faults.RedirectTo("http://example.com/x"), TransferFailed, "plain HTTP"),
    "redirects in circles": (faults.RedirectTo("/again"), TransferFailed, "circles"),
}


@pytest.mark.parametrize(("fault", "kind", "said"), STAYS.values(), ids=STAYS.keys())
def test_what_stays_wrong_is_told_and_leaves_nothing_with_a_final_name(
    hub: HuggingFaceHub, pull: Pull, fault: faults.Fault, kind: type[PaddockError], said: str
) -> None:
    at = "*" if isinstance(fault, faults.RedirectTo) else "model.safetensors"
    hub.fail(at, fault, at="storage", times=None)
    with pytest.raises(kind, match=said):
        pull.fetch()
    pull.assert_nothing_half_written_has_a_final_name()


def test_corruption_names_both_hashes_and_is_fetched_twice_at_most(hub: HuggingFaceHub, pull: Pull) -> None:
    hub.fail("model.safetensors", faults.Corrupt(at=5), at="storage", times=None)
    with pytest.raises(Corrupt) as caught:
        pull.fetch()
    assert WEIGHTS.sha256 in caught.value.message
    assert "model.safetensors" in caught.value.message
    assert hub.bytes_sent("model.safetensors") == 2 * WEIGHTS.size
    assert pull.strays() == []


def test_a_corrupt_small_file_is_caught_by_its_git_id(hub: HuggingFaceHub, pull: Pull) -> None:
    """Small files have no SHA-256 on the hub; the library does not check them at all."""
    hub.fail("config.json", faults.Corrupt(at=3), times=None)
    with pytest.raises(Corrupt, match=r"config\.json"):
        pull.fetch("config.json")
    hub.heal()
    assert_complete(pull)


def test_a_login_page_of_the_right_kind_and_wrong_content_is_named_for_what_it_is(
    hub: HuggingFaceHub, tmp_path: Path
) -> None:
    """A captive portal that lies about the content type."""
    page = b"<!DOCTYPE html><html>sign in</html>"
    hub.add_repo("org/name", {"config.json": b"x" * len(page)})
    pull = Pull(hub, tmp_path)
    hub.fail("config.json", faults.Status(200, {"Content-Type": "application/json"}, page), times=None)
    with pull.client, pytest.raises(TransferFailed, match="login page"):
        pull.fetch("config.json")


def test_the_next_process_resumes_what_the_last_one_left(hub: HuggingFaceHub, pull: Pull) -> None:
    hub.fail("model.safetensors", faults.Drop(after=2 * MIB), at="storage")
    hub.fail("model.safetensors", faults.Unavailable(), at="storage", times=None, skip=1)
    with pytest.raises(HubUnreachable):
        pull.fetch()
    hub.heal()
    hub.forget()
    pull.reports = Reports()
    assert_complete(pull)
    assert [entry.range for entry in hub.requests("model.safetensors", at="storage")] == [f"bytes={2 * MIB}-"]
    assert pull.reports.positions[0] > 0, "what was here is told first"


def test_a_partial_with_wrong_bytes_is_noticed_and_fetched_anew(hub: HuggingFaceHub, pull: Pull) -> None:
    """A power cut may leave zeros where data was promised."""
    partial = pull.placement.partial(WEIGHTS.sha256)
    partial.write_bytes(bytes(MIB))
    assert_complete(pull)


def test_a_partial_that_is_too_long_is_thrown_away(hub: HuggingFaceHub, pull: Pull) -> None:
    pull.placement.partial(WEIGHTS.sha256).write_bytes(bytes(WEIGHTS.size + 1))
    assert_complete(pull)


def test_a_whole_partial_is_checked_without_asking_the_hub(hub: HuggingFaceHub, pull: Pull) -> None:
    """Killed between the last byte and the rename."""
    pull.placement.partial(WEIGHTS.sha256).write_bytes(WEIGHTS.read())
    assert_complete(pull)
    assert hub.bytes_sent("model.safetensors") == 0


def test_content_that_is_here_is_not_fetched_again(hub: HuggingFaceHub, pull: Pull) -> None:
    assert_complete(pull)
    hub.forget()
    pull.placement = pull.place()
    assert_complete(pull)
    assert hub.bytes_sent() == 0


def test_the_branch_may_move_during_a_pull_without_mixing_revisions(hub: HuggingFaceHub, pull: Pull) -> None:
    def move() -> None:
        hub.commit("org/name", {"config.json": b"{}", "model.safetensors": Generated(MIB, seed=9)})

    hub.fail("model.safetensors", faults.Do(move), at="storage")
    assert_complete(pull)


def test_the_token_goes_to_the_hub_and_never_to_the_storage(hub: HuggingFaceHub, tmp_path: Path) -> None:
    hub.add_token("hf_secret", may=["org/name"])
    hub.repositories["org/name"].gated = "auto"
    pull = Pull(hub, tmp_path)
    pull.source = HuggingFaceSource(pull.client, endpoint=hub.url, token="hf_secret")
    with pull.client, pull.placement.lock():
        assert_complete(pull)
    assert not any(entry.authorized for entry in hub.requests(at="storage"))


def test_a_gate_met_while_fetching_says_which_page_and_which_setting(hub: HuggingFaceHub, pull: Pull) -> None:
    hub.repositories["org/name"].gated = "auto"
    with pytest.raises(AccessDenied) as caught:
        pull.fetch()
    assert f"{hub.url}/org/name" in caught.value.hint
    assert "HF_TOKEN" in caught.value.hint


def test_a_stop_between_chunks_keeps_what_arrived(hub: HuggingFaceHub, pull: Pull) -> None:
    hub.fail("model.safetensors", faults.Slow(bytes_per_s=4 * MIB), at="storage")
    pull.reports.on_report = lambda position: pull.stop.request() if position > MIB // 2 else None
    with pytest.raises(Interrupted):
        pull.fetch()
    assert pull.placement.partial(WEIGHTS.sha256).stat().st_size > MIB // 2
    pull.stop, pull.reports = Stop(), Reports()
    assert_complete(pull)


def test_a_stop_wakes_a_read_that_waits_for_a_silent_server(hub: HuggingFaceHub, pull: Pull) -> None:
    """Ctrl-C must not wait for the stall timeout."""
    hub.fail("model.safetensors", faults.Stall(after=MIB, seconds=30), at="storage")
    timer = threading.Timer(0.2, pull.stop.request)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        fetch(
            next(file for file in pull.listing.files if file.path == "model.safetensors"),
            listing=pull.listing,
            source=pull.source,
            placement=pull.placement,
            client=pull.client,
            progress=pull.reports,
            stop=pull.stop,
            limits=TransferLimits(stall_timeout_s=20),
        )
    assert time.monotonic() - began < 15  # of the 20 that it would wait
    timer.join()


def test_an_unwritable_folder_is_told_before_a_byte_moves(hub: HuggingFaceHub, tmp_path: Path) -> None:
    """Root may write anywhere, so a file stands where the folder should."""
    cache = tmp_path / "hub"
    cache.mkdir()
    pull = Pull(hub, cache)
    (cache / "models--org--name").write_text("in the way")
    with pull.client, pytest.raises(StorageError, match=r"model\.safetensors"):
        pull.fetch()
    assert hub.bytes_sent("model.safetensors") == 0


def test_several_files_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    with HuggingFaceHub() as hub:
        hub.add_repo("org/name", {f"part-{n}.safetensors": Generated(MIB + n, seed=n) for n in range(6)})
        pull = Pull(hub, tmp_path)
        failures: list[BaseException] = []

        def run(path: str) -> None:
            try:
                pull.fetch(path)
            except PaddockError as error:
                failures.append(error)

        with pull.client, pull.placement.lock():
            threads = [threading.Thread(target=run, args=(file.path,)) for file in pull.listing.files]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failures == []
            folder = pull.placement.finish()
        for file in pull.listing.files:
            assert hashlib.sha256((folder / file.path).read_bytes()).hexdigest() == file.sha256


def test_files_with_the_same_content_take_turns_and_are_fetched_once(tmp_path: Path) -> None:
    """They have one partial: two threads writing into it would ruin both."""
    with HuggingFaceHub() as hub:
        hub.add_repo("org/name", {f"copy-{n}.safetensors": WEIGHTS for n in range(5)})
        pull = Pull(hub, tmp_path)
        with pull.client, pull.placement.lock():
            threads = [threading.Thread(target=pull.fetch, args=(file.path,)) for file in pull.listing.files]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            folder = pull.placement.finish()
        assert len(hub.requests(at="storage")) == 1
        assert len(pull.reports.done) == 5
        assert all((folder / file.path).stat().st_size == WEIGHTS.size for file in pull.listing.files)


def test_an_offline_client_opens_no_connection(hub: HuggingFaceHub, pull: Pull) -> None:
    pull.client.offline = True
    hub.forget()
    with pytest.raises(HubUnreachable, match="offline"):
        pull.fetch()
    assert hub.log == []


def test_what_was_written_is_readable_like_any_new_file(pull: Pull) -> None:
    """Other tools, perhaps of other users, share the cache."""
    folder = pull.all()
    mask = os.umask(0)
    os.umask(mask)
    assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o666 & ~mask
