"""Clouds on loopback that speak OpenAI's, Anthropic's and Ollama's protocols, in the loop of the test.

    async with OpenAICloud() as cloud:
        cloud.next(Act(status=429, headers={"retry-after": "1"}), Act(cut_after=2))
        …
        assert cloud.seen[0].body["model"] == "gpt"

Each request takes the next scripted act; without one it is answered well. `test_clouds.py` drives them with the official
clients, so that what our own code is tested against is what those clients understand.
"""

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model says."""

    text: tuple[str, ...] = ("Hello", " from", " afar")
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()  # name and arguments
    finish: str = "stop"  # stop, length
    prompt_tokens: int = 11
    cached_tokens: int = 0
    completion_tokens: int = 3
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """How one request is answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None  # instead of the dialect's own
    message: str = "it went wrong"  # of a failure
    code: str = ""
    reply: Reply = field(default_factory=Reply)
    wait_first: asyncio.Event | None = None  # nothing is sent before it is set
    wait_after: tuple[int, asyncio.Event] | None = None  # after so many events
    cut_after: int | None = None  # the connection breaks after so many events
    end_after: int | None = None  # the answer ends, in good order, after so many events
    garble_at: int | None = None  # this event is no JSON
    fail_at: int | None = None  # this event tells of a failure
    drop: bool = False  # the connection breaks before a byte is sent


@dataclass(slots=True)
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    left: bool = False  # the client went away before the answer was whole
    answered: bool = False


class Cloud:
    """Starts with `async with`, ends with it."""

    models: tuple[str, ...] = ("far-model",)

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.acts: deque[Act] = deque()
        self.always: Act | None = None
        self.open = 0  # connections
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", port, backlog=512)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse new connections, cut those that are open."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next(self, *acts: Act) -> None:
        self.acts.extend(acts)

    @property
    def asked(self) -> list[Seen]:
        """Requests for text."""
        return [seen for seen in self.seen if seen.method == "POST"]

    # What a dialect says

    def events(self, body: Any, reply: Reply) -> list[bytes]:
        raise NotImplementedError

    def whole(self, body: Any, reply: Reply) -> Any:
        raise NotImplementedError

    def failure(self, act: Act) -> Any:
        raise NotImplementedError

    def failure_event(self, act: Act) -> bytes:
        raise NotImplementedError

    def other(self, seen: Seen) -> Any:
        """The answer to anything but a request for text."""
        raise NotImplementedError

    stream_type = "text/event-stream"

    # Bytes

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort() if writer.transport.get_write_buffer_size() == 0 else writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except asyncio.IncompleteReadError:
            return False
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers.get("content-length") or 0))
        seen = Seen(method, path, headers, json.loads(raw) if raw else None)
        self.seen.append(seen)
        if method != "POST":
            return await self._send(writer, 200, {}, self.other(seen))
        act = self.acts.popleft() if self.acts else self.always or Act()
        if act.drop or (act.wait_first is not None and not await self._held(act.wait_first, reader, seen)):
            writer.transport.abort()
            return False
        if act.status != 200 or act.body is not None:
            return await self._send(writer, act.status, act.headers, act.body or self.failure(act))
        if seen.path.rpartition("/")[2] in ("embeddings", "embed", "rerank", "count_tokens"):
            return await self._send(writer, 200, act.headers, self.other(seen))
        if not seen.body.get("stream"):
            seen.answered = True
            return await self._send(writer, 200, act.headers, self.whole(seen.body, act.reply))
        return await self._stream(reader, writer, seen, act)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, act: Act) -> bool:
        extra = "".join(f"{name}: {value}\r\n" for name, value in act.headers.items())
        writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: {self.stream_type}\r\n{extra}transfer-encoding: chunked\r\n\r\n".encode()
        )
        await writer.drain()
        for number, event in enumerate(self.events(seen.body, act.reply)):
            holds = act.wait_after is not None and number == act.wait_after[0]
            if holds and not await self._held(act.wait_after[1], reader, seen):  # type: ignore[index]
                return False
            if number == act.cut_after:
                writer.transport.abort()
                return False
            if number == act.end_after:
                break
            if number == act.garble_at:
                event = b"data: {never closed\n\n" if self.stream_type == "text/event-stream" else b"{never closed\n"
            if number == act.fail_at:
                event = self.failure_event(act)
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            if number == act.fail_at:
                break
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        seen.answered = act.fail_at is None and act.garble_at is None and act.end_after is None
        return True

    async def _held(self, event: asyncio.Event, reader: asyncio.StreamReader, seen: Seen) -> bool:
        """Wait for `event`; False when the client left meanwhile."""
        going = asyncio.ensure_future(event.wait())
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({going, leaving}, return_when=asyncio.FIRST_COMPLETED)
            seen.left = leaving.done()
            return not seen.left
        finally:
            for task in (going, leaving):
                task.cancel()
            await asyncio.gather(going, leaving, return_exceptions=True)

    async def _send(self, writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], document: Any) -> bool:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(
            f"HTTP/1.1 {status} Any\r\ncontent-type: application/json\r\n{extra}content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        return True


def _sse(document: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document)}\n\n".encode()


def _failing(act: Act, kind: str) -> dict[str, Any]:
    return {"message": act.message, "type": kind, "code": act.code or None, "param": None}


class OpenAICloud(Cloud):
    """`/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/models`, as OpenAI has them."""

    extra: Mapping[str, Any] = {}  # further fields of each listed model, as vLLM and Paddock have them

    def events(self, body: Any, reply: Reply) -> list[bytes]:
        chat = "messages" in body
        events: list[bytes] = []
        for index in range(body.get("n", 1)):
            if not chat:
                events += [self._chunk(body, [{"index": index, "text": piece}]) for piece in reply.text]
                events.append(self._chunk(body, [{"index": index, "text": "", "finish_reason": reply.finish}]))
                continue
            deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
            if reply.reasoning:
                deltas.append({"reasoning_content": reply.reasoning})
            deltas += [{"content": piece} for piece in reply.text]
            for number, (name, arguments) in enumerate(reply.calls):
                half = len(arguments) // 2
                function = {"name": name, "arguments": ""}
                call = {"index": number, "id": f"call_far{number}", "type": "function", "function": function}
                deltas.append({"tool_calls": [call]})
                for part in (arguments[:half], arguments[half:]):
                    deltas.append({"tool_calls": [{"index": number, "function": {"arguments": part}}]})
            for delta in deltas:
                events.append(self._chunk(body, [{"index": index, "delta": delta, "finish_reason": None}]))
            last = {"index": index, "delta": {}, "finish_reason": "tool_calls" if reply.calls else reply.finish}
            events.append(self._chunk(body, [last]))
        if (body.get("stream_options") or {}).get("include_usage"):
            events.append(self._chunk(body, [], usage=self._usage(reply)))
        return [*events, b"data: [DONE]\n\n"]

    def whole(self, body: Any, reply: Reply) -> Any:
        calls = [
            {"id": f"call_far{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for number, (name, arguments) in enumerate(reply.calls)
        ]
        message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.text), "refusal": None}
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else reply.finish}
        return {
            "id": "chatcmpl-far",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice],
            "usage": self._usage(reply),
        }

    def failure(self, act: Act) -> Any:
        return {"error": _failing(act, "server_error")}

    def failure_event(self, act: Act) -> bytes:
        return _sse({"error": _failing(act, "server_error")})

    def other(self, seen: Seen) -> Any:
        if seen.path.endswith("/embeddings"):
            data = [
                {"object": "embedding", "index": number, "embedding": [float(number), 1.0]}
                for number in range(len(seen.body["input"]))
            ]
            usage = {"prompt_tokens": 5, "total_tokens": 5}
            return {"object": "list", "data": data, "model": seen.body["model"], "usage": usage}
        if seen.path.endswith("/rerank"):  # the best first, as Jina and Cohere have it
            scores = {number: len(text) / 100 for number, text in enumerate(seen.body["documents"])}
            best = sorted(scores, key=lambda number: -scores[number])
            results = [{"index": number, "relevance_score": scores[number]} for number in best]
            return {"id": "far", "results": results, "usage": {"total_tokens": 9}}
        listed = [
            {"id": name, "object": "model", "created": 1, "owned_by": "far", **self.extra} for name in self.models
        ]
        return {"object": "list", "data": listed}

    def _chunk(self, body: Any, choices: list[Any], **more: Any) -> bytes:
        kind = "chat.completion.chunk" if "messages" in body else "text_completion"
        head = {"id": "chatcmpl-far", "object": kind, "created": 1, "model": body["model"]}
        return _sse({**head, "choices": choices, **more})

    def _usage(self, reply: Reply) -> dict[str, Any]:
        return {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
        }


class AnthropicCloud(Cloud):
    """`/v1/messages`, `/v1/messages/count_tokens`, `/v1/models`, as Anthropic has them."""

    models = ("claude-far",)

    def events(self, body: Any, reply: Reply) -> list[bytes]:
        usage = {
            "input_tokens": reply.prompt_tokens - reply.cached_tokens,
            "cache_read_input_tokens": reply.cached_tokens,
            "cache_creation_input_tokens": 0,
            "output_tokens": 1,
        }
        message = {**self._message(body, []), "usage": usage, "stop_reason": None}
        events = [_sse({"type": "message_start", "message": message}, "message_start"), _sse({"type": "ping"}, "ping")]
        blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        if reply.reasoning:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            signed = {"type": "signature_delta", "signature": "far-signature"}
            blocks.append((block, [{"type": "thinking_delta", "thinking": reply.reasoning}, signed]))
        if reply.text:
            pieces = [{"type": "text_delta", "text": piece} for piece in reply.text]
            blocks.append(({"type": "text", "text": ""}, pieces))
        for number, (name, arguments) in enumerate(reply.calls):
            half = len(arguments) // 2
            parts = [each for each in (arguments[:half], arguments[half:]) if each]
            block = {"type": "tool_use", "id": f"toolu_far{number}", "name": name, "input": {}}
            blocks.append((block, [{"type": "input_json_delta", "partial_json": part} for part in parts]))
        for index, (block, deltas) in enumerate(blocks):
            start = {"type": "content_block_start", "index": index, "content_block": block}
            events.append(_sse(start, "content_block_start"))
            for delta in deltas:
                told = {"type": "content_block_delta", "index": index, "delta": delta}
                events.append(_sse(told, "content_block_delta"))
            events.append(_sse({"type": "content_block_stop", "index": index}, "content_block_stop"))
        ending = {"stop_reason": self._stop_reason(reply), "stop_sequence": reply.stop_sequence}
        told = {"type": "message_delta", "delta": ending, "usage": {"output_tokens": reply.completion_tokens}}
        events.append(_sse(told, "message_delta"))
        return [*events, _sse({"type": "message_stop"}, "message_stop")]

    def whole(self, body: Any, reply: Reply) -> Any:
        content: list[Any] = [{"type": "text", "text": "".join(reply.text)}] if reply.text else []
        for number, (name, arguments) in enumerate(reply.calls):
            block = {
                "type": "tool_use",
                "id": f"toolu_far{number}",
                "name": name,
                "input": json.loads(arguments or "{}"),
            }
            content.append(block)
        usage = {"input_tokens": reply.prompt_tokens, "output_tokens": reply.completion_tokens}
        return {**self._message(body, content), "usage": usage, "stop_reason": self._stop_reason(reply)}

    def failure(self, act: Act) -> Any:
        return {"type": "error", "error": {"type": act.code or self._kind(act.status), "message": act.message}}

    def failure_event(self, act: Act) -> bytes:
        return _sse(
            {"type": "error", "error": {"type": act.code or "overloaded_error", "message": act.message}}, "error"
        )

    def other(self, seen: Seen) -> Any:
        if seen.path.endswith("/count_tokens"):
            return {"input_tokens": 42}
        listed = [
            {
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "active",
                "max_input_tokens": 200_000,
                "max_tokens": 64_000,
            }
            for name in self.models
        ]
        return {"data": listed, "has_more": False, "first_id": self.models[0], "last_id": self.models[-1]}

    def _message(self, body: Any, content: list[Any]) -> dict[str, Any]:
        return {
            "id": "msg_far",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_sequence": None,
        }

    def _stop_reason(self, reply: Reply) -> str:
        if reply.calls:
            return "tool_use"
        if reply.stop_sequence is not None:
            return "stop_sequence"
        return {"stop": "end_turn", "length": "max_tokens"}[reply.finish]

    def _kind(self, status: int) -> str:
        kinds = {
            400: "invalid_request_error",
            401: "authentication_error",
            404: "not_found_error",
            429: "rate_limit_error",
        }
        return kinds.get(status, "overloaded_error" if status == 529 else "api_error")


class OllamaCloud(Cloud):
    """`/api/chat`, `/api/generate`, `/api/embed`, `/api/tags`, as Ollama has them."""

    stream_type = "application/x-ndjson"

    def events(self, body: Any, reply: Reply) -> list[bytes]:
        head = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z"}
        lines: list[dict[str, Any]] = []
        if reply.reasoning:
            lines.append(self._said(body, thinking=reply.reasoning))
        lines += [self._said(body, text=piece) for piece in reply.text]
        if reply.calls:
            calls = [{"function": {"name": name, "arguments": json.loads(args or "{}")}} for name, args in reply.calls]
            lines.append({"message": {"role": "assistant", "content": "", "tool_calls": calls}})
        lines.append({**self._said(body), **self._end(reply)})
        return [json.dumps({**head, "done": False, **line}).encode() + b"\n" for line in lines]

    def whole(self, body: Any, reply: Reply) -> Any:
        head = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z"}
        return {**head, **self._said(body, text="".join(reply.text)), **self._end(reply)}

    def failure(self, act: Act) -> Any:
        return {"error": act.message}

    def failure_event(self, act: Act) -> bytes:
        return json.dumps({"error": act.message}).encode() + b"\n"

    def other(self, seen: Seen) -> Any:
        if seen.path.endswith("/embed"):
            vectors = [[float(number), 1.0] for number in range(len(seen.body["input"]))]
            return {"model": seen.body["model"], "embeddings": vectors, "prompt_eval_count": 5}
        listed = [
            {
                "name": name,
                "model": name,
                "modified_at": "2026-01-01T00:00:00Z",
                "size": 1,
                "digest": "0",
                "details": {"family": "llama"},
            }
            for name in self.models
        ]
        return {"models": listed}

    def _said(self, body: Any, *, text: str = "", thinking: str = "") -> dict[str, Any]:
        if "messages" not in body:
            return {"response": text, **({"thinking": thinking} if thinking else {})}
        return {"message": {"role": "assistant", "content": text, **({"thinking": thinking} if thinking else {})}}

    def _end(self, reply: Reply) -> dict[str, Any]:
        counts = {"prompt_eval_count": reply.prompt_tokens, "eval_count": reply.completion_tokens}
        return {"done": True, "done_reason": reply.finish, "total_duration": 1, **counts}


AnyCloud = TypeVar("AnyCloud", bound=Cloud)
CLOUDS: dict[str, type[Cloud]] = {"openai": OpenAICloud, "anthropic": AnthropicCloud, "ollama": OllamaCloud}


@contextlib.contextmanager
def in_thread(cloud: AnyCloud) -> Generator[AnyCloud]:
    """The cloud in a loop of its own, for tests that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="cloud")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(cloud.start(), loop).result(10)
        yield cloud
        asyncio.run_coroutine_threadsafe(cloud.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
