"""A real BLAS is found, loaded before MLX, and used; without one the remedy is told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paddock.runner.mlx.blas import candidates, load_blas, physical_cores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="macOS brings a fast BLAS of its own")

_MEASURE = """
import json, sys, time
from pathlib import Path
from paddock.runner.mlx import blas as module
{before}
blas = module.load_blas(threads=1)
import mlx.core as mx
a = mx.random.normal((768, 768)); mx.eval(a @ a)
best = min((mx.eval(a), time.perf_counter(), mx.eval(a @ a), time.perf_counter()) for _ in range(4))
seconds = min(e - b for b, e in [(t[1], t[3]) for t in [best]])
print(json.dumps([blas.name, blas.path, blas.threads, blas.remedy, blas.fast, seconds]))
"""


def in_a_fresh_process(before: str) -> list[object]:
    code = _MEASURE.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_a_library_that_the_machine_has_makes_products_fast() -> None:
    """Thirty times is the difference between usable and not; a third of that must show even on a busy machine."""
    name, path, threads, remedy, fast, seconds = in_a_fresh_process("")
    if name == "reference":
        pytest.fail(f"this machine has no BLAS to test with: {remedy}")
    slow = in_a_fresh_process("module.candidates = lambda prefixes: iter(())")
    assert (threads, remedy, fast) == (1, None, True)
    assert path
    assert slow[0] == "reference"
    assert "apt install" in str(slow[3])
    assert float(str(slow[5])) > 3 * float(str(seconds))


def test_after_mlx_it_is_too_late_and_that_is_said() -> None:
    """Silence here would cost a factor of thirty."""
    name, _, _, remedy, fast, _ = in_a_fresh_process("import mlx.core")
    assert (name, fast) == ("reference", False)
    assert "before" in str(remedy)


def test_mkl_is_looked_for_where_pip_puts_it(tmp_path: Path) -> None:
    """The package `mkl` has no Python in it: its library lies in the environment's own lib folder."""
    (tmp_path / "lib").mkdir()
    library = tmp_path / "lib" / "libmkl_rt.so.2"
    library.touch()
    assert str(library) in list(candidates([tmp_path]))


def test_a_library_that_is_none_is_passed_over(tmp_path: Path) -> None:
    """A broken file in the first place must not keep the good one in the second from being used."""
    broken = tmp_path / "libopenblas.so.0"
    broken.write_bytes(b"no library")
    before = (
        f"found = list(module.candidates([])); module.candidates = lambda prefixes: iter([{str(broken)!r}, *found])"
    )
    name, path, *_ = in_a_fresh_process(before)
    assert path != str(broken)
    assert name != "reference"


def test_one_process_has_one_blas() -> None:
    """The second caller is told what the first one got."""
    assert load_blas(threads=1) is load_blas(threads=2)
    assert physical_cores() >= 1
