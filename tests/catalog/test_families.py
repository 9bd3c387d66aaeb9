import pytest

from paddock.catalog.families import family_of, family_of_architecture, family_of_name


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("codellama/CodeLlama-7b-hf", "codellama"),
        ("TinyLlama/TinyLlama-1.1B-Chat", "tinyllama"),
        ("meta-llama/Llama-3.1-8B", "llama"),
        ("deepseek-ai/deepseek-coder-6.7b", "deepseek-coder"),
        ("deepseek-ai/DeepSeek-V3", "deepseek"),
        ("mistralai/Mixtral-8x7B", "mixtral"),
        ("mistralai/Voxtral-Mini", "unknown"),
        ("bigcode/starcoder2-3b", "starcoder"),
        ("microsoft/Phi-4", "phi"),
        ("phi3:mini", "phi"),
        ("google/codegemma-2b", "codegemma"),
        ("google/embeddinggemma-300m", "embeddinggemma"),
        ("Qwen/QwQ-32B", "qwq"),
        ("Qwen/Qwen3-0.6B", "qwen"),
        ("cognitivecomputations/dolphin-2.9", "unknown"),
        ("01-ai/Yi-34B", "yi"),
        ("studying-model", "unknown"),
        ("something", "unknown"),
    ],
)
def test_the_most_specific_family_in_a_name_wins(name: str, family: str) -> None:
    """`phi` is in `dolphin` and `llama` in `codellama`: substrings alone would route wrongly."""
    assert family_of_name(name) == family
    assert family_of_name(name.upper()) == family


@pytest.mark.parametrize(
    ("name", "architecture", "family"),
    [
        ("CodeLlama-7b", "llama", "codellama"),
        ("my-finetune", "qwen3", "qwen"),
        ("DeepSeek-R1-Distill-Llama-8B", "llama", "deepseek"),
        ("better-than-llama", "qwen2", "qwen"),
        ("Qwen2-VL-7B", "qwen2_vl", "qwen"),
        ("Mistral-7B", "mistral", "mistral"),
        ("brand-new-llama", "nobody_knows", "llama"),
        ("brand-new", "nobody_knows", "unknown"),
        ("whatever", None, "unknown"),
        ("Kimi-K2", "deepseek_v3", "kimi"),
    ],
)
def test_files_correct_a_name_that_they_contradict(name: str, architecture: str | None, family: str) -> None:
    """Families share architectures; a name may also boast."""
    assert family_of(name, architecture) == family


def test_hyphens_in_architectures_do_not_matter() -> None:
    """GGUF writes `gpt-oss`, config.json `gpt_oss`."""
    assert family_of_architecture("gpt-oss") == family_of_architecture("gpt_oss") == "gpt-oss"
