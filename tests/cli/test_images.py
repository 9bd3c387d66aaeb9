"""`--image`: pictures from the command line, with a server and without, and in conversations that are kept."""

import json
import os
from pathlib import Path

import pytest

import paddock as api
from tests.cli.test_speaking import GREEDY, paddock
from tests.server.running import running
from tests.server.test_seeing import BLUE, QUESTION, RED


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "red.png").write_bytes(RED)
    (tmp_path / "blue.png").write_bytes(BLUE)
    return {
        **os.environ,
        "PADDOCK_HOME": str(tmp_path / "paddock"),
        "HF_HOME": str(tmp_path / "hf"),
        "OLLAMA_MODELS": str(tmp_path / "o"),
    }


def test_what_cannot_be_shown_says_why(variables: dict[str, str], tmp_path: Path) -> None:
    picture = str(tmp_path / "red.png")
    done = paddock(["run", "pony", "What is it?", "--image", picture, *GREEDY], variables)
    assert done.returncode == 2
    assert "reads no images" in done.stderr
    assert "pony-vision" in done.stderr
    done = paddock(["run", "pony-vision", "What is it?", "--image", picture + "s", *GREEDY], variables)
    assert done.returncode == 2
    assert "red.pngs" in done.stderr


def test_a_conversation_is_kept_with_its_pictures(variables: dict[str, str], tmp_path: Path) -> None:
    """Going on with it, the model sees again what it saw."""
    spoken = f"/image {tmp_path / 'nothing.png'}\n/image {tmp_path / 'blue.png'}\n{QUESTION}\n"
    done = paddock(["chat", "pony-vision", "--json", *GREEDY], variables, stdin=spoken)
    assert done.returncode == 0, done.stderr
    assert "nothing.png" in done.stderr
    assert "blue" in json.loads(done.stdout)["text"].lower()
    again = paddock(["chat", "--resume", "last", "--json", *GREEDY], variables, stdin=f"{QUESTION}\n")
    assert "blue" in json.loads(again.stdout)["text"].lower(), again.stderr


def test_a_server_is_asked_by_the_command_line_and_by_programs(variables: dict[str, str], tmp_path: Path) -> None:
    """Neither needs a folder that the server may read: they send the picture itself."""
    with running(tmp_path) as server:
        words = ["run", "pony-vision", QUESTION, "--image", str(tmp_path / "blue.png"), *GREEDY]
        done = paddock(words, variables)
        assert "blue" in done.stdout.lower(), done.stderr
        assert len(server.runners) == 1  # the server's, not the command's
        with api.open_sync(server.address) as models:
            question = api.Message(role="user", content=QUESTION, images=(api.picture(tmp_path / "red.png"),))
            assert "red" in models.chat(question, model="pony-vision", temperature=0).text.lower()
            session = models.session("pony-vision", temperature=0)
            assert "red" in session.say(question).text.lower()
            assert session.messages[0] == question
            session.close()
