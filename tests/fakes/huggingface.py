"""Hugging Face's hub on loopback, as huggingface_hub 2.4 asks it; an honesty test runs the real client against it.

    with HuggingFaceHub() as hub:
        hub.add_repo("org/name", {"config.json": b"{}", "model.safetensors": Generated(200 << 20)})
        hub.fail("model.safetensors", Drop(after=1 << 20), at="storage")
        … HF_ENDPOINT=hub.url …

Two listeners: `hub` on 127.0.0.1 answers the API and small files; `storage` on localhost, another host to any client,
serves LFS files to signed URLs that expire, and refuses requests that carry a token. In another process:
`python -m tests.fakes.huggingface --port 0 --big 200MB`.
"""

import argparse
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from tests.fakes.content import Content, Generated, content_of
from tests.fakes.messages import Answer, Request
from tests.fakes.repository import Entry, FileValue, Repository, tree_entry
from tests.fakes.script import EXPIRED_XML
from tests.fakes.serving import FakeServer

_SIGNING_KEY = b"fake"
_API_VERBS = ("revision", "tree", "paths-info", "refs", "auth-check")


class HuggingFaceHub(FakeServer):
    """The hub. Tests add repositories, tokens and faults, then read the log."""

    listener_hosts: Mapping[str, str] = {"hub": "127.0.0.1", "storage": "localhost"}

    def __init__(self, *, clock: Callable[[], float] = time.time, tree_page_entries: int = 1000) -> None:
        super().__init__(clock=clock)
        self.repositories: dict[str, Repository] = {}
        self.signature_lifetime_s = 3600.0
        self.tree_page_entries = tree_page_entries
        self._tokens: dict[str, frozenset[str]] = {}
        self._renamed: dict[str, str] = {}

    # What tests say ------------------------------------------------------------------------------------------------

    def add_repo(self, name: str, files: Mapping[str, FileValue], **metadata: Any) -> Repository:
        """A repository whose first commit, on `main`, holds `files`; `metadata` are Repository's fields."""
        repository = Repository(name, **metadata)
        repository.commit(files)
        self.repositories[name] = repository
        return repository

    def commit(
        self, name: str, files: Mapping[str, FileValue], *, delete: Iterable[str] = (), branch: str = "main"
    ) -> str:
        """A further commit; returns its id."""
        return self.repositories[name].commit(files, delete=delete, branch=branch)

    def move_branch(self, name: str, branch: str, sha: str) -> None:
        """Let a branch, new or old, mean `sha`."""
        self.repositories[name].branches[branch] = sha

    def rename(self, old: str, new: str) -> None:
        """The repository moves; its old name redirects."""
        repository = self.repositories.pop(old)
        repository.name = new
        self.repositories[new] = repository
        self._renamed[old] = new

    def list_also(self, name: str, path: str) -> None:
        """Let the listings of a repository name a path that no honest hub would, such as `../../etc/passwd`."""
        self.repositories[name].hostile.append(path)

    def add_token(self, token: str, *, may: Iterable[str] = ()) -> None:
        """A valid token that opens the gated and private repositories named."""
        self._tokens[token] = frozenset(may)

    # What clients hear ---------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        if request.at == "storage":
            return self._storage(request)
        if request.bearer is not None and request.bearer not in self._tokens:
            return _error(401, "", "Invalid credentials in Authorization header")
        segments = [unquote(segment) for segment in request.raw_path.strip("/").split("/")]
        match segments:
            case ["api", "whoami-v2"]:
                return self._who(request)
            case ["api", "models"]:
                return self._search(request)
            case ["api", "models", *rest]:
                return self._api(request, rest)
            case ["api", "resolve-cache", "models", *rest]:
                name, verb = _split(rest[:2], rest[2:])
                return self._resolve(request, name, verb, cached=True)
            case _ if "resolve" in segments[1:3]:
                at = segments.index("resolve", 1)
                return self._resolve(request, "/".join(segments[:at]), segments[at + 1 :], cached=False)
            case _:
                return _error(404, "", "Sorry, we can't find the page you are looking for.")

    def _who(self, request: Request) -> Answer:
        if request.bearer is None:
            return _error(401, "", "Invalid username or password.")
        return Answer.json({"type": "user", "id": "0", "name": "tester", "fullname": "Tester", "orgs": [], "auth": {}})

    def _search(self, request: Request) -> Answer:
        words = (request.one("search") or "").lower()
        wanted = set(request.query.get("filter", []))
        author = request.one("author")
        found = [
            repository
            for repository in self.repositories.values()
            if words in repository.name.lower()
            and (not repository.private or self._may(request, repository))
            and wanted <= {*repository.tags, repository.library_name, repository.pipeline_tag}
            and author in (None, repository.name.partition("/")[0])
        ]
        key = {"likes": "likes", "downloads": "downloads"}.get(request.one("sort") or "", "downloads")
        found.sort(key=lambda repository: (-int(getattr(repository, key)), repository.name))
        limit = int(request.one("limit") or 1000)
        start = int(request.one("cursor") or 0)
        full = request.one("full") == "true"
        answers = [
            _shaped(repository, repository.sha, request, full=full) for repository in found[start : start + limit]
        ]
        headers: dict[str, str] = {}
        if start + limit < len(found):
            headers["Link"] = self._next(request, start + limit)
        return Answer.json(answers, headers=headers)

    def _api(self, request: Request, segments: list[str]) -> Answer:
        verb_at = next((at for at in (1, 2) if segments[at : at + 1] and segments[at] in _API_VERBS), len(segments))
        name, rest = "/".join(segments[:verb_at]), segments[verb_at:]
        if name in self._renamed:
            return Answer.redirect(request.raw_path.replace(name, self._renamed[name], 1), 307)
        repository = self.repositories.get(name)
        if repository is None or not self._sees(request, repository):
            return _no_repository(request)
        sha = repository.resolve(rest[1] if len(rest) > 1 else "main")
        if sha is None:
            return _no_revision(rest[1])
        match rest:
            case [] | ["revision", _]:
                return Answer.json(_shaped(repository, sha, request, full=True))
            case ["auth-check"]:
                return Answer.json({}) if self._may(request, repository) else _gated(request, repository)
            case ["refs"]:
                return Answer.json(_refs(repository))
            case ["tree", _, *folder]:
                return self._tree(request, repository, sha, "/".join(folder))
            case ["paths-info", _]:
                wanted = parse_qs(request.body.decode()).get("paths", [])
                entries = repository.commits[sha]
                return Answer.json([tree_entry(entries[path]) for path in wanted if path in entries])
            case _:
                return _error(404, "", "Not found")

    def _tree(self, request: Request, repository: Repository, sha: str, folder: str) -> Answer:
        entries = repository.tree(sha, folder, recursive=request.one("recursive") in ("true", "True", "1"))
        if folder and not entries:
            return _no_entry(sha, folder)
        start = int(request.one("cursor") or 0)
        stop = start + self.tree_page_entries
        headers = {"Link": self._next(request, stop)} if stop < len(entries) else {}
        return Answer.json(entries[start:stop], headers=headers)

    def _resolve(self, request: Request, name: str, rest: list[str], *, cached: bool) -> Answer:
        """A file: small ones by way of a relative redirect, as the hub does it, LFS ones from the storage."""
        if name in self._renamed:
            return Answer.redirect(request.raw_path.replace(name, self._renamed[name], 1), 307)
        repository = self.repositories.get(name)
        if repository is None or not self._sees(request, repository):
            return _no_repository(request)
        revision, path = rest[0], "/".join(rest[1:])
        if not self._may(request, repository):
            return _gated(request, repository)
        sha = repository.resolve(revision)
        if sha is None:
            return _no_revision(revision)
        entry = repository.commits[sha].get(path)
        if entry is None:
            return _no_entry(sha, path)
        label = f"{name}/{path}"
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if entry.lfs:
            headers |= {"X-Linked-Size": str(entry.content.size), "X-Linked-Etag": f'"{entry.etag}"'}
            return Answer.redirect(self._signed(repository, entry), 302, headers, label)
        headers["ETag"] = f'"{entry.etag}"'
        if not cached:
            location = f"/api/resolve-cache/models/{name}/{sha}/{quote(path)}?{urlencode({'etag': entry.etag})}"
            headers |= {"X-Linked-Size": str(entry.content.size), "X-Linked-Etag": f'"{entry.etag}"'}
            return Answer.redirect(location, 307, headers, label)
        headers |= {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(path.rpartition('/')[2])}",
        }
        return Answer(200, headers, entry.content, ranges=True, label=label)

    # The storage ---------------------------------------------------------------------------------------------------

    def _signed(self, repository: Repository, entry: Entry) -> str:
        path = f"/repos/{hashlib.sha1(repository.name.encode()).hexdigest()}/{entry.content.sha256}"
        expires = str(int(self.clock() + self.signature_lifetime_s))
        name = entry.path.rpartition("/")[2]
        query = {
            "response-content-disposition": f'attachment; filename="{name}"',
            "label": f"{repository.name}/{entry.path}",
            "Expires": expires,
            "Signature": _signature(path, expires),
            "Key-Pair-Id": "FAKE",
        }
        return f"{self.address('storage')}{path}?{urlencode(query)}"

    def _storage(self, request: Request) -> Answer:
        label = request.one("label") or ""
        if "authorization" in request.headers:
            body = b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
            return Answer(400, {"Content-Type": "application/xml"}, content_of(body), label=label)
        expires = request.one("Expires") or "0"
        signed = hmac.compare_digest(request.one("Signature") or "", _signature(request.path, expires))
        if not signed or int(expires) <= self.clock():
            return Answer(403, {"Content-Type": "application/xml"}, content_of(EXPIRED_XML), label=label)
        content = self._stored(request.path.rpartition("/")[2])
        if content is None:
            return Answer(404, {"Content-Type": "application/xml"}, content_of(b"<Error/>"), label=label)
        headers = {"ETag": f'"{content.sha256[:32]}"', "Content-Type": "binary/octet-stream"}
        return Answer(200, headers, content, ranges=True, label=label)

    def _stored(self, sha256: str) -> Content | None:
        for repository in list(self.repositories.values()):
            for entries in list(repository.commits.values()):
                for entry in entries.values():
                    if entry.lfs and entry.content.sha256 == sha256:
                        return entry.content
        return None

    # Who may -------------------------------------------------------------------------------------------------------

    def _may(self, request: Request, repository: Repository) -> bool:
        """May have the files."""
        if not (repository.gated or repository.private):
            return True
        return repository.name in self._tokens.get(request.bearer or "", ())

    def _sees(self, request: Request, repository: Repository) -> bool:
        """May know that it exists: gated ones are listed for everyone, private ones are not."""
        return not repository.private or self._may(request, repository)

    def _next(self, request: Request, cursor: int) -> str:
        query = {**request.query, "cursor": [str(cursor)]}
        return f'<{self.address("hub")}{request.raw_path}?{urlencode(query, doseq=True)}>; rel="next"'


def _split(name: list[str], rest: list[str]) -> tuple[str, list[str]]:
    """`org/name/sha/path…` or `name/sha/path…`: the commit id tells where the name ends."""
    if len(name) == 2 and re.fullmatch("[0-9a-f]{40}", name[1]):
        return name[0], [name[1], *rest]
    return "/".join(name), rest


def _shaped(repository: Repository, sha: str, request: Request, *, full: bool) -> dict[str, Any]:
    """The info that was asked for: all of it, or `expand`'s fields."""
    info = repository.info(sha, blobs=request.one("blobs") == "true")
    wanted = request.query.get("expand", []) + request.query.get("expand[]", [])
    if wanted:
        return {key: info[key] for key in ("_id", "id", *wanted) if key in info}
    if full:
        return info
    brief = (
        "_id",
        "id",
        "modelId",
        "likes",
        "downloads",
        "private",
        "createdAt",
        "tags",
        "pipeline_tag",
        "library_name",
    )
    return {key: info[key] for key in brief if key in info}


def _refs(repository: Repository) -> dict[str, Any]:
    def shown(refs: Mapping[str, str], folder: str) -> list[dict[str, str]]:
        return [{"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": sha} for name, sha in refs.items()]

    return {
        "branches": shown(repository.branches, "heads"),
        "tags": shown(repository.tag_refs, "tags"),
        "converts": [],
    }


def _signature(path: str, expires: str) -> str:
    return hmac.new(_SIGNING_KEY, f"{path}?{expires}".encode(), "sha256").hexdigest()


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    named = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}
    return Answer.json({"error": message}, status, named)


def _no_repository(request: Request) -> Answer:
    """Strangers are not told whether a private repository exists, so they hear 401 for one that does not, too."""
    if request.bearer is None:
        return _error(401, "RepoNotFound", "Invalid username or password.")
    return _error(404, "RepoNotFound", "Repository not found")


def _no_revision(revision: str) -> Answer:
    return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def _no_entry(sha: str, path: str) -> Answer:
    return _error(404, "EntryNotFound", f"Entry not found: {path}", {"X-Repo-Commit": sha})


def _gated(request: Request, repository: Repository) -> Answer:
    if request.bearer is None:
        message = (
            f"Access to model {repository.name} is restricted. "
            "You must have access to it and be authenticated to access it. Please log in."
        )
        return _error(401, "GatedRepo", message)
    message = (
        f"Access to model {repository.name} is restricted and you are not in the authorized list. Visit "
        f"https://huggingface.co/{repository.name} to ask for access."
    )
    return _error(403, "GatedRepo", message)


def _bytes_of(text: str) -> int:
    """`200MB`, `1GiB`, `4096`."""
    found = re.fullmatch(r"(\d+)\s*(?:([KMG])(i?)B?)?", text, re.IGNORECASE)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size")
    power = " KMG".index((found[2] or " ").upper())
    return int(found[1]) * (1024 if found[3] else 1000) ** power


def main() -> None:
    """Serve one repository, `bench/big`, until standard input ends; the first line printed is the address."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--big", type=_bytes_of, default=200_000_000, help="bytes of bench/big's model.safetensors")
    parser.add_argument("--files", type=int, default=1, help="split over this many files")
    arguments = parser.parse_args()
    hub = HuggingFaceHub()
    share = arguments.big // arguments.files
    weights = {
        "model.safetensors"
        if arguments.files == 1
        else f"model-{number:05}-of-{arguments.files:05}.safetensors": Generated(share, seed=number)
        for number in range(1, arguments.files + 1)
    }
    hub.add_repo("bench/big", {"config.json": b'{"model_type": "qwen3"}\n', **weights})
    hub.start(arguments.port)
    print(hub.url, flush=True)
    try:
        while input():
            pass
    except (EOFError, KeyboardInterrupt):
        hub.stop()


if __name__ == "__main__":
    main()
