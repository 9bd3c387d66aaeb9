"""All rows, in the order in which they are measured: those with the same model follow each other."""

from benchmarks.rows import long_prompts, shared_prefix, throughput
from benchmarks.rows.connections import Connections
from benchmarks.rows.idle import Idle
from benchmarks.rows.row import Row
from benchmarks.rows.start import Start


def all_rows() -> list[Row]:
    return [*throughput.rows(), *shared_prefix.rows(), *long_prompts.rows(), Idle(), Connections(), Start()]
