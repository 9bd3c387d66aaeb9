"""`paddock embed`: the real program, a real runner, the built-in model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paddock.cli.schemas import render_schemas
from tests.cli.schema_check import complaints

PROGRAM = (sys.executable, "-P", "-c", "from paddock.cli.main import main; main()", "embed")


def embed(folder: Path, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    variables = {
        **os.environ,
        "PADDOCK_HOME": str(folder),
        "HF_HOME": str(folder / "hf"),
        "OLLAMA_MODELS": str(folder / "o"),
    }
    return subprocess.run(
        [*PROGRAM, *words], env=variables, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def test_one_vector_a_line_from_words_and_from_standard_input(tmp_path: Path) -> None:
    words = embed(tmp_path, "pony-embed", "A horse.", "What is 3 plus 4?")
    assert words.returncode == 0, words.stderr
    lines = [json.loads(line) for line in words.stdout.splitlines()]
    assert [len(line) for line in lines] == [256, 256]
    assert sum(number**2 for number in lines[0]) == pytest.approx(1, abs=1e-5)
    piped = embed(tmp_path, "pony-embed", "-", "--json", stdin="A horse.\n\nWhat is 3 plus 4?\n")
    document = json.loads(piped.stdout)
    schema = json.loads(render_schemas())
    assert complaints(document, {"$ref": "#/$defs/EmbedDocument"}, schema) == []
    assert document["vectors"][1] == pytest.approx(lines[1], abs=2e-6)
    assert (document["model"], document["dimensions"], document["truncated_tokens"]) == ("pony-embed", 256, 0)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    nothing = embed(tmp_path, "pony-embed", stdin="\n")
    assert (nothing.returncode, "nothing to embed" in nothing.stderr) == (2, True)
    writes = embed(tmp_path, "pony", "a")
    assert (writes.returncode, "writes text" in writes.stderr) == (2, True)
    long = embed(tmp_path, "pony-embed", "horse " * 600)
    assert (long.returncode, "602 tokens" in long.stderr) == (2, True)
