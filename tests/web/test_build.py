"""What the dashboard is built from, and what comes out."""

import gzip
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from paddock.app import WEB_PAGES
from tests.web.types import TYPES, WEB, describe, write

FIRST_LOAD_BYTES = 350_000


async def test_its_types_are_those_of_the_api_as_it_is(tmp_path: Path) -> None:
    """Whoever changes an answer learns here that a page reads it: `make types`, then `npm run build` says which."""
    write(await describe(tmp_path), tmp_path / "schema.ts")
    assert (tmp_path / "schema.ts").read_text() == TYPES.read_text(), "run `make types`"


def test_the_first_load_is_small() -> None:
    """It has to open at once on a slow link to a machine at home."""
    index = (WEB_PAGES / "index.html").read_text()
    scripts = [WEB_PAGES / name for name in re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', index)]
    assert scripts
    assert sum(len(gzip.compress(script.read_bytes())) for script in scripts) <= FIRST_LOAD_BYTES


def test_the_page_holds_nothing_inline_and_nothing_of_others() -> None:
    """The policy would refuse it, and somebody without a network would see less."""
    index = (WEB_PAGES / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|https?://", index) == []
    for style in (WEB_PAGES / "assets").glob("*.css"):
        assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", style.read_text())


def test_a_wheel_brings_the_pages_along(tmp_path: Path) -> None:
    """Whoever installs one has no Node, and git ignores what is built: nothing else would put it there."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=WEB.parent, check=True, capture_output=True, timeout=300)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if name.startswith("paddock/web_pages/")}
    built = {path.relative_to(WEB_PAGES).as_posix() for path in WEB_PAGES.rglob("*") if path.is_file()}
    assert names == {f"paddock/web_pages/{name}" for name in built}
    assert "index.html" in built


def test_its_parts_do_what_they_say() -> None:
    npm = shutil.which("npm")
    assert npm is not None, "Node is missing: apt-get install nodejs npm"
    tested = subprocess.run([npm, "test"], cwd=WEB, capture_output=True, text=True, timeout=300, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
