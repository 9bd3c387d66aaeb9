"""`paddock bench`: the real program, a real runner, the built-in model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paddock.cli.schemas import render_schemas
from paddock.fleet.measuring import Answered, speed_of
from paddock.vocabulary import Usage
from tests.cli.schema_check import complaints

PROGRAM = (sys.executable, "-P", "-c", "from paddock.cli.main import main; main()")


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PADDOCK_HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "OLLAMA_MODELS": str(tmp_path / "o"),
    }


def bench(variables: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, "bench", *words], env=variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_bench_measures_a_model_from_end_to_end(variables: dict[str, str]) -> None:
    """Every number comes from real requests to a real runner, so each must be there and possible."""
    done = bench(variables, "pony", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    schema = json.loads(render_schemas())
    assert complaints(document, {"$ref": "#/$defs/BenchDocument"}, schema) == []
    assert [speed["streams"] for speed in document["speeds"]] == [1, 2]
    assert [speed["completion_tokens"] for speed in document["speeds"]] == [8, 16]
    assert all(speed["prefill_tokens_per_second"] > 0 for speed in document["speeds"])
    assert all(speed["decode_tokens_per_second"] > 0 for speed in document["speeds"])
    assert 0 < document["prefix"]["cached_tokens"] < document["prefix"]["prompt_tokens"]
    assert document["first_answer"]["cold_seconds"] > 0
    assert document["first_answer"]["warm_seconds"] > 0
    assert document["memory"]["loaded_bytes"] > 0


def test_bench_shows_a_table(variables: dict[str, str]) -> None:
    done = bench(variables, "pony", "--quick")
    assert done.returncode == 0, done.stderr
    assert "ANSWER TOKENS/S" in done.stdout
    assert "Known beginning" in done.stdout


def test_bench_of_a_model_that_is_not_here_says_so(variables: dict[str, str]) -> None:
    """Found out before anything is loaded."""
    assert bench(variables, "no-such-model", "--quick").returncode == 4


def test_decoding_is_counted_from_when_all_streams_decode() -> None:
    """Tokens that one stream gets while another is still in its prompt would flatter neither speed truthfully."""
    usage = Usage(prompt_tokens=10, completion_tokens=3)
    early = Answered(pieces=((1.0, 1), (2.0, 1), (3.0, 1)), usage=usage)
    late = Answered(pieces=((2.0, 1), (3.0, 1), (4.0, 1)), usage=usage)
    speed = speed_of([early, late], began_s=0.0)
    assert speed.prefill_tokens_per_second == 10.0  # 20 tokens until the moment 2
    assert speed.decode_tokens_per_second == 1.5  # 3 tokens in the 2 seconds after it
    assert speed.first_token_seconds == 2.0
