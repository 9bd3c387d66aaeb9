"""Which models read pictures, and what is said of one that does not."""

from collections.abc import Iterable, Sequence
from typing import Final

from paddock.errors import UsageError
from paddock.vocabulary import Message, ModelInfo

_NAMED_MAX: Final = 3


def shows_pictures(messages: Iterable[Message] | None) -> bool:
    """Whether there are any in a conversation."""
    return any(message.images for message in messages or ())


def seeing_models(models: Iterable[ModelInfo]) -> Sequence[str]:
    """The names of those that read pictures and run here."""
    return [model.name for model in models if model.capabilities.vision and model.format.runs_here]


def reads_no_images(name: str, others: Sequence[str]) -> UsageError:
    """For pictures to a model that would not see them. `others` are models that would."""
    named = ", ".join(f"`{other}`" for other in others[:_NAMED_MAX])
    return UsageError(
        f"`{name}` reads no images.",
        hint=f"Send text, or ask a model that does: {named}."
        if named
        else "Send text, or pull a model that does; `paddock search vision` finds some.",
        param="model",
    )
