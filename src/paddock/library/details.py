"""All that is known of one model: what `show` prints, and the rows that `compare` compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from paddock.library.judging import Judgement
from paddock.library.pulling.basis import Basis
from paddock.library.pulling.plan import MemoryAt
from paddock.library.records import KeptFile, ModelRecord
from paddock.library.trials.results import TrialResult
from paddock.vocabulary import Compatibility, ModelInfo, ModelStatus, Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDetails:
    """One model, here or at its source."""

    info: ModelInfo
    reference: str
    files: tuple[KeptFile, ...]
    facts_from: Mapping[str, str]  # which evidence decided each fact: files, hub, database, name, default
    compatibility: Compatibility
    memory: tuple[MemoryAt, ...]
    working_context: int
    memory_basis: str | None  # what the memory rests on: measured, headers, config or name
    notes: tuple[str, ...]
    verified_at: datetime | None = None
    added_at: datetime | None = None
    trial: TrialResult | None = None  # what it showed when these files were tried last

    @property
    def working_memory_bytes(self) -> int | None:
        """Peak memory at the working context; None when nobody can tell."""
        return next((step.peak_bytes for step in self.memory if step.context == self.working_context), None)


def details_of_record(
    record: ModelRecord, aliases: Sequence[str], judgement: Judgement, trial: TrialResult | None = None
) -> ModelDetails:
    return ModelDetails(
        info=record.info(aliases=aliases),
        reference=record.reference,
        files=record.files,
        facts_from=record.facts.origins,
        compatibility=judgement.compatibility,
        memory=judgement.memory,
        working_context=judgement.working_context,
        memory_basis=judgement.memory_basis,
        notes=judgement.problems,
        verified_at=record.verified_at,
        added_at=record.added_at,
        trial=trial,
    )


def details_of_basis(basis: Basis, status: ModelStatus) -> ModelDetails:
    """A model that is not here, as its source describes it."""
    listing, facts = basis.listing, basis.facts
    info = ModelInfo(
        name=basis.name,
        family=facts.family,
        format=facts.format,
        framework=facts.format.framework,
        size=sum(file.size or 0 for file in basis.chosen),
        parameters=facts.parameters,
        quantization=facts.quantization,
        context_window=facts.context_window,
        max_output_tokens=facts.max_output_tokens,
        modified_at=listing.modified_at or basis.told_at,
        capabilities=facts.capabilities,
        architecture=facts.architecture,
        source=listing.source,
        revision=listing.revision,
        status=status,
        origin=Origin.PULLED,
        license=listing.license,
        stale=basis.stale,
    )
    return ModelDetails(
        info=info,
        reference=str(listing.reference),
        files=tuple(
            KeptFile(path=file.path, size=file.size or 0, sha256=file.sha256, git_oid=file.git_oid, key=file.key)
            for file in basis.chosen
        ),
        facts_from=facts.origins,
        compatibility=basis.judgement.compatibility,
        memory=basis.judgement.memory,
        working_context=basis.judgement.working_context,
        memory_basis=basis.judgement.memory_basis,
        notes=basis.judgement.problems,
    )
