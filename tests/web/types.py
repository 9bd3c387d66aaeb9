"""The types of the API that the dashboard is written in: `python -m tests.web.types` writes them anew (`make types`).

They are made of the server's own description, cut down to the addresses that a source file of `web/` names.
"""

import asyncio
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.server.running import served

WEB = Path(__file__).parents[2] / "web"
TYPES = WEB / "source" / "api" / "schema.ts"
_REFERENCE = "#/components/schemas/"


async def describe(folder: Path) -> dict[str, Any]:
    """What a server says of itself."""
    async with served(folder) as server:
        return (await server.client.get("/openapi.json")).json()


def write(document: dict[str, Any], file: Path) -> None:
    """Types for what the dashboard uses of `document`."""
    with tempfile.TemporaryDirectory() as folder:
        cut = Path(folder) / "openapi.json"
        cut.write_text(json.dumps(_cut(document)))
        generator = WEB / "node_modules" / ".bin" / "openapi-typescript"
        subprocess.run([generator, cut, "--default-non-nullable", "false", "-o", file], check=True, capture_output=True)


def _cut(document: dict[str, Any]) -> dict[str, Any]:
    sources = "".join(path.read_text() for path in sorted(WEB.glob("source/**/*.ts*")) if path != TYPES)
    paths = {path: value for path, value in document["paths"].items() if f'"{path}"' in sources}
    schemas, wanted = document["components"]["schemas"], set[str]()
    reached = _named(paths)
    while reached:
        wanted |= reached
        reached = set[str]().union(*(_named(schemas[name]) for name in reached)) - wanted
    kept = {name: schema for name, schema in schemas.items() if name in wanted}
    return {**document, "paths": paths, "components": {**document["components"], "schemas": kept}}


def _named(value: Any) -> set[str]:
    return set(re.findall(re.escape(_REFERENCE) + r"(\w+)", json.dumps(value)))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(asyncio.run(describe(Path(folder))), TYPES)


if __name__ == "__main__":
    main()
