"""A process with a library of its own: what tests kill, and what competes for a disk.

    python -m tests.library.process FOLDER BUILTIN FREE_BYTES REFERENCE

The environment is that of `Site.variables`. Prints one JSON line: the model, or the error that ended it.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from paddock.app import World, open_library
from paddock.config.sources import load_config
from paddock.errors import PaddockError
from paddock.library.machine import Machine
from paddock.library.pulling.plan import PullOptions


async def run(folder: Path, builtin_models: Path, free_bytes: int, reference: str) -> dict[str, object]:
    """Pull one model on a disk that says it has `free_bytes`."""
    config = load_config(environment=os.environ, workspace=folder)
    world = World(
        free_space=lambda _: free_bytes,
        machine=lambda: Machine("cpu", 64 << 30, 64 << 30),
        builtin_models=builtin_models,
    )
    async with open_library(config, world) as library:
        try:
            model = await library.pull(reference, PullOptions(force=True))
        except PaddockError as error:
            return {"code": error.code, "message": error.message, "hint": error.hint}
    return {"name": model.name, "path": model.path}


if __name__ == "__main__":
    folder, builtin_models, free_bytes, reference = sys.argv[1:]
    print(json.dumps(asyncio.run(run(Path(folder), Path(builtin_models), int(free_bytes), reference))))
