"""Properties 14 and 15 of document D: what is set reaches requests, and providers' options reach them unchanged."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.dialects.asking import OWN_FIELDS
from paddock.providers.definition import Kind, ProviderDefinition
from paddock.providers.settling import settled
from paddock.providers.speech import speech_of
from tests.providers.asking import OPEN, ask
from tests.providers.asking import settings as config

PARAMETERS = st.fixed_dictionaries(
    {},
    optional={"temperature": st.floats(0.0, 1.0), "max_tokens": st.integers(1, 10**6), "top_p": st.floats(0.0, 1.0)},
)
PLACES = {
    Kind.OPENAI: {"temperature": "temperature", "max_tokens": "max_tokens", "top_p": "top_p"},
    Kind.ANTHROPIC: {"temperature": "temperature", "max_tokens": "max_tokens", "top_p": "top_p"},
    Kind.OLLAMA: {"temperature": "temperature", "max_tokens": "num_predict", "top_p": "top_p"},
}
KINDS = st.sampled_from(sorted(PLACES))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OPTIONS = st.dictionaries(
    st.text("abcdefghijklmnopqrstuvwxyzABC_", min_size=1, max_size=12).filter(lambda name: name not in OWN_FIELDS),
    JSON,
    max_size=5,
)


def sent(kind: Kind, request: Any, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body as the far side reads it."""
    definition = ProviderDefinition(name="far", kind=kind, base_url="http://127.0.0.1:9", options=options or {})
    body = msgspec.json.decode(msgspec.json.encode(speech_of(definition).ask(request, request.model).body))
    return {**body, **body.get("options", {})} if kind is Kind.OLLAMA else body


@settings(max_examples=150, deadline=None)
@given(KINDS, PARAMETERS, PARAMETERS, PARAMETERS)
def test_property_14_generation_parameter_application(
    kind: Kind, base: dict[str, Any], own: dict[str, Any], asked: dict[str, Any]
) -> None:
    """For any configured parameters, they are applied to requests; what the caller says goes before them."""
    flags = {f"options.{name}": value for name, value in base.items()}
    flags |= {f"models.far-model.options.{name}": value for name, value in own.items()}
    request = settled(ask(sampling=asked, left_open=OPEN - asked.keys()), config(flags))
    body = sent(kind, request)
    expected = {**base, **own, **asked}
    for name, value in expected.items():
        assert body[PLACES[kind][name]] == value
    for name, place in PLACES[kind].items():
        if name not in expected and not (kind is Kind.ANTHROPIC and name == "max_tokens"):
            assert place not in body, "what nobody set is left to the far side"


@settings(max_examples=150, deadline=None)
@given(KINDS, OPTIONS)
def test_property_15_provider_options_pass_through(kind: Kind, options: dict[str, Any]) -> None:
    """For any provider-specific options, they are passed on without modification."""
    body = sent(kind, ask(), options)
    assert {name: body[name] for name in options} == options
