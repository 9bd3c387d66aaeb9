"""What people type decides which bytes arrive and where they land: a spelling means one thing, and none climbs out."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paddock.errors import InvalidReference
from paddock.hub.reference import REFERENCE_CHARACTERS_MAX, ModelReference, parse_reference
from paddock.vocabulary import SourceKind

HUB, OLLAMA, KAGGLE = SourceKind.HUGGINGFACE, SourceKind.OLLAMA, SourceKind.KAGGLE
URL, LOCAL, BUILTIN = SourceKind.URL, SourceKind.LOCAL, SourceKind.BUILTIN
SHA = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org/name", ModelReference(HUB, "org/name")),
        ("  org/name\n", ModelReference(HUB, "org/name")),
        ("org/name@refs/pr/1", ModelReference(HUB, "org/name", "refs/pr/1")),
        ("org/name:Q4_K_M", ModelReference(HUB, "org/name", None, "Q4_K_M")),
        ("hf://org/name@main:sub/m.gguf", ModelReference(HUB, "org/name", "main", "sub/m.gguf")),
        ("huggingface://org/name", ModelReference(HUB, "org/name")),
        ("kaggle://google/gemma/tfLite/2b", ModelReference(KAGGLE, "google/gemma/tfLite/2b")),
        ("kaggle://google/gemma/tfLite/2b/3", ModelReference(KAGGLE, "google/gemma/tfLite/2b", "3")),
        ("ollama://llama3", ModelReference(OLLAMA, "llama3:latest")),
        ("ollama://library/llama3:8b", ModelReference(OLLAMA, "llama3:8b")),
        ("ollama://registry.ollama.ai/library/llama3", ModelReference(OLLAMA, "llama3:latest")),
        ("ollama://user/model", ModelReference(OLLAMA, "user/model:latest")),
        ("ollama://hf.co/org/model:Q8_0", ModelReference(OLLAMA, "hf.co/org/model:Q8_0")),
        ("ollama://hf.co/model", ModelReference(OLLAMA, "hf.co/model:latest")),
        ("ollama://localhost:5000/user/model", ModelReference(OLLAMA, "localhost:5000/user/model:latest")),
        ("ollama://127.0.0.1:5000/model:q4", ModelReference(OLLAMA, "127.0.0.1:5000/model:q4")),
        ("ollama://registry:5000/model", ModelReference(OLLAMA, "registry:5000/model:latest")),
        ("https://host/a/m.gguf", ModelReference(URL, "https://host/a/m.gguf")),
        ("HTTPS://host/m.gguf?x=1", ModelReference(URL, "https://host/m.gguf?x=1")),
        (f"https://host/m.gguf#sha256={SHA.upper()}", ModelReference(URL, "https://host/m.gguf", sha256=SHA)),
        ("file:///models/m%20x/", ModelReference(LOCAL, "/models/m x")),
        ("file://localhost/models/m", ModelReference(LOCAL, "/models/m")),
        ("builtin://pony", ModelReference(BUILTIN, "pony")),
        ("pony", ModelReference(None, "pony")),
        ("llama3:8b", ModelReference(None, "llama3:8b")),
    ],
)
def test_each_form_is_taken_apart(text: str, expected: ModelReference) -> None:
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "/", "//", "a/b/c", "org/", "/name", "org/name@", "org/name:", "-org/name", "org/.name",
        "../etc/passwd", "org/..", "org/../../x", "..", "org/name@../x", "org/name:../x", "org/name:a/../b",
        "org\\name", "org/na%2e%2e", "org/name\0", "or\ng/name", "/etc/passwd", "./x", "~/x", "a b", "pony/",
        "hf://pony", "hf://a/b/c", "ftp://host/x", "s3://bucket/x", "javascript://x/y", "://", "hf://",
        "kaggle://a/b/c", "kaggle://a/b/c/d/e", "kaggle://a/b/c/d/\u0661", "kaggle://a/../c/d", "ollama://",
        "ollama://a/b/c", "ollama://x.y/a/b/c", "ollama://m:..", "ollama://../m", "ollama://user@host.com/m",
        "ollama://h:99999999/m", "https://", "https://host", "https://host/", "https://user:pw@host/x",
        "https://@host/x", "https://[::1/x", "https://host:x/y", "https://host/x#md5=0",
        "https://host/x#sha256=12", "http:///x", "file://x", "file://", "file:///a/../b", "file:///a/%2e%2e/b",
        "file:///a%00", "file:///a/./b", "builtin://", "builtin://../x", "builtin://a/b",
        "x" * (REFERENCE_CHARACTERS_MAX + 1),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert caught.value.hint
    assert len(caught.value.message) < REFERENCE_CHARACTERS_MAX + 100


@settings(max_examples=300)
@given(st.one_of(
    st.text(max_size=60),
    st.text(alphabet="ab./:@-_\\%~ #=?0A", max_size=40),
    st.builds(
        "{}://{}".format,
        st.sampled_from(["hf", "kaggle", "ollama", "https", "http", "file", "builtin"]),
        st.text(alphabet="ab./:@-_\\%~ #=?0A\u00e9", max_size=40),
    ),
))  # fmt: skip
@example("file:///%41%2541")
@example("file:///a%0Ab%FF")
@example("https://a/\u2028")
def test_whatever_parses_prints_to_the_same_reference(text: str) -> None:
    """`parse(str(parse(x))) == parse(x)`: lock files, the database and messages hold the printed form."""
    try:
        reference = parse_reference(text)
    except InvalidReference:
        return
    assert parse_reference(str(reference)) == reference


@settings(max_examples=300)
@given(
    st.text(alphabet="ab./:@-_\\%~", max_size=40),
    st.sampled_from(["", "hf://", "kaggle://", "ollama://", "builtin://"]),
)
def test_no_name_that_becomes_a_folder_climbs(text: str, scheme: str) -> None:
    """Names of hub, Kaggle, Ollama and built-in models are joined to folders of the store."""
    try:
        reference = parse_reference(scheme + text)
    except InvalidReference:
        return
    for value in (reference.name, reference.revision or "x", reference.selector or "x"):
        parts = re.split("[/:]", value)
        assert ".." not in parts
        assert "." not in parts
        assert not value.startswith("/")
        assert not set(value) & set("\\%\0~")


WORD = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]|\.(?=[A-Za-z0-9]))*", fullmatch=True).filter(
    lambda word: len(word) < 40
)


@given(WORD, WORD, st.none() | WORD, st.none() | WORD)
def test_every_hub_reference_survives_printing(org: str, name: str, revision: str | None, selector: str | None) -> None:
    reference = ModelReference(HUB, f"{org}/{name}", revision, selector)
    assert parse_reference(str(reference)) == reference


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4))
def test_every_path_of_a_disk_can_be_referred_to(parts: list[str]) -> None:
    """Also names with spaces, percent signs, newlines and bytes that are no UTF-8."""
    kept = [part.replace("/", "").replace("\0", "") for part in parts]
    path = "/" + "/".join(part for part in kept if part not in ("", ".", ".."))
    raw = path.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    reference = ModelReference(LOCAL, raw)
    printed = str(reference)
    if len(printed) <= REFERENCE_CHARACTERS_MAX:
        assert parse_reference(printed) == reference
