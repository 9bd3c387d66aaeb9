"""What a trial found out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """One model, on one device, as it was tried last."""

    model: str
    revision: str  # of the files that were tried
    device: str  # empty when it did not load
    tried_at: datetime
    loads: bool
    sane: bool  # answers are text, vectors are vectors; no numbers that are none
    load_seconds: float | None = None
    memory_bytes: int | None = None  # of its process after the trial
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None  # after the first; of inputs for a model that embeds
    can: Mapping[str, bool] = field(default_factory=dict[str, bool])  # tools, json, thinking, vision, embeddings
    remarks: tuple[str, ...] = ()  # why something is not so, a sentence each

    @property
    def passed(self) -> bool:
        """Whether it can be used at all. Not every model needs to call tools."""
        return self.loads and self.sane
