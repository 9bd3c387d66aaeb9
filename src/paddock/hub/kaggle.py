"""Kaggle's models, asked by HTTP of our own: kagglehub neither resumes across processes nor says what it will fetch.

    GET {endpoint}/api/v1/models/{owner}/{model}/{framework}/{variation}/get                   newest version, licence
    GET …/{version}/files?pageSize=…&pageToken=…                                               names and sizes
    GET …/{version}/download/{path}                                                            a file, by a signed URL
    GET …/{version}/download                                                                   all of it as one tar.gz

Kaggle publishes no SHA-256, so a file is checked by its size alone.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlencode

import httpx2
from pydantic import BaseModel, Field, ValidationError

from paddock.catalog.reading import RangeReader
from paddock.errors import AccessDenied, Corrupt, ModelNotFound, PaddockError
from paddock.hub.answers import read_json, remote_reader, same_origin, unexpected
from paddock.hub.http import Answer, HttpClient, read_bounded
from paddock.hub.ranges import content_range
from paddock.hub.reference import ModelReference
from paddock.hub.source import Hit, Listing, RemoteFile
from paddock.store.names import check_file_paths
from paddock.store.unpack import is_archive
from paddock.vocabulary import SourceKind

_PAGE_FILES = 200
_FILES_MAX = 10_000
_SEARCH_MAX = 100
_ARCHIVE = "archive.tar.gz"
_KEY_HINT = (
    "Make a key at https://www.kaggle.com/settings and set `KAGGLE_USERNAME` and `KAGGLE_KEY`, "
    "or a token and set `KAGGLE_API_TOKEN`."
)
_REFUSAL_BYTES_MAX = 64 << 10


class _Instance(BaseModel):
    framework: str = ""
    slug: str = ""
    versionNumber: Annotated[int, Field(ge=0)] = 0  # noqa: N815 - Kaggle's spelling, here and below
    licenseName: str = ""  # noqa: N815


class _File(BaseModel):
    name: str
    size: Annotated[int, Field(ge=0, le=1 << 50)]
    creationDate: datetime | None = None  # noqa: N815


class _Files(BaseModel):
    files: list[_File] = []
    nextPageToken: str = ""  # noqa: N815


class _Model(BaseModel):
    ref: str = ""
    voteCount: int = 0  # noqa: N815
    updateTime: datetime | None = None  # noqa: N815
    instances: list[_Instance] = []


class _Models(BaseModel):
    models: list[_Model] = []


class _Error(BaseModel):
    message: str = ""


class KaggleSource:
    """`kaggle://owner/model/framework/variation[/version]`, with the credentials it is given."""

    kind = SourceKind.KAGGLE

    def __init__(
        self,
        client: HttpClient,
        *,
        endpoint: str = "https://www.kaggle.com",
        username: str | None = None,
        key: str | None = None,
        token: str | None = None,
    ) -> None:
        """`token` is a Bearer token and comes before `username` with `key`; without any, public models still work."""
        self._client = client
        self._endpoint = endpoint.rstrip("/")
        self._authorization: str | None = None
        if token:
            self._authorization = f"Bearer {token}"
        elif username and key:
            self._authorization = f"Basic {base64.b64encode(f'{username}:{key}'.encode()).decode()}"

    def search(self, query: str, *, limit: int) -> Sequence[Hit]:
        """One hit a variation, named as it can be pulled."""
        asked = urlencode({"search": query, "pageSize": min(limit, _SEARCH_MAX)})
        answer = self._client.get(f"{self._endpoint}/api/v1/models/list?{asked}", headers=self.headers)
        if answer.status in (401, 403):
            raise self._denied(answer, "its search", f"{self._endpoint}/models")
        if answer.status != 200:
            raise unexpected(answer, _said(answer))
        hits = [
            Hit(
                name=f"kaggle://{model.ref}/{_framework(instance.framework)}/{instance.slug}",
                source=SourceKind.KAGGLE,
                likes=model.voteCount,
                license=instance.licenseName or None,
                tags=(_framework(instance.framework),),
                modified_at=model.updateTime,
            )
            for model in read_json(answer, _Models).models
            for instance in model.instances
        ]
        return hits[:limit]

    def list(self, reference: ModelReference) -> Listing:
        """The files of one version. Raises ModelNotFound, AccessDenied (with the page to visit), Corrupt…

        When the version is one archive, `metadata["archive"]` is its path: to be unpacked once it is here.
        """
        about = read_json(self._ask(f"{reference.name}/get", reference), _Instance)
        version = reference.revision or str(about.versionNumber)
        told = self._files(f"{reference.name}/{version}", reference)
        base = f"{self._endpoint}/api/v1/models/{reference.name}/{version}/download"
        check_file_paths((file.name for file in told), of=str(reference))
        files = tuple(_remote(file, base) for file in told)
        if not files:
            files = (RemoteFile(path=_ARCHIVE, size=None, key=_key(base), location=base),)
        told_size = self._may_download(min(files, key=lambda file: file.size or 0), reference)
        if files[0].size is None:
            files = (RemoteFile(path=_ARCHIVE, size=told_size, key=_key(base), location=base),)
        archive = files[0].path if len(files) == 1 and is_archive(files[0].path) else None
        dates = [file.creationDate for file in told if file.creationDate]
        return Listing(
            reference=reference,
            name=reference.name,
            source=SourceKind.KAGGLE,
            revision=version,
            files=files,
            license=about.licenseName or None,
            tags=(framework_of(reference),),
            library_name=framework_of(reference),
            modified_at=max(dates, default=None),
            metadata={"archive": archive} if archive else {},
        )

    def reader(self, listing: Listing, file: RemoteFile) -> RangeReader:
        return remote_reader(self._client, listing.name, file, headers=self.headers)

    def headers(self, url: str) -> Mapping[str, str]:
        """The credentials, for Kaggle's own address only: its storage has signed URLs."""
        if self._authorization is None or not same_origin(url, self._endpoint):
            return {}
        return {"authorization": self._authorization}

    def refresh(self, listing: Listing, file: RemoteFile) -> RemoteFile:
        """As it is: Kaggle signs a new address each time it is asked for the file."""
        return file

    def _files(self, place: str, reference: ModelReference) -> Sequence[_File]:
        """Every page of the version's list."""
        files: list[_File] = []
        asked = {"pageSize": str(_PAGE_FILES)}
        while True:
            page = read_json(self._ask(f"{place}/files?{urlencode(asked)}", reference), _Files)
            files += page.files
            if not page.nextPageToken:
                return files
            if len(files) > _FILES_MAX or not page.files or page.nextPageToken == asked.get("pageToken"):
                raise Corrupt(
                    f"Kaggle's list of the files of `{reference}` does not end.",
                    hint="Try again later, or fetch the model from its page.",
                )
            asked["pageToken"] = page.nextPageToken

    def _ask(self, place: str, reference: ModelReference) -> Answer:
        answer = self._client.get(f"{self._endpoint}/api/v1/models/{place}", headers=self.headers)
        if answer.status != 200:
            raise self._refusal(answer, reference)
        return answer

    def _may_download(self, file: RemoteFile, reference: ModelReference) -> int | None:
        """Ask for one byte: only a download tells whether the licence was accepted. Returns the size if told."""
        first = {"range": "bytes=0-0"}
        answer = self._client.get(file.location, headers=self.headers, extra=first, read=_read_refusal)
        if answer.status not in (200, 206, 416):  # 416: an empty file
            raise self._refusal(answer, reference)
        told = content_range(answer.headers)
        return told.total if told else None

    def _refusal(self, answer: Answer, reference: ModelReference) -> PaddockError:
        if answer.status in (401, 403):
            return self._denied(answer, f"`{reference}`", f"https://www.kaggle.com/models/{reference.name}")
        if answer.status in (400, 404):
            return ModelNotFound(
                f"Kaggle has no model `{reference}`.",
                hint=f"Look for it: `paddock search {reference.name.split('/')[1]}`. Private ones need credentials.",
            )
        return unexpected(answer, _said(answer))

    def _denied(self, answer: Answer, what: str, page: str) -> AccessDenied:
        if self._authorization is None:
            return AccessDenied(f"Kaggle gives {what} to people with an account only.", hint=_KEY_HINT)
        if answer.status == 401:
            return AccessDenied(f"Kaggle does not accept the key that was sent for {what}.", hint=_KEY_HINT)
        said = _said(answer)
        return AccessDenied(
            f"Kaggle does not give {what} to this account{': ' + said if said else '.'}",
            hint=f"Open {page}, sign in as the owner of the key, accept the licence, then pull again.",
        )


def _read_refusal(response: httpx2.Response) -> bytes:
    """The body of an error; a file's is left unread."""
    return b"" if response.is_success else read_bounded(response, _REFUSAL_BYTES_MAX)


def _remote(file: _File, base: str) -> RemoteFile:
    location = f"{base}/{quote(file.name)}"
    return RemoteFile(path=file.name, size=file.size, key=_key(f"{location}\0{file.size}"), location=location)


def framework_of(reference: ModelReference) -> str:
    """`tfLite` for `kaggle://google/gemma/tfLite/2b`. It decides the format: Kaggle's `.bin` files for it are no pickles."""
    return _framework(reference.name.split("/")[2])


def _framework(name: str) -> str:
    """`tfLite` for `MODEL_FRAMEWORK_TF_LITE`, and for `tfLite` itself."""
    if not name.startswith("MODEL_FRAMEWORK_"):
        return name
    first, *rest = name.removeprefix("MODEL_FRAMEWORK_").lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def _key(text: str) -> str:
    """A name for content that has no hash: the place and size of an immutable version."""
    return hashlib.sha256(text.encode()).hexdigest()


def _said(answer: Answer) -> str | None:
    """Kaggle's own words, one short line of them."""
    try:
        message = _Error.model_validate_json(answer.body).message
    except ValidationError:
        return None
    return re.sub(r"\s+", " ", message)[:200] or None
