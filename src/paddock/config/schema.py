"""Everything that may be set, one frozen model a section. Defaults are the values that a fresh machine runs with.

A section is handed to the room that it concerns; nobody reads settings from anywhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from paddock.config.kinds import (
    PROFILES,
    Amount,
    Anything,
    CacheSeconds,
    CapabilityNames,
    Count,
    DatabaseUrl,
    Days,
    Duration,
    Factor,
    Few,
    Folders,
    Host,
    HostNames,
    Layers,
    Memory,
    ModelName,
    ModelNames,
    Origins,
    OwnProfileName,
    Penalty,
    Pixels,
    PixelSide,
    Port,
    Price,
    ProfileName,
    ProviderKind,
    ProviderUrl,
    Retries,
    Seconds,
    Secret,
    SecureUrl,
    Share,
    Size,
    Switch,
    Temperature,
    Threads,
    UserSwitch,
    Words,
)
from paddock.config.paths import Paths
from paddock.config.units import parse_duration, parse_memory, parse_size


class Section(BaseModel):
    """Unknown keys never get here: `layers` takes them out with a warning."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _refusal(wrong: Sequence[tuple[tuple[str, ...], str]]) -> ValidationError:
    """Values that are wrong beside others, each at its place: the rule of that place is what people read."""
    details = [
        InitErrorDetails(type=PydanticCustomError("unknown", "not known"), loc=place, input=value)
        for place, value in wrong
    ]
    return ValidationError.from_exception_data("settings", details)


class ProfileEntry(Section):
    """What a kind of work wants of a model."""

    description: str = Field(default="", description="One line about it.")
    preferred_families: Words = Field(default="", description="Families of models, `,` between them, best first.")
    min_context_window: Amount = Field(default=0, description="Tokens of context that a model must have.")
    required_capabilities: CapabilityNames = Field(
        default="streaming", description="What a model must be able to do, `,` between them."
    )
    fallback_profile: ProfileName | None = Field(
        default=None, description="The profile that decides when no model suits this one."
    )


class RouterRoute(Section):
    """One of the ways that a router chooses among."""

    to: ModelName = Field(description="Where it leads: a model, `auto:PROFILE` or `role:NAME`.")
    description: str = Field(default="", description="What belongs there, in words that the router's model reads.")
    word: str = Field(
        default="", description="What the router's model answers for it, where it knows another word than the name."
    )


class RouterEntry(Section):
    """A small model that reads a request and picks one of several described routes: `router:NAME`."""

    model: ModelName = Field(default="pony", description="The model that reads and picks. It runs on this machine.")
    routes: Mapping[str, RouterRoute] = Field(
        default_factory=dict[str, RouterRoute], description="What it picks from, by name."
    )
    fallback_profile: ProfileName | None = Field(
        default=None,
        description="The profile that decides when it is late, fails or is unsure; empty is the default one.",
    )
    timeout_s: Seconds = Field(default=2.0, description="Seconds that it may take.")
    sure: Share = Field(default=0.5, description="The probability that its word must have.")


class Routing(Section):
    enabled: bool = Field(
        default=True, description="Whether `auto` chooses by profile; off makes `auto` the default model."
    )
    profiles: Mapping[OwnProfileName, ProfileEntry] = Field(
        default_factory=dict[str, ProfileEntry],
        description="Profiles of your own, by name; one with the name of a built-in profile stands in its place.",
    )
    default_profile: ProfileName = Field(default="general", description="The profile that `auto` follows.")
    overrides: Mapping[ProfileName, ModelName] = Field(
        default_factory=dict[str, str],
        description="Profile to model: answers that profile with this model if it is here.",
    )

    roles: Mapping[str, ModelName] = Field(
        default_factory=dict[str, str],
        description="Role to model: `role:NAME` is that model or `auto:PROFILE`. `thinker` and `worker` are always there.",
    )
    routers: Mapping[str, RouterEntry] = Field(
        default_factory=dict[str, RouterEntry],
        description="Models that read a request and pick its route, by name: `router:NAME`.",
    )

    @model_validator(mode="after")
    def _names_profiles_that_are_there(self) -> Self:
        """Only here are all of them known."""
        known = {*PROFILES, *self.profiles}
        wrong: list[tuple[tuple[str, ...], str]] = []
        if self.default_profile not in known:
            wrong.append((("default_profile",), self.default_profile))
        wrong += [(("overrides", name, "[key]"), name) for name in self.overrides if name not in known]
        for name, entry in self.profiles.items():
            if entry.fallback_profile is not None and entry.fallback_profile not in known:
                wrong.append((("profiles", name, "fallback_profile"), entry.fallback_profile))
        for name, router in self.routers.items():
            if router.fallback_profile is not None and router.fallback_profile not in known:
                wrong.append((("routers", name, "fallback_profile"), router.fallback_profile))
        if wrong:
            raise _refusal(wrong)
        return self


class ModelChoice(Section):
    default: ModelName = Field(default="pony", description="The model that answers when none is named.")
    provider: str | None = Field(
        default=None, description="The provider that answers when none is named; empty lets routing decide."
    )
    routing: Routing = Field(default_factory=Routing, description="How `auto` chooses.")

    @model_validator(mode="after")
    def _defaults_to_a_profile_that_is_there(self) -> Self:
        head, colon, profile = self.default.partition(":")
        if head == "auto" and colon and profile not in {*PROFILES, *self.routing.profiles}:
            raise _refusal([(("default",), self.default)])
        return self


class Options(Section):
    """How text is generated, for every model that says nothing else."""

    temperature: Temperature = Field(
        default=0.7, description="How freely the next word is chosen; 0 always takes the likeliest."
    )
    max_tokens: Count = Field(default=4096, description="The most tokens of one answer.")
    top_p: Share = Field(
        default=0.9, description="Chooses among the likeliest tokens that together reach this probability."
    )
    top_k: Count | None = Field(
        default=None, description="Chooses among this many likeliest tokens; empty is no limit."
    )
    repeat_penalty: Penalty | None = Field(
        default=None, description="Above 1 makes repetition less likely; empty is off."
    )
    context_size: Count | None = Field(
        default=None, description="Tokens of context to plan for; empty is 8192, or the model's own if smaller."
    )
    threads: Threads | None = Field(
        default=None, description="Threads that compute for a GGUF model on the CPU; empty is one for each core."
    )
    gpu_layers: Layers | None = Field(
        default=None,
        description="Layers of a GGUF model that a graphics card gets, the last ones first; empty is all, 0 is none.",
    )


class ModelOptions(Section):
    """The same for one model: only what is set here differs."""

    temperature: Temperature | None = Field(default=None, description="As `options.temperature`, for this model only.")
    max_tokens: Count | None = Field(default=None, description="As `options.max_tokens`, for this model only.")
    top_p: Share | None = Field(default=None, description="As `options.top_p`, for this model only.")
    top_k: Count | None = Field(default=None, description="As `options.top_k`, for this model only.")
    repeat_penalty: Penalty | None = Field(
        default=None, description="As `options.repeat_penalty`, for this model only."
    )
    context_size: Count | None = Field(default=None, description="As `options.context_size`, for this model only.")
    threads: Threads | None = Field(default=None, description="As `options.threads`, for this model only.")
    gpu_layers: Layers | None = Field(default=None, description="As `options.gpu_layers`, for this model only.")


class ModelEntry(Section):
    options: ModelOptions = Field(default_factory=ModelOptions, description="What differs for this model.")
    keep_alive: Duration | None = Field(
        default=None, description="How long this model stays in memory unused; empty is `pool.keep_alive`."
    )
    pin: bool = Field(default=False, description="Keeps the model in memory and away from clean-up.")


class Provider(Section):
    """One that answers, beside the models here. `paddock provider add` keeps others in the database."""

    kind: ProviderKind | None = Field(
        default=None,
        description="What it speaks; empty is what its name says, and `openai` for a name that says nothing.",
    )
    host: ProviderUrl | None = Field(
        default=None, description="Where the provider answers; empty is its usual address."
    )
    options: Anything = Field(default_factory=dict[str, Any], description="Passed to the provider as they stand.")
    headers: Anything = Field(
        default_factory=dict[str, Any], description="Sent with every request; no keys: those have a place of their own."
    )
    organization: str = Field(default="", description="OpenAI's organisation that pays.")
    key: Secret | None = Field(
        default=None, description="`PADDOCK_PROVIDERS__<NAME>__KEY`, or keep it with `paddock provider key`."
    )
    timeout: Duration | None = Field(
        default=None,
        description="How long it may be silent; empty is 15 minutes for models here and 10 for those elsewhere.",
    )
    enabled: Switch = Field(default=True, description="Whether it is asked at all.")
    automatic: UserSwitch = Field(
        default=False, description="Whether `auto` may choose its models: what people ask then leaves this machine."
    )


class Failover(Section):
    """What happens when one who should answer cannot, before the first word of the answer."""

    attempts_max: Few = Field(default=6, description="The most attempts at one request, all providers together.")
    budget_s: Seconds = Field(
        default=900.0,
        description="Seconds that a request may wait for its first word, all attempts together. A model of this machine "
        "has no such limit when nobody else is left to ask.",
    )
    wait_max_s: Seconds = Field(
        default=20.0, description="The longest wait between two attempts; who asks for more is not waited for."
    )
    breaker_failures: Few = Field(
        default=5, description="Failures in a row after which a provider's model is left alone for a while."
    )
    breaker_rest_s: Seconds = Field(
        default=30.0, description="Seconds that it is left alone; then one request tries whether it is back."
    )
    hedge_s: Mapping[str, Seconds] = Field(
        default_factory=dict[str, float],
        description="Seconds without a first word after which the next target is asked as well, by route "
        "(`profile:fast`, `rule:NAME`) or by provider. The first to answer answers; the other is cancelled.",
    )
    models_cache_s: CacheSeconds = Field(
        default=300.0, description="Seconds for which the list of a provider's models is remembered."
    )


class Pool(Section):
    preset: Literal["default", "low-memory"] = Field(
        default="default", description="`default` is 4 models in 75 % of the memory, `low-memory` 1 model in 4 GB."
    )
    max_models: Few = Field(default=4, description="The most models in memory at once.")
    memory: Memory = Field(
        default=parse_memory("75%"), description="The most memory for models, of what the device can use."
    )
    policy: Literal["lru", "largest", "idle"] = Field(default="lru", description="Which model makes room first.")
    keep_alive: Duration = Field(default=parse_duration("10m"), description="How long an unused model stays in memory.")
    preload: ModelNames = Field(
        default="",
        description="Models that the server loads when it starts, `,` between them; pinned ones come anyway.",
    )
    warm_up: Switch = Field(
        default=False,
        description="Whether a model runs a short prompt when it is loaded, so that the first request finds it fast.",
    )
    queue_max: Count = Field(default=256, description="The most requests that wait for a model; one more gets a 429.")
    wait_max_s: Seconds = Field(
        default=120.0, description="Seconds that a request waits for room for its model before it gets a 503."
    )
    turn_s: Seconds = Field(
        default=10.0,
        description="Seconds that a request waits for room before models in use take no new requests and then leave.",
    )
    residency_s: CacheSeconds = Field(
        default=5.0,
        description="A model makes room no sooner than its load took; of a load that took longer, this many seconds count.",
    )
    pressure_min: Share = Field(
        default=0.05,
        description="Idle models leave while less than this share of the machine's memory is available; 0 is never.",
    )
    pressure_check_s: Seconds = Field(default=5.0, description="Seconds between two looks at the machine's memory.")


class Disk(Section):
    factor: Factor = Field(default=2.0, description="A pull wants this many times the model's size free, else it asks.")
    auto_prune: Switch = Field(
        default=False, description="Whether unused models that were pulled are cleaned up by themselves."
    )
    auto_prune_days: Days = Field(
        default=90, description="Automatic clean-up takes models that were not used for this many days."
    )
    auto_prune_max_bytes: Size | None = Field(
        default=None, description="Automatic clean-up keeps pulled models below this; empty is no limit."
    )


class Server(Section):
    host: Host = Field(
        default="127.0.0.1", description="The address to listen on. Any but loopback wants keys or users."
    )
    port: Port = Field(default=8484, description="The port to listen on; 0 takes a free one.")
    allowed_hosts: HostNames = Field(
        default="",
        description="Names that requests may call this server by, beside its own address, `,` between them.",
    )
    allowed_origins: Origins = Field(
        default="", description="Web pages that may call this server from a browser, exact origins, `,` between them."
    )
    drain_s: Seconds = Field(
        default=30.0, description="Seconds that running answers have left once the server is told to end."
    )
    connections_max: Count = Field(default=2048, description="The most connections at once; one more is turned away.")
    requests_max: Count = Field(default=1024, description="The most requests answered at once; one more gets a 503.")
    body_bytes_max: Size = Field(default=parse_size("32MB"), description="The largest body of a request.")
    bodies_bytes_max: Size = Field(
        default=parse_size("512MB"), description="The most that the bodies of all requests take at once."
    )
    inputs_max: Count = Field(default=2048, description="The most texts or documents of one embedding request.")
    header_bytes_max: Size = Field(default=parse_size("64KB"), description="The most that a request's headers take.")
    headers_max: Count = Field(default=128, description="The most headers of a request.")
    url_bytes_max: Size = Field(default=parse_size("8KB"), description="The longest address of a request.")
    headers_timeout_s: Seconds = Field(
        default=10.0, description="Seconds that a request's headers may take from their first byte."
    )
    body_timeout_s: Seconds = Field(default=60.0, description="Seconds that a request's body may take.")
    keep_alive_s: Seconds = Field(default=75.0, description="Seconds that a connection may be open without a request.")
    write_timeout_s: Seconds = Field(
        default=60.0, description="Seconds that a client may leave an answer unread before it is cut off."
    )
    first_event_s: Seconds = Field(
        default=2.0,
        description="Seconds that a streamed answer waits for its first token before its headers go out without it.",
    )
    comment_s: Seconds = Field(
        default=5.0, description="Seconds between the comments that keep a stream open while the prompt is being read."
    )


class Images(Section):
    """Pictures that requests bring along or name."""

    side_px_max: PixelSide = Field(
        default=2048, description="A picture whose longer side has more pixels is shrunk to this, with a warning."
    )
    pixels_max: Pixels = Field(default=40_000_000, description="The most pixels of a picture before it is shrunk.")
    bytes_max: Size = Field(default=parse_size("20MB"), description="The most bytes of one picture as it comes.")
    request_count_max: Count = Field(default=64, description="The most pictures in one request.")
    request_bytes_max: Size = Field(
        default=parse_size("48MB"), description="The most bytes that the pictures of one request have together."
    )
    request_pixels_max: Count = Field(
        default=80_000_000, description="The most pixels that the pictures of one request have together, once shrunk."
    )
    body_bytes_max: Size = Field(
        default=parse_size("64MB"), description="The largest body of a request to which pictures may belong."
    )
    memory_bytes_max: Size = Field(
        default=parse_size("1GB"), description="The most memory for pictures of all requests at once."
    )
    cache_bytes_max: Size = Field(
        default=parse_size("64MB"), description="Decoded pictures kept, for conversations that show them again."
    )
    decoders_max: Few = Field(default=2, description="Pictures decoded at the same time.")
    fetches_max: Few = Field(default=8, description="Pictures fetched from the network at the same time.")
    connect_timeout_s: Seconds = Field(default=5.0, description="Seconds to wait for a connection to a picture's host.")
    read_timeout_s: Seconds = Field(default=10.0, description="Seconds without a byte after which a try is given up.")
    timeout_s: Seconds = Field(default=30.0, description="Seconds that fetching a picture may take, with all tries.")
    retries: Retries = Field(default=2, description="How often fetching a picture is tried again.")
    redirects_max: Retries = Field(default=3, description="Redirects that are followed, each checked like the first.")
    allow_private: UserSwitch = Field(
        default=False, description="Whether pictures are fetched from private networks and this machine, too."
    )
    folders: Folders = Field(
        default="",
        description="Folders from which callers on this machine may name pictures by path, `:` between them.",
    )


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What the server's log holds: this and worse."
    )
    format: Literal["auto", "json", "text"] = Field(
        default="auto",
        description="`json` is one object a line, `text` is for people; `auto` is text on a terminal, else JSON.",
    )
    file: Switch = Field(default=True, description="Whether the log is kept in the state folder, too, as JSON.")
    file_bytes_max: Size = Field(
        default=parse_size("10MB"), description="A log file that grows past this is put aside."
    )
    files_max: Few = Field(default=3, description="Log files kept, the current one included.")
    tail_lines: Count = Field(default=1000, description="Latest lines kept in memory, for `/admin/logs`.")


class Traces(Section):
    """Sent to a collector of yours. Nothing is sent unless `endpoint` says where."""

    endpoint: SecureUrl | None = Field(
        default=None, description="Where traces go: an address that takes OTLP over HTTP, without `/v1/traces`."
    )
    token: Secret | None = Field(
        default=None, description="What is sent as `authorization`; for Logfire, a write token."
    )
    service: str = Field(default="paddock", description="The name of this service in traces.")


class Responses(Section):
    """Kept for `previous_response_id`, unless a request says `store: false`."""

    count_max: Count = Field(default=1000, description="The most responses kept; the oldest make room.")
    bytes_max: Size = Field(default=parse_size("256MB"), description="The most that all of them take.")
    days: Days = Field(default=30, description="Days after which a response is forgotten.")


class Hub(Section):
    endpoint: SecureUrl = Field(
        default="https://huggingface.co", description="The Hugging Face hub, or one that speaks like it."
    )
    offline: bool = Field(default=False, description="Asks no hub; what is known answers, marked stale.")
    token: Secret | None = Field(
        default=None, description="Hugging Face's token: `HF_TOKEN`, or what `hf auth login` stored."
    )
    connections: Few = Field(default=4, description="Files fetched at the same time.")
    retries: Retries = Field(default=5, description="How often a request is tried again.")
    timeout_s: Seconds = Field(default=10.0, description="Seconds to wait for a connection or an answer to begin.")
    stall_timeout_s: Seconds = Field(
        default=30.0, description="Seconds without a byte after which a transfer starts over from where it is."
    )
    metadata_bytes_max: Size = Field(
        default=parse_size("64MB"), description="The most that is read of a hub's answer about a model."
    )
    ollama_registry: SecureUrl = Field(
        default="https://registry.ollama.ai", description="The registry behind `ollama://`."
    )
    kaggle_endpoint: SecureUrl = Field(
        default="https://www.kaggle.com", description="Kaggle, or one that speaks like it."
    )
    kaggle_username: str | None = Field(
        default=None, description="`KAGGLE_USERNAME`, or the user in `~/.kaggle/kaggle.json`."
    )
    kaggle_key: Secret | None = Field(default=None, description="`KAGGLE_KEY`, or the key in `~/.kaggle/kaggle.json`.")
    kaggle_token: Secret | None = Field(default=None, description="`KAGGLE_API_TOKEN`, used before name and key.")


class Library(Section):
    list_cache_s: CacheSeconds = Field(default=60.0, description="Seconds for which a list of models is remembered.")
    info_cache_s: CacheSeconds = Field(
        default=300.0, description="Seconds for which what is known about one model is remembered."
    )
    trial: Switch = Field(
        default=False,
        description="Whether a model that was pulled is tried at once: loaded, timed, asked a few questions.",
    )
    bundles: Folders = Field(
        default="",
        description="Folders with bundles of your own, `:` between them; their models are listed like the built-in ones.",
    )


class Chats(Section):
    keep: Switch = Field(default=True, description="Whether `paddock chat` keeps conversations, in the database.")
    count_max: Count = Field(
        default=1000,
        description="Conversations kept of each user or key; the one that rested longest goes when one more begins.",
    )
    messages_max: Count = Field(default=4000, description="The most messages of one conversation.")
    bytes_max: Size = Field(default=parse_size("16MB"), description="The most that one conversation takes.")


class AuditPrice(Section):
    """Of one model, or of those that a pattern names, for a million tokens; in whatever currency you count."""

    prompt: Price = Field(default=0.0, description="What a million tokens of prompts cost.")
    cached: Price | None = Field(
        default=None, description="The same for tokens that were found in a cache; empty is as any other."
    )
    completion: Price = Field(default=0.0, description="What a million tokens of answers cost.")


class Audit(Section):
    keep: Switch = Field(default=True, description="Whether a row is kept of every request, without what was asked.")
    prompts: Switch = Field(
        default=False, description="Whether what was asked is kept, too, sealed; `audit.keep` says whether anything is."
    )
    prompt_bytes_max: Size = Field(default=parse_size("64KB"), description="The most that is kept of one prompt.")
    days: Days = Field(default=90, description="Days after which a row is let go.")
    queue_max: Count = Field(
        default=10_000, description="Rows that wait to be written; what comes beyond is dropped, and counted."
    )
    prices: Mapping[str, AuditPrice] = Field(
        default_factory=dict[str, AuditPrice],
        description="What models cost, by name or pattern such as `gpt-*`; the longest that fits counts.",
    )


class Accounts(Section):
    session: Duration = Field(
        default=parse_duration("12h"), description="How long a browser stays signed in to the dashboard."
    )


class VaultSettings(Section):
    master_key: Literal["auto", "keyring", "file"] = Field(
        default="auto",
        description="Where the key is kept that seals the keys of providers: the system's keyring, or a file in the data"
        " folder that only its owner reads; `auto` takes the keyring where there is one.",
    )


class DatabaseSettings(Section):
    url: DatabaseUrl = Field(
        default="", description="Empty is SQLite in the data folder; `postgresql://…` shares one between machines."
    )


class Settings(Section):
    """All sections."""

    model: ModelChoice = Field(default_factory=ModelChoice, description="Which model answers.")
    options: Options = Field(default_factory=Options, description="How text is generated.")
    models: Mapping[ModelName, ModelEntry] = Field(
        default_factory=dict[str, ModelEntry], description="What differs for one model, by its name."
    )
    providers: Mapping[str, Provider] = Field(
        default_factory=dict[str, Provider], description="Others that can answer, by name."
    )
    failover: Failover = Field(default_factory=Failover, description="What happens when one who should answer cannot.")
    pool: Pool = Field(default_factory=Pool, description="Models in memory.")
    disk: Disk = Field(default_factory=Disk, description="Models on disk.")
    server: Server = Field(default_factory=Server, description="Where Paddock's server listens.")
    images: Images = Field(default_factory=Images, description="Pictures in requests.")
    log: Log = Field(default_factory=Log, description="What the server writes down about its work.")
    traces: Traces = Field(default_factory=Traces, description="What requests went through, for a collector of yours.")
    responses: Responses = Field(
        default_factory=Responses, description="Answers of `/v1/responses` that others go on from."
    )
    hub: Hub = Field(default_factory=Hub, description="Where models come from.")
    library: Library = Field(default_factory=Library, description="What is remembered about models, and how long.")
    chats: Chats = Field(default_factory=Chats, description="Conversations that are kept.")
    audit: Audit = Field(default_factory=Audit, description="A record of who asked what of whom.")
    accounts: Accounts = Field(default_factory=Accounts, description="People who sign in.")
    vault: VaultSettings = Field(default_factory=VaultSettings, description="How the keys of providers are kept.")
    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="Where rows are kept.")
    airgap: UserSwitch = Field(
        default=False,
        description="Whether Paddock keeps to this machine: none of its processes reaches beyond loopback, whoever asks.",
    )


# What a preset says where nobody says otherwise.
PRESETS: Mapping[str, Mapping[str, str | int]] = {
    "default": {},
    "low-memory": {"max_models": 1, "memory": "4GB"},
}


class Config(Settings):
    """All settings, resolved: `config.disk.factor`, `config.hub.endpoint`, `config.paths.data`."""

    paths: Paths
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def source_of(self, key: str) -> str:
        """Where the value of a dotted key comes from, `default` when nobody set it."""
        return self.sources.get(key, "default")


def model_options(config: Settings, name: str) -> Options:
    """The options for one model: the base, overlaid with what is set for exactly that model."""
    entry = config.models.get(name)
    if entry is None:
        return config.options
    own = {key: value for key, value in entry.options if value is not None}
    return config.options.model_copy(update=own)
