"""Other servers to measure against, each as a whole, over HTTP, in a virtual environment of its own.

The environment is made once, under `.cache/`, with pinned versions. One that cannot be made leaves its folder behind, and
what pip said is raised.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CACHE: Final = Path(__file__).parents[1] / ".cache"
_MLX_LM: Final = ("mlx[cpu]==0.32.4", "mlx-lm==0.32.2")
_START_S: Final = 120.0
_ANSWER_S: Final = 900.0  # the reference BLAS is slow
_DONE: Final = "paddock-benchmark-ready"
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever proxies are set


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: its text, and how many tokens the answer has."""

    prompt: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Round:
    """All requests at once, and what came back."""

    prompt_tokens: int
    completion_tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        return self.completion_tokens / self.seconds


class Server:
    """A server that speaks the OpenAI dialect."""

    def __init__(self, address: str, model: str) -> None:
        self._address = address
        self._model = model

    def answer(self, asks: Sequence[Ask]) -> Round:
        """Ask for all of them at the same moment and wait for the last."""
        with ThreadPoolExecutor(len(asks)) as pool:
            began = time.perf_counter()
            usages = list(pool.map(self._one, asks))
            seconds = time.perf_counter() - began
        return Round(sum(usage[0] for usage in usages), sum(usage[1] for usage in usages), seconds)

    def _one(self, ask: Ask) -> tuple[int, int]:
        body = {"model": self._model, "prompt": ask.prompt, "max_tokens": ask.tokens, "temperature": 0}
        request = urllib.request.Request(
            f"{self._address}/v1/completions",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with _DIRECT.open(request, timeout=_ANSWER_S) as answer:
            usage = json.load(answer)["usage"]
        return usage["prompt_tokens"], usage["completion_tokens"]


@contextmanager
def mlx_lm_server(model: Path, *, preload: Path | None = None) -> Generator[Server]:
    """`mlx_lm.server` with `model`, as it is installed; `preload` is a BLAS that takes the place of MLX's own."""
    python = _environment("peers-mlx-lm", _MLX_LM)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    variables |= {"HF_HUB_OFFLINE": "1", **({"LD_PRELOAD": str(preload)} if preload else {})}
    process = subprocess.Popen(
        [python.parent / "mlx_lm.server", "--model", model, "--host", "127.0.0.1", "--port", str(port)],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address, process)
        yield Server(address, str(model))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    """Until it answers. Raises RuntimeError when it ends or takes too long."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with _DIRECT.open(f"{address}/v1/models", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"mlx_lm.server did not start: exit status {process.poll()}")


def _environment(name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of a virtual environment with `requirements`."""
    folder = _CACHE / name
    python = folder / "bin" / "python"
    if not (folder / _DONE).exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        (folder / _DONE).touch()
    return python
