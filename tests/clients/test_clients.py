"""The clients that people bring, unmodified, against the real server: each is a program of its own in python/ or node/.

They live in an environment of their own (`.venv-clients`), because they want another `openai` than the tests do.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server.running import Process

HERE = Path(__file__).parent
PYTHON = Path(__file__).parents[2] / ".venv-clients" / "bin" / "python"

pytestmark = pytest.mark.xdist_group("clients")  # one server for all of them


def drive(server: Process, *command: str) -> None:
    """Run a client's program to its end; it prints `done` when every expectation held."""
    finished = subprocess.run(
        [*command, f"{server.address}/v1"],
        cwd=server.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(server.folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.rstrip().endswith("done")


@pytest.mark.parametrize("program", sorted(path.name for path in (HERE / "python").glob("*.py")))
def test_clients_for_python_work_unchanged(server: Process, program: str) -> None:
    """Whoever changes one line, the base URL, must not have to change another."""
    drive(server, str(PYTHON), str(HERE / "python" / program))


@pytest.mark.parametrize("program", sorted(path.name for path in (HERE / "node").glob("*.mjs")))
def test_clients_for_node_work_unchanged(server: Process, program: str) -> None:
    """The same from Node."""
    node = shutil.which("node")
    assert node is not None, "Node is missing: apt-get install nodejs npm"
    drive(server, node, str(HERE / "node" / program))
