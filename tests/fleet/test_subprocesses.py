"""What is particular to runners that are child processes: nothing of them is left, and nothing of ours leaks to them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from paddock.errors import CrashedTwice, PaddockError, RunnerCrashed
from paddock.fleet.environment import runner_environment
from paddock.fleet.fleet import RunnerState
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.fleet.timing import FleetTiming
from paddock.vocabulary import GenerateRequest, Sampling
from tests.fleet.contract import ALPHABET, answer, ask, rest_of, toy
from tests.fleet.test_subprocesses_contract import QUICK, TOY_RUNNER

CYCLES = 200 if os.environ.get("PADDOCK_SOAK") else 25  # a leak is one each time
AT_ONCE = 8


@pytest.fixture
async def fleet() -> AsyncIterator[SubprocessFleet]:
    fleet = SubprocessFleet(command=TOY_RUNNER, timing=QUICK)
    yield fleet
    await fleet.close()


def descriptors() -> int:
    return psutil.Process().num_fds()


def children() -> list[psutil.Process]:
    """Those that this test started: a database server of other tests may live in the same process."""
    return [child for child in psutil.Process().children() if child not in _before]


_before: list[psutil.Process] = []


@pytest.fixture(autouse=True)
def _who_was_there_before() -> None:  # pyright: ignore[reportUnusedFunction] (pytest uses it)
    _before[:] = psutil.Process().children()


async def test_loads_and_unloads_leave_nothing(fleet: SubprocessFleet) -> None:
    """A server that runs for months loads and unloads all day."""

    async def cycle(number: int) -> None:
        runner = await fleet.start(toy(name=f"toy-{number}"))
        if number % 4 == 0:
            assert await answer(runner, ask(max_tokens=3)) == "abc"
        if number % 10 == 0:
            os.kill((await runner.stats()).pid or 0, signal.SIGKILL)
        await runner.stop()

    await cycle(0)
    before = descriptors()
    for start in range(1, CYCLES, AT_ONCE):
        await asyncio.gather(*(cycle(number) for number in range(start, min(start + AT_ONCE, CYCLES))))
    assert descriptors() == before
    assert children() == []
    assert len(asyncio.all_tasks()) == 1


async def test_failed_loads_leave_nothing(fleet: SubprocessFleet) -> None:
    before = descriptors()
    for path in ("dies", "refuses", "raises"):
        with pytest.raises(Exception, match="toy"):
            await fleet.start(toy(path))
    assert descriptors() == before
    assert children() == []


async def test_a_command_that_is_not_there_is_an_error_and_leaves_nothing() -> None:
    before = descriptors()
    fleet = SubprocessFleet(command=("/nowhere/python",), timing=QUICK)
    with pytest.raises(RunnerCrashed, match="No such file"):
        await fleet.start(toy())
    await fleet.close()
    assert descriptors() == before


async def test_a_program_that_does_not_speak_our_language_is_not_waited_for() -> None:
    program = "import os, sys, time; os.write(int(sys.argv[-1]), b'HTTP/1.1 200 OK' * 9); time.sleep(60)"
    words = (sys.executable, "-c", program)
    fleet = SubprocessFleet(command=words, timing=QUICK)
    with pytest.raises(RunnerCrashed) as error:
        await fleet.start(toy())
    assert error.value.code == "protocol"
    await fleet.close()
    assert children() == []


SERVER = """
import asyncio, signal, sys
from paddock.fleet.subprocesses import SubprocessFleet
from paddock.vocabulary import GenerateRequest, Sampling
from tests.fleet.contract import answer, ask, toy

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started with it ignored

async def main():
    fleet = SubprocessFleet(command=sys.argv[1:])
    runners = [await fleet.start(toy(name=name)) for name in ("idle", "busy", "frozen")]
    for runner, prompt in zip(runners[1:], ("!hang", "!freeze")):
        asyncio.create_task(answer(runner, ask(prompt)))
    await asyncio.sleep(0.3)
    print(*[runner._link.pid for runner in runners], flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_runner_outlives_its_server_however_it_ends(number: signal.Signals) -> None:
    """An orphan keeps gigabytes, and nobody knows of it. A stopped one is only found by the kernel, hence Linux alone."""
    root = Path(__file__).parents[2]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, *TOY_RUNNER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
    )
    with server:
        assert server.stdout is not None
        pids = [int(pid) for pid in server.stdout.readline().split()]
        assert len(pids) == 3
        server.send_signal(number)
    if sys.platform != "linux":
        os.kill(pids.pop(), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        assert time.monotonic() < deadline, "a runner outlived its server"
        time.sleep(0.02)


async def test_pauses_between_restarts_grow_and_end(tmp_path: Path) -> None:
    """A model that crashes at once must not keep a machine busy for ever."""
    timing = FleetTiming(restart_pause_s=0.1, restarts_max=3, stop_timeout_s=0.4)
    fleet = SubprocessFleet(command=TOY_RUNNER, timing=timing)
    runner = await fleet.start(toy(f"loads-once:{tmp_path / 'loaded'}"))
    began = time.monotonic()
    with pytest.raises(RunnerCrashed):
        await answer(runner, ask("!die"))
    with pytest.raises(RunnerCrashed, match="restarted 3 times"):
        await answer(runner, ask())
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4
    assert (runner.state, (await runner.stats()).restarts) == (RunnerState.FAILED, 3)
    await fleet.close()
    assert children() == []


async def test_a_stalled_server_blames_no_runner(fleet: SubprocessFleet) -> None:
    """A laptop that slept, or a loop that was blocked, has missed heartbeats that were sent."""
    runner = await fleet.start(toy())
    time.sleep(2 * QUICK.silence_max_s)
    assert await answer(runner, ask()) == ALPHABET[:10]
    assert (await runner.stats()).restarts == 0


async def test_noise_on_stderr_is_read_and_forgotten(fleet: SubprocessFleet) -> None:
    """A full pipe would block the runner; keeping it all would fill the server."""
    runner = await fleet.start(toy())
    stream = runner.generate(ask(max_tokens=4000))
    assert (await anext(stream)).text
    noise = asyncio.create_task(answer(runner, ask("!noise")))
    with pytest.raises(RunnerCrashed) as crashed:
        await rest_of(stream)
    with pytest.raises(CrashedTwice):
        await noise
    assert "these are my last words, from … at …" in crashed.value.hint


async def test_a_draft_that_breaks_is_given_up_and_the_answers_go_on(
    fleet: SubprocessFleet, caplog: pytest.LogCaptureFixture
) -> None:
    """Guesses only save time; the log says why it is slower from now on, and whose answer it was."""
    runner = await fleet.start(toy(draft_guesses=3))
    events = [event async for event in runner.generate(ask(max_tokens=60))]
    assert "".join(event.text for event in events) == (ALPHABET * 3)[:60]
    usage = events[-1].usage
    assert usage is not None
    assert 0 < usage.accepted_tokens <= 12
    assert await asyncio.gather(*(answer(runner, ask()) for _ in range(3))) == [ALPHABET[:10]] * 3
    assert (await runner.stats()).restarts == 0
    (line,) = [record.getMessage() for record in caplog.records if "draft_off" in record.getMessage()]
    assert "requests=request z#" in line
    assert "RuntimeError at toy_runner.py" in line
    assert "secret" not in line


async def test_log_lines_of_a_runner_name_the_request_and_nothing_that_it_said(
    fleet: SubprocessFleet, caplog: pytest.LogCaptureFixture
) -> None:
    """From the edge to the device one id tells what happened to a request; its words are nobody's business."""
    runner = await fleet.start(toy())
    for name, prompt in (("7f3a", "!poison of secrets"), ("8b1c", "!refuse secrets")):
        with pytest.raises(PaddockError) as failed:
            await answer(runner, GenerateRequest(id=name, prompt=prompt, sampling=Sampling(max_tokens=3)))
        assert f"`{name}`" in failed.value.message or name == "8b1c"
    with pytest.raises(RunnerCrashed, match="`9d2e`"):
        await answer(runner, GenerateRequest(id="9d2e", prompt="!raise secrets", sampling=Sampling(max_tokens=3)))
    with pytest.raises(PaddockError):
        await answer(runner, GenerateRequest(id="1\nforged line", prompt="!poison", sampling=Sampling(max_tokens=3)))
    lines = [record.getMessage() for record in caplog.records]
    assert not any("\n" in line.partition("stderr=")[0] for line in lines)
    for event, name in (
        ("request_failed", "7f3a"),
        ("step_refused", "8b1c"),
        ("step_broke", "9d2e"),
        ("ended", "9d2e"),
        ("request_crashed_twice", "9d2e"),
    ):
        assert any(line.startswith(f"runner.{event} ") and name in line for line in lines), (event, lines)
    assert not any("secrets" in line for line in lines)


def test_credentials_stay_out_of_a_runner_s_environment() -> None:
    """A model's process has no business with them, whatever is found in it one day."""
    secrets = dict.fromkeys(
        (
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "OPENAI_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "PADDOCK_ADMIN_KEY",
            "PADDOCK_HUB__TOKEN",
            "KAGGLE_KEY",
            "MLX_TOKEN",
            "CUDA_API_KEY",
            "HTTP_PROXY",
            "LD_PRELOAD",
            "DATABASE_URL",
            "SSH_AUTH_SOCK",
            "PATH_TO_SECRETS",
        ),
        "secret",
    )
    plain = {"PATH": "/bin", "HOME": "/home/me", "LC_ALL": "C", "OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "0"}
    kept = runner_environment(secrets | plain)
    assert plain.items() <= kept.items()
    assert "secret" not in kept.values()
    assert kept["HF_HUB_OFFLINE"] == "1"
