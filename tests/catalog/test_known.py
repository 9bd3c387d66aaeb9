import logging
import time
from typing import Any

import pytest

from paddock.catalog.known import KnownModel, KnownModels, Limits, built_in_models, known_models, parse_entry
from paddock.catalog.spelling import normalised, spellings
from paddock.errors import InvalidConfig
from paddock.vocabulary import Capabilities

DOCUMENT_D = [
    ("llama3.1:*", "llama", 128000, 4096, True, False, ("general", "code", "creative")),
    ("llama3.2:*", "llama", 128000, 4096, True, True, ("general", "code", "creative")),
    ("codellama:*", "codellama", 16384, 4096, False, False, ("code",)),
    ("mistral:*", "mistral", 32768, 4096, True, False, ("general", "fast")),
    ("phi3:*", "phi", 4096, 2048, False, False, ("fast",)),
    ("gemma:*", "gemma", 8192, 2048, False, False, ("fast", "general")),
    ("deepseek-coder:*", "deepseek-coder", 16384, 4096, False, False, ("code",)),
    ("qwen:*", "qwen", 32768, 4096, True, False, ("general", "code")),
]


@pytest.mark.parametrize(("pattern", "family", "context", "output", "tools", "vision", "profiles"), DOCUMENT_D)
def test_the_entries_of_document_d_hold(
    pattern: str, family: str, context: int, output: int, tools: bool, vision: bool, profiles: tuple[str, ...]
) -> None:
    """Its users know these numbers."""
    known, name = built_in_models(), pattern.replace("*", "latest")
    entry = known.lookup(name)
    assert entry
    assert entry.pattern == pattern
    assert known.limits(name) == Limits(context, output)
    assert known.family(name) == family
    assert known.profiles(name) == profiles
    assert known.capabilities(name) == Capabilities(tools=tools, vision=vision, streaming=True)


@pytest.mark.parametrize(
    ("hub_name", "runner_name"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1:8b-instruct"),
        ("meta-llama/Meta-Llama-3-8B", "llama3:8b"),
        ("Qwen/Qwen2.5-Coder-7B-Instruct", "qwen2.5-coder:7b-instruct"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral:7b-instruct-v0.3"),
        ("google/gemma-2b-it", "gemma:2b-it"),
        ("google/gemma-2-9b-it", "gemma2:9b-it"),
        ("google/gemma-3n-E4B-it", "gemma3n:e4b-it"),
        ("microsoft/Phi-3-mini-4k-instruct", "phi3:mini-4k-instruct"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral:8x7b-instruct-v0.1"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "deepseek-r1-distill-qwen:7b"),
        ("HuggingFaceTB/SmolLM2-135M", "smollm2:135m"),
        ("mistral", "mistral:latest"),
        ("llama3.1:8b", "llama3.1:8b"),
    ],
)
def test_a_hub_name_is_found_by_its_runner_spelling(hub_name: str, runner_name: str) -> None:
    """One entry serves both worlds."""
    assert normalised(hub_name) == runner_name
    assert hub_name.lower() in spellings(hub_name)


@pytest.mark.parametrize(
    ("name", "context", "tools", "vision", "thinking", "embeddings"),
    [
        ("Qwen/Qwen3-8B", 40960, True, False, True, False),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", 262144, True, False, False, False),
        ("google/gemma-3-1b-it", 32768, False, False, False, False),
        ("google/gemma-3-27b-it", 131072, False, True, False, False),
        ("openai/gpt-oss-20b", 131072, True, False, True, False),
        ("microsoft/Phi-3-mini-128k-instruct", 131072, False, False, False, False),
        ("BAAI/bge-m3", 8192, False, False, False, True),
        ("sentence-transformers/all-MiniLM-L6-v2", 256, False, False, False, True),
        ("meta-llama/Llama-3.2-11B-Vision-Instruct", 131072, False, True, False, False),
        ("meta-llama/Llama-3.2-1B", 131072, True, False, False, False),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", 131072, True, True, False, False),
        ("nobody/heard-of-it", 4096, False, False, False, False),
    ],
)
def test_models_that_people_run_are_known(
    name: str, context: int, tools: bool, vision: bool, thinking: bool, embeddings: bool
) -> None:
    """A search hit shows these before any file is read."""
    known = built_in_models()
    can = known.capabilities(name)
    assert known.limits(name).context_window == context
    assert (can.tools, can.vision, can.thinking, can.embeddings) == (tools, vision, thinking, embeddings)


def test_unknown_models_get_the_defaults() -> None:
    """4096 and 2048, text and streaming only."""
    assert built_in_models().limits("nobody/heard-of-it") == Limits(4096, 2048)
    assert built_in_models().capabilities("nobody/heard-of-it") == Capabilities()
    assert built_in_models().profiles("nobody/heard-of-it") == ()


def test_the_built_in_entries_never_tie() -> None:
    """A tie in our own data would be a coin toss."""
    known = built_in_models()
    for entry in known.entries:
        name = entry.pattern.replace("*", "x").replace("?", "1")
        assert known.match(name).warnings == ()


def test_a_tie_takes_the_first_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Two equally good answers: use one, tell which."""
    known = KnownModels([KnownModel(pattern="my-*", family="a"), KnownModel(pattern="*-me", family="b")])
    with caplog.at_level(logging.WARNING):
        match = known.match("my-own-me")
    assert match.entry
    assert match.entry.family == "a"
    assert "`my-*`" in match.warnings[0]
    assert "`*-me`" in match.warnings[0]
    assert "catalog.tie" in caplog.text
    assert known.match("my-own").warnings == ()


def test_custom_entries_win_ties_and_take_document_d_s_spelling() -> None:
    """People paste from there."""
    known = known_models(
        [{"pattern": "qwen3:*", "contextWindow": 1000, "capabilities": {"toolCalling": False}, "family": "mine"}]
    )
    assert known.limits("qwen3:8b") == Limits(1000, 1000)
    assert known.family("qwen3:8b") == "mine"
    assert not known.capabilities("qwen3:8b").tools
    assert known.limits("mistral:7b") == Limits(32768, 4096)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "has no `pattern`"),
        ({"pattern": ""}, "has no `pattern`"),
        ("text", "has no `pattern`"),
        ({"pattern": "a[b"}, "opens `[` at character 2"),
        ({"pattern": "a", "context_window": 0}, "has 0 as `context_window`"),
        ({"pattern": "a", "context_window": -5}, "has -5 as `context_window`"),
        ({"pattern": "a", "max_output_tokens": "many"}, "has 'many' as `max_output_tokens`"),
        ({"pattern": "a", "max_output_tokens": True}, "has True as `max_output_tokens`"),
        ({"pattern": "a", "capabilities": ["tools"]}, "as `capabilities`"),
        ({"pattern": "a", "capabilities": {"telepathy": True}}, "unknown capability `telepathy`"),
        ({"pattern": "a", "capabilities": {"tools": "yes"}}, "'yes' as `capabilities.tools`"),
        ({"pattern": "a", "profiles": "general"}, "'general' as `profiles`"),
        ({"pattern": "a", "profiles": [1]}, "as `profiles`"),
        ({"pattern": "a", "family": 3}, "the family 3"),
        ({"pattern": "a", "contxt": 3}, "unknown key `contxt`"),
    ],
)
def test_a_custom_entry_is_checked_when_it_is_loaded(row: Any, message: str) -> None:
    """Not when some lookup happens to meet it weeks later."""
    with pytest.raises(InvalidConfig) as caught:
        parse_entry(row, where="entry 3")
    assert message in caught.value.message
    assert caught.value.hint


def test_a_second_lookup_searches_nothing() -> None:
    """Routing looks up every model on every request. `benchmarks lookups` has the milliseconds."""
    known = KnownModels(built_in_models().entries)
    names = [f"org{i}/Some-Model-{i}-{i % 70}B-Instruct" for i in range(300)]

    def seconds() -> float:
        started = time.perf_counter()
        for name in names:
            known.match(name)
        return time.perf_counter() - started

    assert seconds() > 10 * min(seconds() for _ in range(5))
