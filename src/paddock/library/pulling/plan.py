"""What a pull would do, told before it does anything: bytes, disk, memory, verdict. A plan is plain data.

`paddock plan` prints one and `pull` carries one out; both come from `Planner` (planner.py), so they never disagree.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from paddock.catalog.facts import Facts
from paddock.errors import Incompatible, NotEnoughMemory, PaddockError
from paddock.store.space import DiskOutcome, DiskVerdict
from paddock.units import human_bytes
from paddock.vocabulary import Compatibility, ModelFormat, SourceKind, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """What the person asked for beside the model. `skip_check` skips the verdict, `force` the memory and factor checks;
    nothing skips the disk floor."""

    skip_check: bool = False
    force: bool = False
    name: str | None = None  # call it this instead of its own name
    pin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    path: str
    size: int | None
    here: bool  # its content is on this disk already
    sha256: str | None = None
    git_oid: str | None = None
    key: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryAt:
    """Peak memory with this many tokens in the context."""

    context: int
    peak_bytes: int
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything there is to know before a pull."""

    reference: str
    name: str
    source: SourceKind
    revision: str
    format: ModelFormat
    framework: str
    license: str | None
    gated: bool
    files: tuple[PlannedFile, ...]
    total_bytes: int
    here_bytes: int
    fetch_bytes: int
    size_known: bool  # False when the source would not tell the size of every file
    facts: Facts
    compatibility: Compatibility
    disk_path: str  # the folder whose disk the files fill
    disk: DiskVerdict
    device: str
    memory_budget_bytes: int
    memory: tuple[MemoryAt, ...]  # at 4k, at the working context, at the model's maximum; empty when nobody can tell
    working_context: int
    memory_basis: str | None = None  # what the memory rests on: measured, headers, config or name
    warnings: tuple[str, ...] = ()
    stale: bool = False  # made from what the source told earlier
    told_at: datetime

    @property
    def fits_memory(self) -> bool:
        """At the working context. True when nobody can tell: we do not refuse on a guess."""
        return all(step.fits for step in self.memory if step.context == self.working_context)

    def refusal(self, options: PullOptions | None = None) -> PaddockError | None:
        """Why this must not be pulled, strongest reason first; None when it may."""
        options = options or PullOptions()
        if self.disk.outcome is DiskOutcome.REFUSED:
            return self.disk.refusal(self.name)
        if self.compatibility.verdict is Verdict.INCOMPATIBLE and not options.skip_check:
            return Incompatible(
                f"`{self.name}` will not run: {' '.join(self.compatibility.reasons)}",
                hint="Look for another build with `paddock search`, or fetch it all the same with `--skip-check`.",
            )
        if not self.fits_memory and not (options.force or options.skip_check):
            peak = next(step.peak_bytes for step in self.memory if step.context == self.working_context)
            return NotEnoughMemory(
                f"`{self.name}` needs {human_bytes(peak)} of memory at {self.working_context} tokens; "
                f"models may fill {human_bytes(self.memory_budget_bytes)} here.",
                hint="Choose a smaller quantization, raise `pool.memory`, or fetch it all the same with `--force`.",
            )
        return None


def fetched_already(plan: Plan) -> Plan:
    """The same plan where nothing is left to fetch."""
    files = tuple(replace(file, here=True) for file in plan.files)
    return replace(plan, files=files, here_bytes=plan.total_bytes, fetch_bytes=0)
