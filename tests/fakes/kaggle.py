"""Kaggle's models API on loopback, in both forms that kagglesdk 0.1 knows.

The sdk posts to `/api/v1/models.ModelApiService/{Method}` (kagglehub 1.0 works against this fake, see the honesty
test); its request objects also name the REST form, `/api/v1/models/{owner}/{model}/{framework}/{variation}/…`, which is
the one that can be resumed with plain GET and ranges. Files lie on another host (Google's storage) behind signed URLs,
with their MD5 in `X-Goog-Hash`.
"""

import base64
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.fakes.content import Content, content_of
from tests.fakes.messages import Answer, Request
from tests.fakes.repository import FileValue
from tests.fakes.serving import FakeServer


@dataclass(slots=True)
class Variation:
    """One `owner/model/framework/variation`, all its versions."""

    handle: str
    license: str
    needs_consent: bool
    private: bool
    versions: dict[int, dict[str, Content]] = field(default_factory=dict[int, dict[str, Content]])

    @property
    def current(self) -> int:
        return max(self.versions)


class KaggleApi(FakeServer):
    """The API. `api` on 127.0.0.1 answers questions, `storage` on localhost has the files."""

    listener_hosts: Mapping[str, str] = {"api": "127.0.0.1", "storage": "localhost"}

    def __init__(self, *, page_files_max: int = 50) -> None:
        super().__init__()
        self.page_files_max = page_files_max
        self.votes: dict[str, int] = {}
        self._variations: dict[str, Variation] = {}
        self._accounts: dict[str, frozenset[str]] = {}

    # What tests say ------------------------------------------------------------------------------------------------

    def add_model(
        self,
        handle: str,
        files: Mapping[str, FileValue],
        *,
        license: str = "Apache 2.0",  # noqa: A002 - the word Kaggle uses
        needs_consent: bool = False,
        private: bool = False,
    ) -> int:
        """A new version of `owner/model/framework/variation`; returns its number."""
        variation = self._variations.setdefault(handle, Variation(handle, license, needs_consent, private))
        number = max(variation.versions, default=0) + 1
        variation.versions[number] = {path: content_of(value) for path, value in files.items()}
        return number

    def add_account(self, username: str, key: str, *, consented: Iterable[str] = ()) -> None:
        """An account with a legacy key (Basic); `consented` are the handles whose licence it accepted."""
        secret = base64.b64encode(f"{username}:{key}".encode()).decode()
        self._accounts[f"Basic {secret}"] = frozenset(consented)

    def add_token(self, token: str, *, consented: Iterable[str] = ()) -> None:
        """An API token (Bearer)."""
        self._accounts[f"Bearer {token}"] = frozenset(consented)

    # What clients hear ---------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        if request.at == "storage":
            return self._storage(request)
        authorization = request.headers.get("authorization")
        if authorization is not None and authorization not in self._accounts:
            return _error(401, "Unauthenticated")
        segments = request.path.removeprefix("/api").strip("/").split("/")
        match segments:
            case ["v1", "models.ModelApiService", method]:
                return self._called(request, method, json.loads(request.body or b"{}"))
            case ["v1", "models", "list"]:
                return self._list(request)
            case ["v1", "models", owner, model, framework, variation, *rest]:
                return self._asked(request, f"{owner}/{model}/{framework}/{variation}", rest)
            case _:
                return _error(404, "Not found")

    def _called(self, request: Request, method: str, body: Mapping[str, Any]) -> Answer:
        """The sdk's form: a method and a JSON body."""
        handle = "/".join(str(body.get(key)) for key in ("ownerSlug", "modelSlug", "framework", "instanceSlug"))
        version = body.get("versionNumber")
        match method:
            case "GetModelInstance":
                return self._about(request, handle)
            case "ListModelInstanceVersionFiles":
                return self._files(request, handle, version, body.get("pageSize"), body.get("pageToken"))
            case "DownloadModelInstanceVersion":
                return self._download(request, handle, int(version or 0), body.get("path"))
            case _:
                return _error(404, f"No method {method}")

    def _asked(self, request: Request, handle: str, rest: list[str]) -> Answer:
        """The REST form."""
        match rest:
            case ["get"]:
                return self._about(request, handle)
            case ["files"]:
                return self._files(request, handle, None, request.one("pageSize"), request.one("pageToken"))
            case [version, "files"]:
                return self._files(request, handle, version, request.one("pageSize"), request.one("pageToken"))
            case [version, "download", *path]:
                return self._download(request, handle, int(version), "/".join(path) or None)
            case _:
                return _error(404, "Not found")

    def _list(self, request: Request) -> Answer:
        words = (request.one("search") or "").lower()
        models: dict[str, list[Variation]] = {}
        for variation in self._variations.values():
            if words in variation.handle.lower() and not variation.private:
                models.setdefault("/".join(variation.handle.split("/")[:2]), []).append(variation)
        answers = [
            {
                "ref": ref,
                "title": ref.partition("/")[2],
                "slug": ref.partition("/")[2],
                "author": ref.partition("/")[0],
                "isPrivate": False,
                "voteCount": self.votes.get(ref, 0),
                "updateTime": "2026-03-01T12:00:00Z",
                "instances": [_instance(variation) for variation in variations],
            }
            for ref, variations in models.items()
        ]
        size = int(request.one("pageSize") or 20)
        return Answer.json({"models": answers[:size], "nextPageToken": "", "totalResults": len(answers)})

    def _about(self, request: Request, handle: str) -> Answer:
        variation = self._visible(request, handle)
        return variation if isinstance(variation, Answer) else Answer.json(_instance(variation))

    def _files(self, request: Request, handle: str, version: object, page_size: object, token: object) -> Answer:
        variation = self._visible(request, handle)
        if isinstance(variation, Answer):
            return variation
        files = variation.versions.get(int(str(version or variation.current)))
        if files is None:
            return _error(404, "Version not found")
        start, size = int(str(token or 0)), min(int(str(page_size or 20)), self.page_files_max)
        page = sorted(files.items())[start : start + size]
        following = str(start + size) if start + size < len(files) else ""
        listed = [
            {"name": path, "size": content.size, "creationDate": "2026-03-01T12:00:00.0000000Z"}
            for path, content in page
        ]
        return Answer.json({"files": listed, "nextPageToken": following})

    def _download(self, request: Request, handle: str, version: int, path: str | None) -> Answer:
        variation = self._visible(request, handle)
        if isinstance(variation, Answer):
            return variation
        authorization, handle = request.headers.get("authorization"), variation.handle
        if variation.needs_consent and handle not in self._accounts.get(authorization or "", ()):
            status = 403 if authorization else 401
            return _error(status, f"User must consent to the license of {handle} before downloading.")
        files = variation.versions.get(version)
        if files is None or (path is not None and path not in files):
            return _error(404, "File not found")
        label = f"{handle}/{version}/{path or 'archive.tar.gz'}"
        query = urlencode({"X-Goog-Signature": "fake", "label": label})
        name = quote(path or "archive.tar.gz")
        return Answer.redirect(f"{self.address('storage')}/{handle}/{version}/{name}?{query}", 302, label=label)

    # The storage ---------------------------------------------------------------------------------------------------

    def _storage(self, request: Request) -> Answer:
        if "authorization" in request.headers:
            return Answer(400, {"Content-Type": "application/xml"}, content_of(b"<Error/>"))
        owner, model, framework, name, version, *rest = request.path.strip("/").split("/")
        files = self._variations[f"{owner}/{model}/{framework}/{name}"].versions[int(version)]
        path = "/".join(rest)
        content = files[path] if path in files else content_of(_archive(files))
        headers = {
            "Content-Type": "application/octet-stream",
            "ETag": f'"{content.md5.hex()}"',
            "X-Goog-Hash": f"md5={base64.b64encode(content.md5).decode()}",
        }
        return Answer(200, headers, content, ranges=True, label=request.one("label") or "")

    def _visible(self, request: Request, handle: str) -> Variation | Answer:
        """The variation, or why not. `MODEL_FRAMEWORK_TF_LITE` and `tfLite` are the same framework."""
        found = next((one for one in self._variations.values() if _plain(one.handle) == _plain(handle)), None)
        if found is None:
            return _error(404, f"Model {handle} not found")
        authorization = request.headers.get("authorization")
        if found.private and found.handle not in self._accounts.get(authorization or "", ()):
            return _error(403 if authorization else 401, f"Permission 'models.get' was denied on {handle}")
        return found


def _plain(handle: str) -> str:
    return handle.lower().replace("model_framework_", "").replace("_", "")


def _instance(variation: Variation) -> dict[str, Any]:
    files = variation.versions[variation.current]
    _, _, framework, name = variation.handle.split("/")
    return {
        "id": 1,
        "slug": name,
        "framework": framework,
        "versionId": variation.current,
        "versionNumber": variation.current,
        "licenseName": variation.license,
        "url": f"https://www.kaggle.com/models/{variation.handle}",
        "totalUncompressedBytes": sum(content.size for content in files.values()),
    }


def _archive(files: Mapping[str, Content]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = content.size
            archive.addfile(member, io.BytesIO(content.read()))
    return buffer.getvalue()


def _error(code: int, message: str) -> Answer:
    return Answer.json({"code": code, "message": message}, code)
