"""Makes the peers' environments ahead of time: `python -m benchmarks peers`. Otherwise a benchmark makes what it needs."""

from collections.abc import Iterator

from benchmarks.measure import Result
from benchmarks.serving.environments import ALL


def main() -> Iterator[Result]:
    for environment in ALL:
        environment.python()
        print(f"{environment.name}: {', '.join((*environment.alone, *environment.requirements[:2]))}", flush=True)
    yield from ()
