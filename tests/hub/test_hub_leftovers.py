"""Parts of ours in the Hugging Face cache are found, and only ours; one whose pull runs is never deleted."""

from pathlib import Path

import pytest

from paddock.errors import InUse
from paddock.hub.hub_cache import HubCachePlacement
from paddock.hub.hub_leftovers import WantedPull, drop_part, stray_parts

COMMIT, KEY = "a" * 40, "b" * 64


def begun(cache: Path, *, repo_id: str = "org/tiny", path: str = "model.gguf") -> HubCachePlacement:
    """A pull that has some of its bytes."""
    placement = HubCachePlacement(cache, repo_id=repo_id, commit=COMMIT, files={path: KEY})
    with placement.lock():
        placement.partial(KEY).write_bytes(b"part")
    return placement


def test_a_part_is_stray_unless_its_pull_is_wanted(tmp_path: Path) -> None:
    placement = begun(tmp_path)
    (found,) = stray_parts(tmp_path, ())
    assert (found.path, found.size) == (placement.partial(KEY), 4)
    assert stray_parts(tmp_path, [WantedPull("org/tiny", COMMIT, ("model.gguf",))]) == []
    assert len(stray_parts(tmp_path, [WantedPull("org/other", COMMIT, ("model.gguf",))])) == 1
    assert len(stray_parts(tmp_path, [WantedPull("org/tiny", COMMIT, ("other.gguf",))])) == 1


def test_dropping_the_last_part_leaves_no_empty_repository(tmp_path: Path) -> None:
    """The library's own scan warns about a repository that holds nothing."""
    drop_part(begun(tmp_path).partial(KEY))
    assert not list(tmp_path.glob("models--*"))


def test_a_part_whose_pull_runs_is_not_deleted(tmp_path: Path) -> None:
    """Between the plan of a clean-up and its doing, somebody may have gone on with the pull."""
    placement = begun(tmp_path)
    with placement.lock(), pytest.raises(InUse):
        drop_part(placement.partial(KEY))
    assert placement.partial(KEY).exists()


def test_links_lead_nobody_out_of_the_cache(tmp_path: Path) -> None:
    """A repository, or its blobs, may be a link to a folder of someone else's."""
    outside = begun(tmp_path / "outside").partial(KEY)
    cache = tmp_path / "cache"
    (cache / "models--org--linked").mkdir(parents=True)
    (cache / "models--org--linked" / "blobs").symlink_to(outside.parent)
    (cache / "models--org--whole").symlink_to(outside.parent.parent)
    (cache / "models--org--one" / "blobs").mkdir(parents=True)
    (cache / "models--org--one" / "blobs" / outside.name).symlink_to(outside)
    assert stray_parts(cache, ()) == []
