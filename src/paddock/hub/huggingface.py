"""Models on the Hugging Face hub, or a mirror of it: the library asks, we check what it says and explain failures."""

import itertools
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from rapidfuzz import process

from paddock.catalog.reading import RangeReader
from paddock.errors import (
    AccessDenied,
    Corrupt,
    HubUnreachable,
    InvalidReference,
    ModelNotFound,
    NotFound,
    PaddockError,
)
from paddock.hub.addresses import host_of
from paddock.hub.http import Answer, HttpClient
from paddock.hub.library_bridge import through
from paddock.hub.ranges import HttpRangeReader
from paddock.hub.reference import ModelReference
from paddock.hub.source import Hit, Listing, RemoteFile
from paddock.store.names import check_file_paths
from paddock.vocabulary import SourceKind

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo, RepoFile

DEFAULT_ENDPOINT = "https://huggingface.co"
FILES_MAX = 50_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_SEARCHED = ("downloads", "likes", "tags", "gated", "pipeline_tag", "library_name", "lastModified")
_NEAR_MAX = 3
_NEAR_ENOUGH = 60  # of 100


class HuggingFaceSource:
    """Implements `Source`. Address and token are handed to it: the library's own settings are not read."""

    kind = SourceKind.HUGGINGFACE

    def __init__(self, client: HttpClient, *, endpoint: str = DEFAULT_ENDPOINT, token: str | None = None) -> None:
        self._client = client
        self._endpoint = endpoint.rstrip("/")
        self._token = token

    def search(self, query: str, *, limit: int) -> Sequence[Hit]:
        with self._explained(query) as api:
            found = api.list_models(search=query, limit=limit, sort="downloads", expand=list(_SEARCHED))
            return [_hit(info) for info in found if _REPO.fullmatch(info.id)]

    def list(self, reference: ModelReference) -> Listing:
        from huggingface_hub.hf_api import RepoFile

        with self._explained(reference.name, reference.revision) as api:
            info = api.model_info(reference.name, revision=reference.revision)
            if not _REPO.fullmatch(info.id) or not _COMMIT.fullmatch(info.sha or ""):
                raise _no_hub(self._endpoint)
            assert info.sha is not None
            # From here on the commit is asked for: a branch that moves now changes nothing.
            tree = api.list_repo_tree(info.id, recursive=True, revision=info.sha)
            entries = [entry for entry in itertools.islice(tree, 2 * FILES_MAX) if isinstance(entry, RepoFile)]
        if len(entries) > FILES_MAX:
            raise Corrupt(
                f"`{info.id}` lists more than {FILES_MAX:,} files.", hint="This is no model; choose another repository."
            )
        files = tuple(self._file(info.id, info.sha, entry) for entry in entries)
        check_file_paths((file.path for file in files), of=info.id)
        return _listing(reference, info, files)

    def reader(self, listing: Listing, file: RemoteFile) -> RangeReader:
        return HttpRangeReader(
            self._client,
            file.location,
            name=file.path,
            size=file.size or 0,
            headers=self.headers,
            explain=lambda answer: self._denial(listing.name, answer),
        )

    def headers(self, url: str) -> Mapping[str, str]:
        if self._token and _origin(url) == _origin(self._endpoint):
            return {"authorization": f"Bearer {self._token}"}
        return {}

    def refresh(self, listing: Listing, file: RemoteFile) -> RemoteFile:
        """The hub signs an address for each request, so the same location serves; unless the hub itself says no."""
        answer = self._client.get(
            file.location, headers=self.headers, extra={"range": "bytes=0-0"}, read=lambda response: b""
        )
        if _origin(answer.url) == _origin(self._endpoint):
            if answer.status in (401, 403):
                raise self._denial(listing.name, answer)
            if answer.status in (404, 410):
                raise NotFound(
                    f"`{file.path}` is no longer in `{listing.name}` at {listing.revision[:12]}.",
                    hint="The owner removed it. Pull the model again to get its newest revision.",
                )
        return file

    def _file(self, repo_id: str, commit: str, entry: "RepoFile") -> RemoteFile:
        sha256 = entry.lfs.sha256 if entry.lfs is not None else None
        git_oid = None if sha256 else entry.blob_id
        size = entry.size
        if not (_SHA256.fullmatch(sha256) if sha256 else _COMMIT.fullmatch(git_oid or "")) or size < 0:
            raise _no_hub(self._endpoint)
        location = f"{self._endpoint}/{repo_id}/resolve/{commit}/{quote(entry.path, errors='surrogatepass')}"
        return RemoteFile(
            path=entry.path, size=size, sha256=sha256, git_oid=git_oid, key=sha256 or git_oid or "", location=location
        )

    # Failures

    @contextmanager
    def _explained(self, name: str, revision: str | None = None) -> "Generator[HfApi]":
        """The library, speaking through our client; its errors become ours."""
        if self._client.offline:
            raise HubUnreachable(
                f"`{host_of(self._endpoint)}` was not asked: Paddock is offline by choice.",
                hint="Unset `HF_HUB_OFFLINE` to reach it. What is already known here is shown meanwhile.",
            )
        from huggingface_hub import HfApi
        from huggingface_hub.errors import (
            DisabledRepoError,
            GatedRepoError,
            HfHubHTTPError,
            HFValidationError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        try:
            with through(self._client, headers=self.headers, endpoint=self._endpoint):
                yield HfApi(endpoint=self._endpoint, token=False, library_name="paddock")
        except GatedRepoError as error:
            raise self._gated(name) from error
        except RevisionNotFoundError as error:
            raise ModelNotFound(
                f"`{name}` has no revision `{revision}`.", hint=f"Leave out `@{revision}` to get the newest."
            ) from error
        except RepositoryNotFoundError as error:
            raise self._not_found(name) from error
        except DisabledRepoError as error:
            raise AccessDenied(
                f"The hub has closed `{name}` to everyone.", hint=f"See {self._endpoint}/{name}; choose another model."
            ) from error
        except HFValidationError as error:
            raise InvalidReference(f"`{name}` is no name of a repository.", hint="Write `org/name`.") from error
        except HfHubHTTPError as error:
            raise self._status_error(name, error.response.status_code) from error
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            # The library takes the hub's JSON as it comes.
            raise _no_hub(self._endpoint) from error

    def _status_error(self, name: str, status: int) -> PaddockError:
        if status == 401:
            return self._bad_token()
        if status == 403:
            return AccessDenied(
                f"The hub does not let us see `{name}` (403).",
                hint=f"Set a token that may read it: make one at {self._endpoint}/settings/tokens and set `HF_TOKEN`.",
            )
        if status == 404:
            return self._not_found(name)
        return HubUnreachable(
            f"`{host_of(self._endpoint)}` answers {status} when asked for `{name}`.",
            hint="Check the address of the hub (`HF_ENDPOINT`), or try again later.",
        )

    def _denial(self, name: str, answer: Answer) -> PaddockError:
        """What a 401 or 403 for a file means."""
        if answer.headers.get("x-error-code") == "GatedRepo":
            return self._gated(name)
        if answer.status == 401 and self._token:
            return self._bad_token()
        return self._status_error(name, 403)

    def _gated(self, name: str) -> AccessDenied:
        page = f"{self._endpoint}/{name}"
        if self._token:
            hint = f"Accept the licence at {page} with the account of your token, and let the token read gated models."
        else:
            hint = (
                f"Accept the licence at {page}, make a token at {self._endpoint}/settings/tokens, set it as `HF_TOKEN`."
            )
        return AccessDenied(f"`{name}` is gated: its owner wants a licence accepted first.", hint=hint)

    def _bad_token(self) -> AccessDenied:
        return AccessDenied(
            "The hub does not accept the token: it has expired, was revoked or is mistyped.",
            hint=f"Make a new one at {self._endpoint}/settings/tokens and set it as `HF_TOKEN`.",
        )

    def _not_found(self, name: str) -> ModelNotFound:
        near = self._near(name)
        if near:
            hint = f"Did you mean {' or '.join(f'`{other}`' for other in near)}?"
        elif self._token:
            hint = "Check the spelling. A private model needs a token that may read it."
        else:
            hint = "Check the spelling. A private model needs a token: set `HF_TOKEN`."
        return ModelNotFound(f"There is no model `{name}` on {host_of(self._endpoint)}.", hint=hint)

    def _near(self, name: str) -> Sequence[str]:
        """Names on the hub that look like `name`; none when it will not say."""
        owner, _, tail = name.rpartition("/")
        first = re.split(r"[-_.]", tail)[0]
        queries: list[dict[str, Any]] = [{"search": tail}, {"search": first}]
        if owner:
            queries.append({"author": owner})
        names: dict[str, None] = {}
        try:
            for query in queries:
                with self._asking() as api:
                    names |= dict.fromkeys(info.id for info in api.list_models(**query, sort="downloads", limit=50))
        except (PaddockError, OSError, TypeError, KeyError, ValueError, AttributeError):
            return []  # a hint is not worth a second error
        choices = {other: other.lower() for other in names if _REPO.fullmatch(other)}
        found = process.extract(name.lower(), choices, limit=_NEAR_MAX, score_cutoff=_NEAR_ENOUGH)
        return [other for _, _, other in found]

    @contextmanager
    def _asking(self) -> "Generator[HfApi]":
        from huggingface_hub import HfApi

        with through(self._client, headers=self.headers, endpoint=self._endpoint):
            yield HfApi(endpoint=self._endpoint, token=False, library_name="paddock")


def _listing(reference: ModelReference, info: "ModelInfo", files: tuple[RemoteFile, ...]) -> Listing:
    told: Any = info  # `config` and `gguf` are whatever the hub says
    card: dict[str, Any] = info.card_data.to_dict() if info.card_data is not None else {}
    metadata: dict[str, Any] = {
        "config": told.config,
        "gguf": told.gguf,
        "safetensors": _plain(info.safetensors),
        "card": card,
        "downloads": info.downloads,
        "likes": info.likes,
    }
    tags = tuple(info.tags or ())
    return Listing(
        reference=reference,
        name=info.id,
        source=SourceKind.HUGGINGFACE,
        revision=info.sha or "",
        files=files,
        license=_license(card, tags),
        gated=bool(info.gated),
        private=bool(info.private),
        tags=tags,
        pipeline_tag=info.pipeline_tag,
        library_name=info.library_name,
        modified_at=_utc(info.last_modified),
        metadata={key: value for key, value in metadata.items() if value is not None},
    )


def _plain(safetensors: Any) -> dict[str, Any] | None:
    return {"parameters": dict(safetensors.parameters), "total": safetensors.total} if safetensors else None


def _license(card: Mapping[str, Any], tags: Sequence[str]) -> str | None:
    told = card.get("license")
    if isinstance(told, str):
        return told
    return next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None)


def _hit(info: "ModelInfo") -> Hit:
    tags = tuple(info.tags or ())
    return Hit(
        name=info.id,
        source=SourceKind.HUGGINGFACE,
        downloads=info.downloads or 0,
        likes=info.likes or 0,
        license=_license({}, tags),
        gated=bool(info.gated),
        tags=tags,
        pipeline_tag=info.pipeline_tag,
        library_name=info.library_name,
        modified_at=_utc(info.last_modified),
    )


def _utc(when: datetime | None) -> datetime | None:
    return when.astimezone(UTC) if when is not None else None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _no_hub(endpoint: str) -> Corrupt:
    return Corrupt(
        f"`{host_of(endpoint)}` answers in a way that no Hugging Face hub does.",
        hint="Check the address of the hub (`HF_ENDPOINT`).",
    )
