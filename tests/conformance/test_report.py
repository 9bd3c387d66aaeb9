"""The comparison itself: what differs from the list is said, whichever way it differs."""

from tests.conformance.cases import Case, Expected, How
from tests.conformance.report import differences, share

EXPECTED = Expected(
    refused=[{"endpoint": "POST /v1/x", "field": "audio", "reason": "Text only."}],
    fails=[{"suite": "openai", "cases": "test_x.py::*cancel*", "reason": "Nothing to cancel."}],
)
LEFT_OUT = Case("openai", "tests/api_resources/test_x.py::test_all", How.WITHOUT, (("POST /v1/x", "audio"),), "")
CANCEL = Case("openai", "tests/api_resources/test_x.py::test_cancel", How.FAILED, (), "400")
PASSES = [Case("openai", f"tests/api_resources/test_x.py::test_{number}", How.AS_IT_IS, (), "") for number in range(30)]


def test_what_is_as_expected_has_no_differences() -> None:
    """A list that is true says nothing."""
    assert not list(differences([LEFT_OUT, CANCEL, *PASSES], EXPECTED))


def test_every_difference_is_told() -> None:
    """New failures, entries that nothing needs, failures that are none any more, and too many of them."""
    cases = [Case("openai", "tests/api_resources/test_x.py::test_new", How.FAILED, (), "500: broken"), PASSES[0]]
    told = list(differences(cases, EXPECTED))
    assert [line.partition(" ")[0] for line in told] == ["openai:", "Nothing", "No", "50.0%"]
    assert "500: broken" in told[0]
    cancelled = Case("openai", CANCEL.name, How.AS_IT_IS, (), "")
    assert any("expected to fail" in line for line in differences([LEFT_OUT, cancelled, *PASSES], EXPECTED))


def test_cases_of_others_count_neither_way() -> None:
    """A server is measured by what it serves."""
    others = [Case("openai", "a", How.ELSEWHERE, (), ""), Case("openai", "b", How.CLIENT, (), "")]
    assert share([*PASSES, CANCEL, *others], EXPECTED) == 30 / 31
    blind = Expected(refused=[], fails=[{**EXPECTED.fails[0], "by": "client"}])
    assert share([*PASSES, CANCEL], blind) == 1
