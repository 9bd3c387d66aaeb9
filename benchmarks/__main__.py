"""Runs the benchmarks named on the command line, or all of them, and exits 1 when a promise is missed."""

import argparse
import importlib
import sys
from collections.abc import Iterator
from typing import cast

from benchmarks import engine
from benchmarks.measure import Result, machine
from benchmarks.rows.row import USUAL_MINUTES, Options

ALL = (
    "startup",
    "listing",
    "lookups",
    "routing",
    "router",
    "audit",
    "pull",
    "embeddings",
    "engine",
    "speculation",
    "held",
    "vision",
    "memory",
)


def main(arguments: argparse.Namespace) -> None:
    print(machine())
    missed = 0
    for name in arguments.names or ALL:
        for result in _results(name, arguments):
            print(result, flush=True)
            missed += not result.kept
    sys.exit(1 if missed else 0)


def _results(name: str, arguments: argparse.Namespace) -> Iterator[Result]:
    if name == "engine":
        rows = [each for each in arguments.rows.split(",") if each]
        return engine.main(rows, Options(rounds=arguments.rounds, quick=arguments.quick, minutes=arguments.minutes))
    module = importlib.import_module(f"benchmarks.{name}")
    return cast("Iterator[Result]", module.main())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(ALL)}; peers makes their environments")
    parser.add_argument("--rows", default="", help="of engine: their names, with commas; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="of engine")
    parser.add_argument("--minutes", type=float, default=USUAL_MINUTES, help="of engine: about how long it may take")
    parser.add_argument("--quick", action="store_true", help="of engine: a tiny model, to see that it works")
    main(parser.parse_args())
