"""Which family reads a model."""

import pytest

from paddock.families.detection import family_of
from tests.families.templates import ALL, LLAMA31, PLAIN, QWEN25


@pytest.mark.parametrize("name", ALL)
def test_a_template_shows_its_family(name: str) -> None:
    """What a template writes is what the model was taught to write."""
    architecture, template, family = ALL[name]
    assert family_of(architecture, template).name == family


@pytest.mark.parametrize(
    ("architecture", "template", "family"),
    [
        ("llama", QWEN25, "qwen"),  # many models have llama's architecture, and speak ChatML
        ("mistral", LLAMA31, "llama"),
        ("smollm3", QWEN25, "qwen"),
        ("qwen3_vl_moe", PLAIN, "qwen"),
        ("phi3small", PLAIN, "phi"),
        ("gemma3n", PLAIN, "gemma"),
        ("deepseek_v32", PLAIN, "deepseek"),
        ("gpt_oss", PLAIN, "gpt_oss"),
        ("starcoder2", PLAIN, "plain"),
        ("llama", "", "plain"),  # a model without a template takes no messages
    ],
)
def test_marks_of_the_template_come_before_the_architecture(architecture: str, template: str, family: str) -> None:
    """The architecture says how numbers are multiplied; only where a template shows nothing, it is a hint."""
    assert family_of(architecture, template).name == family
