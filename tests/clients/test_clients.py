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


def test_a_client_that_is_generated_from_the_description_works(server: Process, tmp_path: Path) -> None:
    """Types of calls and answers come out of `/openapi.json`: a program on them compiles, strictly, and runs as they say.

    `tsc` refuses the program when the description lacks a field that it uses; running it shows that the server keeps it.
    """
    tools = HERE / "node" / "node_modules"
    assert tools.is_dir(), "its packages are missing: `npm ci` in tests/clients/node"
    for name in ("client.ts", "tsconfig.json"):
        shutil.copy(HERE / "node" / "generated" / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(tools.resolve())
    document = f"{server.address}/openapi.json"
    for command in (
        (tools / ".bin" / "openapi-typescript", document, "--default-non-nullable", "false", "-o", tmp_path / "api.ts"),
        (tools / ".bin" / "tsc", "-p", tmp_path),
    ):
        made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    node = shutil.which("node")
    assert node is not None, "Node is missing: apt-get install nodejs npm"
    drive(server, node, str(tmp_path / "client.js"), "ollama://tiny:chatty")
