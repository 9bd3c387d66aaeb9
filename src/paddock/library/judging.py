"""From what a model is to what it means here: whether it will run, and how much memory it will take. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from paddock.catalog.compatibility import judge
from paddock.catalog.correcting import MemoryFacts, corrected
from paddock.catalog.evidence.config import is_remote_code
from paddock.catalog.sizing import WORKING_CONTEXT, Device, MemoryEstimate, estimate_memory
from paddock.library.inspection import Inspection
from paddock.library.machine import Machine
from paddock.library.pulling.plan import MemoryAt
from paddock.vocabulary import Compatibility, ModelFormat, Verdict

_WEIGHTS = (".safetensors", ".gguf")
_PACKED = Compatibility(
    verdict=Verdict.UNKNOWN, reasons=("Its files come in an archive; what is in it shows when it is here.",)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one inspection means on one machine."""

    compatibility: Compatibility
    memory: tuple[MemoryAt, ...]  # by context length, ascending; empty when nobody can tell
    working_context: int
    problems: tuple[str, ...] = ()
    memory_basis: str | None = None  # what the memory rests on: measured, headers, config or name


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges for one machine, where models may fill `budget_bytes` together."""

    machine: Machine
    budget_bytes: int

    def judge(
        self,
        name: str,
        inspection: Inspection,
        sizes: Sequence[tuple[str, int | None]],
        *,
        tags: Sequence[str] = (),
        gated: bool = False,
        packed: bool = False,
        measured: Sequence[MemoryFacts] = (),
    ) -> Judgement:
        """`sizes` are the files that would be loaded, with their bytes; `packed`: they are one archive, still closed;
        `measured`: what earlier loads of the same files took here."""
        facts = inspection.facts
        estimate = self.estimate(inspection, sizes, measured)
        peaks = {context: estimate.peak_bytes(context) for context in estimate.contexts} if estimate else {}
        if packed and facts.format is ModelFormat.UNKNOWN:
            return Judgement(
                compatibility=_PACKED, memory=(), working_context=min(WORKING_CONTEXT, facts.context_window)
            )
        compatibility = judge(
            name=name,
            files=[path for path, _ in sizes],
            format=facts.format,
            tags=tags,
            architecture=facts.architecture,
            remote_code=is_remote_code(inspection.config or {}),
            quantization_method=_quantization_method(inspection),
            gated=gated,
        )
        if inspection.damaged:  # whatever its maker says of it
            reasons = (*compatibility.reasons, *inspection.damaged)
            compatibility = Compatibility(verdict=Verdict.INCOMPATIBLE, reasons=reasons)
        return Judgement(
            compatibility=compatibility,
            memory=tuple(
                MemoryAt(context=context, peak_bytes=peak, fits=peak <= self.budget_bytes)
                for context, peak in sorted(peaks.items())
            ),
            working_context=min(WORKING_CONTEXT, facts.context_window),
            problems=inspection.problems,
            memory_basis=estimate.basis if estimate else None,
        )

    def estimate(
        self, inspection: Inspection, sizes: Sequence[tuple[str, int | None]], measured: Sequence[MemoryFacts] = ()
    ) -> MemoryEstimate | None:
        """How much memory it takes; None when nobody can tell. Parameters as for `judge`."""
        device = Device(self.machine.device)
        estimate = estimate_memory(
            facts=inspection.facts,
            device=device,
            config=inspection.config,
            safetensors=inspection.safetensors,
            gguf=inspection.gguf,
            stored_bytes=sum(size or 0 for path, size in sizes if path.lower().endswith(_WEIGHTS)) or None,
            budget_bytes=self.budget_bytes,
            cores=self.machine.cores,
        )
        return estimate and corrected(estimate, measured, with_process=device is Device.CPU)


def _quantization_method(inspection: Inspection) -> str | None:
    settings: Any = (inspection.config or {}).get("quantization_config")
    method = cast("dict[str, Any]", settings).get("quant_method") if isinstance(settings, dict) else None
    return method if isinstance(method, str) else None
