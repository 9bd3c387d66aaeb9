"""`/admin/chats/*`: conversations that are kept. Each sees and changes its own; who may administer sees all."""

from hashlib import sha256
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from paddock.chats.book import PAGE_MAX, ChatBook
from paddock.chats.chats import Branches, Chat, ChatOptions, ChatPage, ChatsDeleted, ChatSummary
from paddock.chats.messages import PARTS_MAX, MessagePart, NewMessage, PartKind, Role, Timing
from paddock.server.asking import asking_of
from paddock.server.documents import encode
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer
from paddock.server.routes.admin.shapes import SavedMessages
from paddock.vocabulary import FinishReason, ToolCall, Usage

_MESSAGES_MAX = 1000

Id = Annotated[str, Path(max_length=64)]
Model = Annotated[str, Field(min_length=1, max_length=512)]
Title = Annotated[str, Field(min_length=1, max_length=1000)]
Few = Annotated[int, Field(ge=0, le=1 << 40)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class SearchBody(Body):
    search: str = Field(max_length=500, description="Words in titles and messages, whatever their capitals.")
    model: Model | None = None
    limit: int = Field(default=50, ge=1, le=PAGE_MAX)
    before: int | None = Field(default=None, ge=0, description="The `next` of the page before.")
    mine: bool = Field(default=False, description="Not those of others, for whoever sees all.")


class ChatBody(Body):
    model: Model
    title: Title | None = Field(default=None, description="Empty: its first message gives it one.")


class CallBody(Body):
    id: str = Field(max_length=200)
    name: str = Field(max_length=200)
    arguments: str = Field(description="JSON text, as the model wrote it.")


class PartBody(Body):
    kind: PartKind
    text: str | None = Field(default=None, description="Of `text`, `reasoning` and `tool_result`.")
    call: CallBody | None = Field(default=None, description="Of `tool_call`.")
    call_id: str | None = Field(default=None, max_length=200, description="Of `tool_result`: the call it answers.")
    media_type: str | None = Field(default=None, max_length=100, description="Of `image`.")
    data: str | None = Field(default=None, description="Of `image`: base64.")

    def part(self) -> MessagePart:
        call = ToolCall(id=self.call.id, name=self.call.name, arguments=self.call.arguments) if self.call else None
        return MessagePart(
            kind=self.kind, text=self.text, call=call, call_id=self.call_id, media_type=self.media_type, data=self.data
        )


class UsageBody(Body):
    prompt_tokens: Few = 0
    cached_tokens: Few = 0
    completion_tokens: Few = 0
    reasoning_tokens: Few = 0
    queued_s: Seconds = 0.0
    drafted_tokens: Few = 0
    accepted_tokens: Few = 0


class TimingBody(Body):
    first_token_seconds: Seconds | None = None
    seconds: Seconds


class MessageBody(Body):
    role: Role
    parts: list[PartBody] = Field(max_length=PARTS_MAX)
    model: Model | None = Field(default=None, description="Of an answer: who gave it.")
    finish_reason: FinishReason | None = Field(default=None, description="Of an answer; `cancelled` is cut.")
    usage: UsageBody | None = None
    timing: TimingBody | None = None

    def message(self) -> NewMessage:
        return NewMessage(
            role=self.role,
            parts=tuple(part.part() for part in self.parts),
            model=self.model,
            finish_reason=self.finish_reason,
            usage=Usage(**self.usage.model_dump()) if self.usage else None,
            timing=Timing(**self.timing.model_dump()) if self.timing else None,
        )


class MessagesBody(Body):
    messages: list[MessageBody] = Field(min_length=1, max_length=_MESSAGES_MAX)
    after: int | None = Field(
        default=None, ge=0, description="How many messages the writer knows of; 409 when there are others by now."
    )


class TitleBody(Body):
    title: Title


class BranchBody(Body):
    at: int = Field(ge=-1, description="The position of the last message that the branch begins with; -1 is none.")


class OptionsFields(Body):
    temperature: float | None = Field(default=None, ge=0, le=5, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=1 << 24)


class OptionsBody(Body):
    options: OptionsFields = Field(description="How the next answers are asked for; null is as usual.")
    model: Model | None = Field(default=None, description="Who answers; null leaves that as it is.")


def _book(rooms: ServerRooms, request: Request) -> ChatBook:
    """The book as whoever asks sees it: their own, or all of it."""
    caller = asking_of(request).caller
    return rooms.chats.of(caller.owner, sees_all=caller.sees_all)


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/chats", responses=FAILURES)
    _reading(routes, rooms)
    _writing(routes, rooms)
    return routes


def _reading(routes: APIRouter, rooms: ServerRooms) -> None:
    @routes.get("", operation_id="list_chats", response_model=ChatPage)
    async def list_chats(
        request: Request,
        model: Annotated[str | None, Query(max_length=512)] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
        before: Annotated[int | None, Query(ge=0, description="The `next` of the page before.")] = None,
        mine: Annotated[bool, Query(description="Not those of others, for whoever sees all.")] = False,
    ) -> Response:
        """Conversations that are kept, the latest first, without what was said in them."""
        return answer(await _book(rooms, request).list(model=model, limit=limit, before=before, mine=mine))

    @routes.post("/search", operation_id="search_chats", response_model=ChatPage)
    async def search_chats(request: Request, body: SearchBody) -> Response:
        """The same with words in titles and messages. They come in the body: addresses end up in logs."""
        found = await _book(rooms, request).list(
            search=body.search, model=body.model, limit=body.limit, before=body.before, mine=body.mine
        )
        return answer(found)

    @routes.get("/{chat_id}", operation_id="get_chat", response_model=Chat)
    async def get_chat(
        request: Request, chat_id: Id, if_none_match: Annotated[str | None, Header(max_length=200)] = None
    ) -> Response:
        """One conversation, whole. 304 and nothing when it is as the `etag` in `if-none-match` says."""
        chats = _book(rooms, request)
        tag = _tag(await chats.summary(chat_id))
        if if_none_match == tag:
            return Response(status_code=304, headers={"etag": tag})
        whole = answer(await chats.get(chat_id))
        whole.headers["etag"] = tag  # of a moment before: what came between is told the next time
        return whole

    @routes.get("/{chat_id}/branches", operation_id="list_branches", response_model=Branches)
    async def branches(request: Request, chat_id: Id) -> Response:
        """A conversation and all that came out of the same beginning, without what was said in them."""
        return answer(await _book(rooms, request).branches(chat_id))


def _writing(routes: APIRouter, rooms: ServerRooms) -> None:
    @routes.post("", operation_id="create_chat", response_model=Chat, status_code=201)
    async def create(request: Request, body: ChatBody) -> Response:
        """Begin a conversation. When its owner has more than are kept, the one that rested longest goes."""
        return answer(await _book(rooms, request).create(model=body.model, title=body.title), 201)

    @routes.post("/{chat_id}/messages", operation_id="append_to_chat", response_model=SavedMessages, status_code=201)
    async def append(request: Request, chat_id: Id, body: MessagesBody) -> Response:
        """Write down what was said next."""
        messages = [message.message() for message in body.messages]
        saved = await _book(rooms, request).append(chat_id, messages, after=body.after)
        return answer(SavedMessages(messages=tuple(saved)), 201)

    @routes.put("/{chat_id}/title", operation_id="rename_chat", response_model=ChatSummary)
    async def rename(request: Request, chat_id: Id, body: TitleBody) -> Response:
        """Give a conversation another title."""
        return answer(await _book(rooms, request).rename(chat_id, body.title))

    @routes.post("/{chat_id}/branch", operation_id="branch_chat", response_model=Chat, status_code=201)
    async def branch(request: Request, chat_id: Id, body: BranchBody) -> Response:
        """A new conversation with everything up to one message. The other one stays as it is."""
        return answer(await _book(rooms, request).branch(chat_id, at=body.at), 201)

    @routes.put("/{chat_id}/options", operation_id="set_chat_options", response_model=ChatSummary)
    async def set_options(request: Request, chat_id: Id, body: OptionsBody) -> Response:
        """How the next answers of a conversation are asked for, and of whom."""
        options = ChatOptions(**body.options.model_dump())
        return answer(await _book(rooms, request).set_options(chat_id, options, model=body.model))

    @routes.delete("/{chat_id}", operation_id="delete_chat", response_model=ChatSummary)
    async def delete(request: Request, chat_id: Id) -> Response:
        """Delete a conversation for good; the answer is what it was."""
        return answer(await _book(rooms, request).delete(chat_id))

    @routes.delete("", operation_id="delete_all_chats", response_model=ChatsDeleted)
    async def delete_all(
        request: Request,
        everything: Annotated[Literal["true"], Query(alias="all", description="Says that it is no mistake.")],
    ) -> Response:
        """Delete every conversation for good that one sees."""
        return answer(await _book(rooms, request).delete_all())


def _tag(summary: ChatSummary) -> str:
    """Changes with anything that a look at the whole would show: messages are only ever added."""
    return f'"{sha256(encode(summary)).hexdigest()[:32]}"'
