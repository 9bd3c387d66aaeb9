"""The SDKs' own cases against a server of one's own: `python -m tests.conformance`, a minute or so.

Prints how many pass as they are, how many once the fields that are refused by name are left out, and why. Ends with 1 when
anything differs from expected.toml.
"""

import sys
import tempfile
from pathlib import Path

from tests.conformance.cases import Expected, name_models, run
from tests.conformance.report import differences, reasons, share, table
from tests.conformance.sources import SUITES
from tests.server.running import running

SETTINGS = {"PADDOCK_OPTIONS__MAX_TOKENS": "16"}  # what is said matters to no case


def main() -> int:
    expected = Expected.read()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder, "--preload", "pony", **SETTINGS) as server:
            name_models(server)
            cases = [case for suite in SUITES for case in run(suite, server, expected, folder)]
    print(table(cases))
    print(f"\n{share(cases, expected):.1%} of the cases that concern what is served here pass.\n")
    print(reasons(cases, expected))
    different = list(differences(cases, expected))
    print("\n" + "\n".join(different) if different else "\nAll as expected.")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
