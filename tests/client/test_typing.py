"""The Python API is typed to the last argument, the twin without `await` included: pyright in strict mode says so."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """\
from collections.abc import Iterator, Sequence
from typing import assert_type

import paddock
from paddock.library.pulling.plan import Plan
from paddock.server.models_document import LoadAnswer


async def with_a_loop() -> None:
    async with paddock.open("http://127.0.0.1:8484", key="k") as models:
        assert_type(models, paddock.Paddock)
        assert_type(await models.list(), Sequence[paddock.ModelInfo])
        assert_type(await models.load("pony", pin=True), LoadAnswer)
        async for part in models.stream("Hello", model="pony", temperature=0):
            assert_type(part, paddock.Part)


with paddock.open_sync() as models:
    assert_type(models, paddock.SyncPaddock)
    assert_type(models.plan("org/tiny"), Plan)
    assert_type(models.load("pony", pin=True), LoadAnswer)
    assert_type(models.chat("Hello", model="pony", max_tokens=3), paddock.Answer)
    assert_type(models.stream("Hello"), Iterator[paddock.Part])
    assert_type(models.session("pony").say("Hello"), paddock.Answer)
"""
WRONG = """\
import paddock

with paddock.open_sync() as models:
    models.load("pony", pinned=True)
    models.chat("Hello", temprature=0)
    models.list().text
"""


def test_a_program_that_is_right_passes_and_one_that_is_wrong_does_not(tmp_path: Path) -> None:
    """An editor completes, and a misspelled argument is found before the program runs."""
    (tmp_path / "right.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "pyrightconfig.json").write_text(
        f'{{"typeCheckingMode": "strict", "extraPaths": ["{ROOT / "src"}"], "pythonVersion": "3.11"}}'
    )
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "-p", str(tmp_path), "--pythonpath", sys.executable],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if " - error: " in line]
    assert not [line for line in errors if "right.py" in line], done.stdout
    for word in ("pinned", "temprature", "text"):
        assert any(f'"{word}"' in line for line in errors), done.stdout
