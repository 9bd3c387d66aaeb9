"""Requests that took other servers down. After each of them, ours is well."""

import json
from pathlib import Path

import pytest

from tests.server.running import served, status_of

HEAD = b"HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
FORBIDDEN = (b"Traceback", b"/site-packages/", b"/src/paddock", b"0x7f", b"<module>", b".py")


def chat(body: bytes, head: bytes = b"") -> bytes:
    return (
        b"POST /v1/chat/completions " + HEAD + head + b"content-type: application/json\r\ncontent-length: "
        b"%d\r\n\r\n" % len(body) + body
    )


def ask(**fields: object) -> bytes:
    whole = {"model": "pony", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, **fields}
    return chat(json.dumps(whole).encode("utf-8", "surrogatepass"))


POISON: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
    "zeros": b"\x00" * 1000,
    "half a line": b"GET\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\nhost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another scheme": b"GET gopher://localhost/ " + HEAD + b"\r\n",
    "a proxy's request": b"CONNECT localhost:22 " + HEAD + b"\r\n",
    "star": b"OPTIONS * " + HEAD + b"\r\n",
    "upgrade": b"GET / " + HEAD.replace(b"close", b"upgrade, close") + b"upgrade: websocket\r\n\r\n",
    "h2c": b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n",
    "two lengths": b"POST / " + HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunks": b"POST / " + HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"POST / " + HEAD + b"content-length: -1\r\n\r\n",
    "a huge length": b"POST / " + HEAD + b"content-length: 99999999999999999999999\r\n\r\n",
    "a huge chunk": b"POST / " + HEAD + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    "a chunk that is none": b"POST / " + HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "a split header": b"GET / " + HEAD + b"x-a: b\r\n folded\r\n\r\n",
    "zero in a header": b"GET / " + HEAD + b"x-a: b\x00c\r\n\r\n",
    "odd bytes in the address": b"GET /\xff\xfe\x80 " + HEAD + b"\r\n",
    "zero in the address": b"GET /v1/models/%00%0d%0aset-cookie:x=1 " + HEAD + b"\r\n",
    "climbing": b"GET /v1/models/..%2f..%2f..%2fetc%2fpasswd " + HEAD + b"\r\n",
    "climbing twice encoded": b"GET /admin/library/models/%252e%252e%252fetc%252fpasswd " + HEAD + b"\r\n",
    "backslashes": b"GET /admin/library/models/..\\..\\etc\\passwd " + HEAD + b"\r\n",
    "a wild id": b"GET /healthz " + HEAD + b"x-request-id: " + b"a\x09b" * 100 + b"\r\n\r\n",
    "a wild key": b"GET / " + HEAD + b"authorization: Bearer " + b"\xff" * 500 + b"\r\n\r\n",
    "a wild origin": b"GET / " + HEAD + b"origin: \xff\xfe://[::::]:99999\r\n\r\n",
    "a wild query": b"GET /admin/logs?count=99999999999999999999999 " + HEAD + b"\r\n",
    "no JSON": chat(b"{"),
    "an empty body": chat(b""),
    "no object": chat(b"[]"),
    "not UTF-8": chat(b'{"model": "\xff\xfe"}'),
    "UTF-16": chat('{"model": "pony"}'.encode("utf-16")),
    "NaN": chat(b'{"model":"pony","temperature":NaN,"messages":[{"role":"user","content":"hi"}]}'),
    "Infinity": chat(b'{"model":"pony","top_p":1e999,"messages":[{"role":"user","content":"hi"}]}'),
    "deep": chat(b"[" * 100_000),
    "deep objects": chat(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "many digits": chat(b'{"model":"pony","seed":' + b"9" * 10_000 + b',"messages":[]}'),
    "a lone surrogate": chat(b'{"model":"pony","messages":[{"role":"user","content":"\\ud800"}],"max_tokens":1}'),
    "a surrogate for a model": chat(b'{"model":"\\udfff","messages":[{"role":"user","content":"hi"}]}'),
    "a path for a model": ask(model="/etc/passwd"),
    "climbing as a model": ask(model="../../../etc/passwd"),
    "zero in a model": ask(model="po\x00ny"),
    "a long model": ask(model="x" * 1_000_000),
    "a foreign token": ask(logit_bias={"999999999": 100}),
    "a negative token": ask(logit_bias={"-1": 100}),
    "negative tokens": ask(max_tokens=-1),
    "endless tokens": ask(max_tokens=2**63),
    "many choices": ask(n=1_000_000),
    "many stops": ask(stop=["x" * 1000] * 10_000),
    "an empty stop": ask(stop=[""]),
    "a seed beyond": ask(seed=2**200),
    "a temperature that is hardly one": ask(temperature=5e-324, top_k=5000, top_p=0.5),
    "a penalty that is hardly one": ask(repetition_penalty=1e-45, temperature=1, top_k=5000),
    "no messages": ask(messages=[]),
    "many messages": ask(messages=[{"role": "user", "content": "x"}] * 100_000),
    "messages of another kind": ask(messages={"role": 1}),
    "a template": ask(chat_template="{% for i in range(10**9) %}x{% endfor %}"),
    "a bad pattern": ask(
        tools=[
            {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"pattern": "(((("}}}}}
        ]
    ),
    "a picture elsewhere": ask(
        messages=[
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/secret"}}]}
        ]
    ),
}


async def test_no_poison_makes_the_server_unwell(tmp_path: Path) -> None:
    """Each is refused or answered, tells nothing of the inside, and leaves the server as it was."""
    async with served(tmp_path) as server:
        for name, request in POISON.items():
            said = await server.say(request)
            assert status_of(said) < 500, (name, said[:300])
            told = [word for word in FORBIDDEN if word in said]
            assert not told, (name, said[:2000])
            assert b"set-cookie:x" not in said.lower()
            assert await server.is_well(), name


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/v1/models", "/openapi.json", "/nothing"])
async def test_head_is_get_without_its_body(tmp_path: Path, path: str) -> None:
    """Ollama's clients and load balancers probe with it."""
    async with served(tmp_path) as server:
        got, headed = await server.client.get(path), await server.client.head(path)
        assert headed.status_code == got.status_code
        assert headed.content == b""
        assert headed.headers["content-type"] == got.headers["content-type"]
        assert (await server.client.head("/v1/chat/completions")).status_code == 405


async def test_failures_speak_the_dialect_of_their_address(tmp_path: Path) -> None:
    """A client library finds its message where it looks for it; everything carries the request's id."""
    async with served(tmp_path) as server:
        for path in ("/v1/nothing", "/admin/nothing", "/nothing"):
            answer = await server.client.get(path, headers={"x-request-id": "mine-1"})
            assert answer.status_code == 404
            assert answer.headers["x-paddock-request-id"] == "mine-1"
            document = answer.json()
            if path.startswith("/v1/"):
                assert {"message", "type", "param", "code", "hint"} == set(document["error"])
                assert document["error"]["code"] == "not_found"
            else:
                assert answer.headers["content-type"] == "application/problem+json"
                assert set(document) - {"param"} == {"type", "title", "status", "detail", "code", "hint", "request_id"}
                assert document["request_id"] == "mine-1"
        wrong = await server.client.delete("/v1/chat/completions")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        odd = await server.client.get("/healthz", headers={"x-request-id": "with blanks and <b>"})
        assert odd.headers["x-paddock-request-id"].startswith("req-")


async def test_the_root_answers_people_and_programs(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert (await server.client.get("/")).text == "Paddock is running"
        page = await server.client.get("/", headers={"accept": "text/html,*/*"})
        assert page.headers["content-type"].startswith("text/html")
        assert "<title>Paddock</title>" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await server.client.get("/docs")).status_code == 404, "documentation that loads scripts from elsewhere"
