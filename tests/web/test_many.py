"""Who has used it for years: ten thousand chats and five hundred models, in `make soak`; some hundred otherwise."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.chats.messages import Role, text_message
from paddock.chats.rows import folded, message_row
from paddock.db.engine import Database
from paddock.db.tables import ChatMessageRow, ChatRow
from tests.library import models
from tests.library.caches import huggingface_repository
from tests.server.running import running, variables
from tests.web.test_journeys import walk

SOAK = bool(os.environ.get("PADDOCK_SOAK"))
CHATS, MODELS = (10_000, 500) if SOAK else (600, 50)

pytestmark = pytest.mark.xdist_group("web")


def test_long_lists_leave_the_page_small_and_are_found_in(tmp_path: Path) -> None:
    """Only rows in sight are in the page, so it scrolls as quickly as on the first day. `-s` shows how long all took."""
    home = Path(variables(tmp_path)["PADDOCK_HOME"])
    asyncio.run(_keep(home / "data" / "paddock.db"))
    hub = Path(variables(tmp_path)["HF_HOME"]) / "hub"
    for number in range(MODELS):
        huggingface_repository(hub, f"org/model-{number}", models.mlx(seed=number))
    with running(tmp_path, PADDOCK_CHATS__COUNT_MAX=str(2 * CHATS)) as server:
        print(walk(server, "many", str(CHATS), str(MODELS)))


async def _keep(file: Path) -> None:
    """Number 0 is the latest."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    messages: list[ChatMessageRow] = []
    async with await Database.open(file) as database, database.session(exclusive=True) as session:
        for number in range(CHATS):
            title, chat_id = f"Number {number} of many", f"{number:032x}"
            said = f"This is needle {number}, in a message of some length. " * 4
            made = [
                message_row(chat_id, position, text_message(role, said), now)
                for position, role in enumerate((Role.USER, Role.ASSISTANT))
            ]
            session.add(
                ChatRow(
                    id=chat_id,
                    title=title,
                    title_folded=folded(title),
                    model="pony",
                    length=len(made),
                    size_bytes=sum(size for _, size in made),
                    touched=CHATS - number,
                    created_at=now,
                    updated_at=now,
                )
            )
            messages += [row for row, _ in made]
        await session.flush()  # they name their chats
        session.add_all(messages)
