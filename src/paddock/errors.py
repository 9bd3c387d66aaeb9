"""Every failure that a user can cause or meet, as one tree.

    PaddockError
    ├── UsageError             the request itself is wrong            exit 2
    │   ├── InvalidReference       a model reference that cannot be read
    │   ├── InvalidConfig          a setting that breaks a rule
    │   ├── InvalidTemplate        a prompt template that cannot be rendered
    │   ├── InvalidFile            a file given to us that we cannot read
    │   ├── InvalidImage           a picture that is none, or that may not be fetched
    │   ├── ImageUnreachable       a picture whose host did not send it
    │   ├── PromptTooLong          more tokens than the context holds
    │   ├── WrongKindOfModel       an endpoint that this kind of model does not answer
    │   ├── TooLarge               more bytes than are taken
    │   ├── TooSlow                bytes that did not come in time
    │   ├── PreviousResponseNotFound   a response to go on from that is not kept
    │   ├── NotOffered             a provider that has no such thing; another may
    │   ├── UnsupportedMedia       a body of another kind than JSON
    │   └── NotAllowed             an address that does not take this method
    ├── WillNotFit             it would not work on this machine      exit 3
    │   ├── Incompatible           this model cannot run here
    │   ├── NotEnoughMemory        its peak is above what is free
    │   └── NotEnoughDisk          its files, and the files of other pulls, overflow the disk
    ├── NotFound               there is no such thing                 exit 4
    │   ├── ModelNotFound          neither here nor on the hub
    │   └── ResponseNotFound       a response that is not kept
    ├── NetworkError           the other side did not do its part     exit 5
    │   ├── Airgapped              beyond this machine, which `--airgap` keeps Paddock on
    │   ├── HubUnreachable         no answer, or offline by choice
    │   ├── RateLimited            429, and when to try again
    │   ├── TransferFailed         bytes that kept breaking off or being wrong
    │   └── ProviderFailed         another service did not answer as it should
    │       ├── ProviderUnreachable    no connection to it
    │       ├── ProviderTimedOut       it was silent for too long
    │       ├── ProviderRefused        it does not take our key, or wants money
    │       └── AnswerBrokenOff        its answer ended in the middle, or was none
    ├── InUse                  someone holds it                       exit 6
    │   ├── Overloaded             too many wait for it already
    │   │   ├── Draining               the server ends and takes nothing new
    │   │   └── ProviderResting        a provider failed so often that it is left alone for a while
    │   │   ├── OverLimit              a key asks more often, or for more, than it may
    │   │   └── TooManyAttempts        too many wrong passwords
    │   ├── NoRoom                 the models that hold the memory cannot leave
    │   └── WentOn                 somebody else has written to it in the meantime
    ├── RunnerCrashed          a model's process ended on the way     exit 1
    │   ├── ProtocolError          it said what is no message
    │   └── CrashedTwice           one request ended it twice, the second time alone
    ├── GenerationFailed       a model failed at one request          exit 1
    ├── DeadlinePassed         a request took longer than it may      exit 1
    ├── AccessDenied           a gate or a token is in the way        exit 1
    │   ├── KeyMissing             the server wants a key
    │   │   ├── KeyExpired             this key's time is over
    │   │   └── KeyRevoked             this key was taken back
    │   ├── SignInFailed           no such user, or another password
    │   ├── OutOfScope             the key may do other things only
    │   ├── ModelNotAllowed        the key may use other models only
    │   ├── TokenMissing           a page's request without the token that it was given
    │   ├── ForeignHost            called by a name that is not the server's
    │   └── ForeignOrigin          a web page that was not let in
    ├── Corrupt                bytes that are not what they must be   exit 1
    │   └── InvalidHeader          a weight file's header that lies
    ├── StorageError           a folder or database that will not take or give bytes   exit 1
    │   └── VaultLocked            the master key of what is sealed is missing or another
    ├── Defect                 Paddock itself is wrong                exit 1
    └── Interrupted            stopped by the person who started it   exit 130

Each carries a stable `code` for programs, a message that names the thing, and a `hint` that names the next step.
"""

from typing import ClassVar, Self


class PaddockError(Exception):
    """The root: catch this to catch everything that Paddock raises on purpose."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str) -> None:
        """`message` says what happened and to what; `hint` says what to do about it. Neither may be empty."""
        assert message, "an error needs a message"
        assert hint, "an error needs a hint"
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def with_hint(self, hint: str) -> Self:
        """The same failure with another hint. Several may wait for one thing, and are told of its failure by one object."""
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__)
        other.hint, other.__cause__ = hint, self
        return other


class UsageError(PaddockError):
    code = "usage"
    exit_code = 2
    http_status = 400

    def __init__(self, message: str, *, hint: str, param: str | None = None) -> None:
        """`param`: the field of the request that is wrong, where one is."""
        super().__init__(message, hint=hint)
        self.param = param


class InvalidReference(UsageError):
    code = "invalid_reference"


class InvalidConfig(UsageError):
    code = "invalid_config"


class InvalidTemplate(UsageError):
    code = "invalid_template"


class InvalidFile(UsageError):
    code = "invalid_file"


class InvalidImage(UsageError):
    code = "invalid_image"


class ImageUnreachable(UsageError):
    code = "image_unreachable"


class PromptTooLong(UsageError):
    code = "context_length_exceeded"


class WrongKindOfModel(UsageError):
    code = "wrong_kind_of_model"


class TooLarge(UsageError):
    code = "too_large"
    http_status = 413


class TooSlow(UsageError):
    code = "too_slow"
    http_status = 408


class PreviousResponseNotFound(UsageError):
    code = "previous_response_not_found"
    http_status = 404


class NotOffered(UsageError):
    code = "not_offered"


class UnsupportedMedia(UsageError):
    code = "unsupported_media_type"
    http_status = 415


class NotAllowed(UsageError):
    code = "method_not_allowed"
    http_status = 405


class WillNotFit(PaddockError):
    code = "will_not_fit"
    exit_code = 3
    http_status = 507


class Incompatible(WillNotFit):
    code = "incompatible"
    http_status = 422


class NotEnoughMemory(WillNotFit):
    code = "not_enough_memory"


class NotEnoughDisk(WillNotFit):
    code = "not_enough_disk"


class NotFound(PaddockError):
    code = "not_found"
    exit_code = 4
    http_status = 404


class ModelNotFound(NotFound):
    code = "model_not_found"


class ResponseNotFound(NotFound):
    code = "response_not_found"


class NetworkError(PaddockError):
    code = "network"
    exit_code = 5
    http_status = 502


class Airgapped(NetworkError):
    code = "airgapped"
    http_status = 403  # a 5xx would be sent again by every client library


class HubUnreachable(NetworkError):
    code = "hub_unreachable"
    http_status = 503


class RateLimited(NetworkError):
    code = "rate_limited"
    http_status = 429

    def __init__(self, message: str, *, hint: str, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: when it is worth another try; None when nobody said."""
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class TransferFailed(NetworkError):
    code = "transfer_failed"


class ProviderFailed(NetworkError):
    code = "provider_failed"

    def __init__(self, message: str, *, hint: str, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: when it is worth another try; None when nobody said."""
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class ProviderUnreachable(ProviderFailed):
    code = "provider_unreachable"


class ProviderTimedOut(ProviderFailed):
    code = "provider_timeout"
    http_status = 504


class ProviderRefused(ProviderFailed):
    code = "provider_refused"


class AnswerBrokenOff(ProviderFailed):
    code = "answer_broken_off"


class InUse(PaddockError):
    code = "in_use"
    exit_code = 6
    http_status = 409


class Overloaded(InUse):
    code = "overloaded"
    http_status = 429

    def __init__(self, message: str, *, hint: str, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: when it is worth another try; None when nobody can tell."""
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class OverLimit(Overloaded):
    code = "over_limit"


class TooManyAttempts(Overloaded):
    code = "too_many_attempts"


class NoRoom(InUse):
    code = "no_room"
    http_status = 503


class WentOn(InUse):
    code = "went_on"


class Draining(Overloaded):
    code = "draining"
    http_status = 503


class ProviderResting(Overloaded):
    code = "provider_resting"
    http_status = 503


class RunnerCrashed(PaddockError):
    code = "runner_crashed"
    http_status = 502


class ProtocolError(RunnerCrashed):
    code = "protocol"


class CrashedTwice(RunnerCrashed):
    code = "crashed_twice"
    http_status = 422  # a 5xx would be sent again by every client library


class GenerationFailed(PaddockError):
    code = "generation_failed"


class DeadlinePassed(PaddockError):
    code = "deadline_passed"
    http_status = 504


class AccessDenied(PaddockError):
    code = "access_denied"
    http_status = 403


class KeyMissing(AccessDenied):
    code = "key_missing"
    http_status = 401


class KeyExpired(KeyMissing):
    code = "key_expired"


class KeyRevoked(KeyMissing):
    code = "key_revoked"


class SignInFailed(AccessDenied):
    code = "sign_in_failed"
    http_status = 401


class OutOfScope(AccessDenied):
    code = "out_of_scope"


class ModelNotAllowed(AccessDenied):
    code = "model_not_allowed"


class TokenMissing(AccessDenied):
    code = "token_missing"


class ForeignHost(AccessDenied):
    code = "foreign_host"


class ForeignOrigin(AccessDenied):
    code = "foreign_origin"


class Corrupt(PaddockError):
    code = "corrupt"


class InvalidHeader(Corrupt):
    code = "invalid_header"
    http_status = 422


class StorageError(PaddockError):
    code = "storage"


class VaultLocked(StorageError):
    code = "vault_locked"
    http_status = 503


class Defect(PaddockError):
    code = "defect"


class Interrupted(PaddockError):
    code = "interrupted"
    exit_code = 130
    http_status = 499
