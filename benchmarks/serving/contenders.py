"""Who is measured. Each is started with its defaults; what is set is the port, the model, and one BLAS for all."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.gguf_model import as_gguf
from benchmarks.models import CACHE, hub_cache
from benchmarks.serving.engine_alone import EngineServing, engine_serving
from benchmarks.serving.environments import MLX_LM, VLLM_MLX, XLLAMACPP
from benchmarks.serving.http import HttpServing, asking
from benchmarks.serving.processes import free_port, server_process, wait_until_it_answers
from benchmarks.serving.serving import Contender, Serving
from paddock.runner.mlx.blas import candidates

LLAMA_STREAMS: Final = 16
_LLAMA_CONTEXT: Final = 2048  # of each stream
_PADDOCK: Final = Path(sys.executable).with_name("paddock")
_LOGS: Final = CACHE / "logs"


def same_blas() -> str | None:
    """The library that Paddock takes here, to be put before a peer's own; None where MLX has a fast one."""
    if sys.platform != "linux":
        return None
    return next((each for each in candidates([Path(sys.prefix)]) if Path(each).is_absolute()), None)


@dataclass(frozen=True, slots=True)
class EngineAlone:
    """Paddock's runner, asked over its own wire from this process: what is left when the server is taken away."""

    name: str = "Paddock's engine alone"
    may_pause: bool = False

    @asynccontextmanager
    async def serving(self, model: Path) -> AsyncGenerator[EngineServing]:
        async with engine_serving(model) as serving:
            yield serving


@dataclass(frozen=True, slots=True)
class PaddockServer:
    """`paddock serve` as it comes, with a home of its own; the model is loaded by the first request."""

    name: str = "Paddock"
    may_pause: bool = False

    @asynccontextmanager
    async def serving(self, model: Path) -> AsyncGenerator[HttpServing]:
        home, name = hub_cache(model)
        async with paddock_serve(name, hub_home=home) as serving:
            yield serving


@asynccontextmanager
async def paddock_serve(model: str, *, hub_home: Path) -> AsyncGenerator[HttpServing]:
    """A fresh server that is ready and has nothing loaded. It is not asked before it says so."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = _LOGS / "paddock.log"
    with tempfile.TemporaryDirectory() as folder:
        variables = {"PADDOCK_HOME": folder, "PADDOCK_SERVER__PORT": str(port), "HF_HOME": str(hub_home)}
        async with server_process([_PADDOCK, "serve"], variables, log=log) as process:
            await wait_until_it_answers(f"{address}/readyz", process, log, every_s=0.02)
            async with asking(address, model, process) as serving:
                yield serving


@dataclass(frozen=True, slots=True)
class Peer:
    """A server of somebody else, in an environment of its own."""

    name: str
    python: Callable[[], Path]  # the interpreter of its environment
    arguments: tuple[str, ...]  # behind the interpreter; {model} and {port} are filled in
    fast_blas: bool = True  # False: as it is installed
    gguf: bool = False  # it takes weight files
    may_pause: bool = True

    @asynccontextmanager
    async def serving(self, model: Path) -> AsyncGenerator[HttpServing]:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        log = _LOGS / f"{self.name.replace('/', '-').replace(' ', '-')}.log"
        weights = as_gguf(model) if self.gguf and model.suffix != ".gguf" else model
        filled = [each.format(model=weights, port=port) for each in self.arguments]
        command = [await asyncio.to_thread(self.python), *filled]
        preload = same_blas() if self.fast_blas else None
        async with server_process(command, {}, log=log, preload=preload) as process:
            await wait_until_it_answers(f"{address}/v1/models", process, log)
            async with asking(address, str(weights), process) as serving:
                yield serving


@dataclass(frozen=True, slots=True)
class OfGguf:
    """A contender that is given the same weights as one GGUF file."""

    inner: Contender

    @property
    def name(self) -> str:
        return f"{self.inner.name}, GGUF"

    @property
    def may_pause(self) -> bool:
        return self.inner.may_pause

    def serving(self, model: Path) -> AbstractAsyncContextManager[Serving]:
        return self.inner.serving(as_gguf(model))


_MLX_LM_SERVER: Final = ("-m", "mlx_lm", "server", "--model", "{model}", "--host", "127.0.0.1", "--port", "{port}")
_VLLM_MLX_SERVER: Final = (
    *("-m", "vllm_mlx.cli", "serve", "{model}", "--host", "127.0.0.1", "--port", "{port}"),
    "--continuous-batching",
)
_LLAMA_SERVER: Final = (
    *(str(Path(__file__).with_name("llamacpp_server.py")), "{model}", "{port}"),
    *(str(LLAMA_STREAMS), str(_LLAMA_CONTEXT)),
)

ENGINE: Final = EngineAlone()
PADDOCK: Final = PaddockServer()
MLX_LM_INSTALLED: Final = Peer("mlx_lm.server, as installed", MLX_LM.python, _MLX_LM_SERVER, fast_blas=False)
MLX_LM_SAME_BLAS: Final = Peer("mlx_lm.server, same BLAS", MLX_LM.python, _MLX_LM_SERVER)
VLLM: Final = Peer("vllm-mlx, same BLAS", VLLM_MLX.python, _VLLM_MLX_SERVER)
LLAMA: Final = Peer("llama.cpp's server", XLLAMACPP.python, _LLAMA_SERVER, fast_blas=False, gguf=True)
