"""The cases that OpenAI's and Anthropic's SDKs are tested with, against a server of ours."""

import os

import pytest

from tests.conformance.__main__ import SETTINGS
from tests.conformance.cases import Case, Expected, name_models, run
from tests.conformance.report import differences, table
from tests.conformance.sources import SUITES
from tests.server.running import running

pytestmark = pytest.mark.xdist_group("conformance")


# Each case comes twice: with a client that reads answers leniently, and with a strict one, which hides nothing.
ONLY = "" if os.environ.get("PADDOCK_SOAK") else "strict"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """All of them, once."""
    folder = tmp_path_factory.mktemp("conformance")
    with running(folder, "--preload", "pony", **SETTINGS) as server:
        name_models(server)
        return [case for suite in SUITES for case in run(suite, server, Expected.read(), folder, only=ONLY)]


def test_the_sdks_own_cases_pass_but_for_those_that_are_named(cases: list[Case]) -> None:
    """Whoever changes what an endpoint takes or says hears from the people who write its clients."""
    assert not list(differences(cases, Expected.read())), table(cases)
