"""Pages of a kept response's items."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from paddock.dialects.openai_fields import Fields, wrong
from paddock.dialects.responses_items import Item
from paddock.dialects.responses_wire import ItemList


def number_in_address(value: object) -> object:
    """The number that a text stands for: addresses have texts only."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10 else value


class ListingFields(Fields):
    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(number_in_address)] = 20
    order: Literal["asc", "desc"] = "desc"
    after: Annotated[str, Field(max_length=256)] | None = Field(default=None, description="The last id seen.")


def listed(items: Sequence[Item], page: ListingFields) -> ItemList:
    """The items of `page`. Raises UsageError for an `after` that is none of them."""
    ordered = list(items) if page.order == "asc" else list(reversed(items))
    if page.after is not None:
        places = [place for place, item in enumerate(ordered) if item["id"] == page.after]
        if not places:
            raise wrong("after", f"`{page.after[:80]}` is no item of this response.", "Name the last item you saw.")
        ordered = ordered[places[0] + 1 :]
    shown = ordered[: page.limit]
    return ItemList(
        data=list(shown),
        first_id=shown[0]["id"] if shown else "",
        last_id=shown[-1]["id"] if shown else "",
        has_more=len(ordered) > len(shown),
    )
