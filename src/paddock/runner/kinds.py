"""What is said to whoever asks a model for what its kind does not do. Each names the endpoint that the model answers."""

from paddock.errors import WrongKindOfModel

_EMBEDS = "`/v1/embeddings`"
_RERANKS = "`/v1/rerank`"
_CHATS = "`/v1/chat/completions`"


def no_vectors(name: str) -> WrongKindOfModel:
    """A model that writes was asked for embeddings or scores."""
    return WrongKindOfModel(
        f"`{name}` writes text; it makes no embeddings and scores no documents.",
        hint=f"Ask it through {_CHATS}, or ask a model for embeddings, such as `pony-embed`.",
        param="model",
    )


def no_text(name: str) -> WrongKindOfModel:
    """A model that embeds was asked to write."""
    return WrongKindOfModel(
        f"`{name}` makes embeddings; it writes no text.",
        hint=f"Ask it through {_EMBEDS}, or ask a model that writes; `paddock list` shows them.",
        param="model",
    )


def only_scores(name: str) -> WrongKindOfModel:
    """A reranker was asked for something else."""
    return WrongKindOfModel(
        f"`{name}` is a reranker: it scores documents, makes no embeddings and writes no text.",
        hint=f"Ask it through {_RERANKS}; `paddock list` shows models that do what you want.",
        param="model",
    )


def no_scores(name: str) -> WrongKindOfModel:
    """A model that embeds was asked to score documents."""
    return WrongKindOfModel(
        f"`{name}` makes embeddings; it is no reranker.",
        hint=f"Ask it through {_EMBEDS} and compare vectors, or ask a reranker.",
        param="model",
    )
