"""Models as Anthropic's API lists them: one object a name, in pages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from paddock.dialects.anthropic_wire import Wire
from paddock.dialects.openai_fields import Fields, wrong
from paddock.dialects.responses_listing import number_in_address
from paddock.vocabulary import Capabilities

PAGE_MAX: Final = 1000
_NO: Final = {"supported": False}


class ListedModel(Wire, frozen=True, kw_only=True, tag="model"):
    id: str
    display_name: str
    created_at: datetime
    capabilities: dict[str, Any]
    max_input_tokens: int | None
    max_tokens: int | None
    lifecycle: Literal["active"] = "active"
    line: None = None
    deprecated_at: None = None
    retires_at: None = None


class ModelPage(Wire, frozen=True, kw_only=True):
    data: list[ListedModel]
    first_id: str | None
    last_id: str | None
    has_more: bool


Id = Annotated[str, Field(max_length=512)]


class PageFields(Fields):
    """Which models of the list are asked for."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX), BeforeValidator(number_in_address)] = 20
    after_id: Id | None = None
    before_id: Id | None = None


def capabilities_of(can: Capabilities) -> dict[str, Any]:
    """What a model can do in Anthropic's words. What it does not run for its callers is not supported."""
    thinks, reads_images = {"supported": can.thinking}, {"supported": can.vision}
    efforts = dict.fromkeys(("low", "medium", "high", "xhigh", "max"), thinks)
    return {
        "batch": _NO,
        "citations": _NO,
        "code_execution": _NO,
        "context_management": _NO,
        "effort": {**thinks, **efforts},
        "image_input": reads_images,
        "pdf_input": _NO,
        "server_tools": {**_NO, "code_execution": _NO, "web_search": _NO},
        "structured_outputs": {"supported": can.text},
        "thinking": {
            **thinks,
            "types": {"adaptive": thinks, "between_tools": _NO, "disabled": {"supported": True}, "enabled": thinks},
        },
    }


def page_of(models: Sequence[ListedModel], page: PageFields) -> ModelPage:
    """Raises UsageError for a place that is none of the models, and for two places."""
    if page.after_id is not None and page.before_id is not None:
        raise wrong("before_id", "`after_id` and `before_id` exclude each other.", "Send one of them.")
    if page.before_id is not None:
        before = models[: _place(models, page.before_id, "before_id")]
        shown, more = before[-page.limit :], len(before) > page.limit
    else:
        after = models[0 if page.after_id is None else _place(models, page.after_id, "after_id") + 1 :]
        shown, more = after[: page.limit], len(after) > page.limit
    return ModelPage(
        data=list(shown),
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=more,
    )


def _place(models: Sequence[ListedModel], wanted: str, field: str) -> int:
    for place, model in enumerate(models):
        if model.id == wanted:
            return place
    raise wrong(field, f"`{wanted[:80]}` is no model here.", "Name a model of the page before.")
