"""The peers' virtual environments: made once, under `.cache/`, with pinned versions.

One that cannot be made leaves its folder behind, and what pip said is raised.
"""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CACHE: Final = Path(__file__).parents[2] / ".cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What one peer needs. `alone` is installed without what it asks for: `requirements` names what it really uses."""

    name: str
    requirements: tuple[str, ...]
    alone: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Named by what is in it: other pins make another."""
        pins = "\n".join((*self.requirements, *self.alone))
        return CACHE / f"peers-{self.name}-{hashlib.sha256(pins.encode()).hexdigest()[:8]}"

    @property
    def ready(self) -> bool:
        return (self.folder / "paddock-benchmark-ready").exists()

    def python(self) -> Path:
        """Its interpreter. Makes the environment when it is not there. Raises RuntimeError with pip's words."""
        python = self.folder / "bin" / "python"
        if not self.ready:
            print(f"making the environment of {self.name}", flush=True)
            _run([sys.executable, "-m", "venv", "--clear", self.folder])
            _run([python, "-m", "pip", "install", "--quiet", *self.requirements])
            if self.alone:
                _run([python, "-m", "pip", "install", "--quiet", "--no-deps", *self.alone])
            (self.folder / "paddock-benchmark-ready").touch()
        return python


MLX_LM: Final = Environment(name="mlx-lm", requirements=("mlx[cpu]==0.32.4", "mlx-lm==0.32.2"))
# All that vllm-mlx asks for is 5 GB (torch, gradio, opencv, for pictures and its own pages); text needs a tenth of it.
VLLM_MLX: Final = Environment(
    name="vllm-mlx",
    requirements=(
        "mlx[cpu]==0.32.4",
        "mlx-lm==0.31.3",
        "fastapi==0.165.0",
        "jsonschema==4.26.0",
        "pillow==12.3.0",
        "prometheus-client==0.26.0",
        "psutil==7.2.2",
        "python-multipart==0.0.34",
        "pytz==2026.6",
        "requests==2.34.2",
        "starlette==1.10.0",
        "tabulate==0.10.0",
        "transformers==5.23.0",
        "uvicorn==0.54.0",
    ),
    alone=("vllm-mlx==0.6.0",),
)
XLLAMACPP: Final = Environment(name="xllamacpp", requirements=("xllamacpp==2026.10.11549",))
ALL: Final = (MLX_LM, VLLM_MLX, XLLAMACPP)


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed: {done.stderr[-2000:]}")
