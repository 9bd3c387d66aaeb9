"""The composition root: builds every object from the configuration and passes it on by constructor.

Nothing here decides anything. Whoever wants a library opens one:

    async with open_library(load_config(...)) as library:
        print(await library.list())
"""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from paddock.airgap.airgap import Airgap, airgap_at, check_url
from paddock.audit.ledger import Ledger
from paddock.audit.prices import Price, Prices
from paddock.audit.summary import Summaries
from paddock.catalog.known import built_in_models
from paddock.chats.book import ChatBook
from paddock.chats.chats import ChatLimits
from paddock.config.kinds import is_loopback
from paddock.config.schema import Config
from paddock.db.engine import Database
from paddock.errors import Airgapped
from paddock.fleet.fleet import Fleet
from paddock.fleet.subprocesses import RUNNER_COMMAND, SubprocessFleet
from paddock.hub.builtin import BuiltinSource
from paddock.hub.http import HttpClient, HttpLimits
from paddock.hub.hub_cache import HubCachePlacement
from paddock.hub.huggingface import HuggingFaceSource
from paddock.hub.kaggle import KaggleSource
from paddock.hub.local import LocalSource
from paddock.hub.ollama import OllamaSource
from paddock.hub.progress import PullProgress
from paddock.hub.reference import ModelReference, parse_reference
from paddock.hub.source import RemoteFile, Source
from paddock.hub.stopping import Stop
from paddock.hub.transfer import TransferLimits, fetch
from paddock.hub.url import UrlSource
from paddock.library.adopt import find_models
from paddock.library.adopt.places import places_in
from paddock.library.carry.bundles import discover
from paddock.library.carry.carrying import Carrier
from paddock.library.cleaning import Cleaner
from paddock.library.handbook import Handbook
from paddock.library.judging import Judge
from paddock.library.kept_responses import Bounds, KeptResponses
from paddock.library.library import Library, Rooms
from paddock.library.machine import Machine, read_machine
from paddock.library.measurements import Measurements
from paddock.library.pulling.basis import Bases
from paddock.library.pulling.jobs import Jobs, PullJob
from paddock.library.pulling.plan import PullOptions
from paddock.library.pulling.planner import Place, Planner
from paddock.library.pulling.pulls import PullRoom, Pulls, Work
from paddock.library.pulling.settling import settle
from paddock.library.records import Records
from paddock.library.removal import Remover
from paddock.library.searching import Searcher
from paddock.library.shelf import Seen, Shelf, seen_elsewhere, seen_in_bundle, seen_in_store
from paddock.library.trials.kept import Trials
from paddock.security.api_keys import ApiKeys
from paddock.security.data_keys import DataKeys
from paddock.security.gate import Gate, has_anybody
from paddock.security.master import MasterStore, master_store
from paddock.security.users import Users
from paddock.security.vault import Vault
from paddock.store.layout import ModelStore
from paddock.store.placement import Placement
from paddock.store.space import FreeSpace, free_space, volume_of
from paddock.vocabulary import SourceKind

if TYPE_CHECKING:
    from paddock.audit.journal import Recorder
    from paddock.gateway.rooms import GatewayRooms
    from paddock.images.pictures import Pictures
    from paddock.pool.observer import PoolObserver
    from paddock.pool.pool import Pool
    from paddock.pool.settings import PoolSettings
    from paddock.providers.provider import Provider
    from paddock.server.life import Life
    from paddock.server.rooms import ServerRooms
    from paddock.telemetry.export import Exporter
    from paddock.telemetry.logs import LogTail

BUILTIN_MODELS = Path(__file__).parent / "builtin_models"
WEB_PAGES = Path(__file__).parent / "web_pages"


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _nobody(name: str) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What lies outside the program. Tests choose it; everything else takes it as it is."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    free_space: FreeSpace = free_space
    machine: Callable[[], Machine] = read_machine
    builtin_models: Path = BUILTIN_MODELS
    web_pages: Path = WEB_PAGES  # the dashboard as it was built
    runner_command: Sequence[str] = RUNNER_COMMAND  # starts the program that runs a model
    users_of: Callable[[str], Sequence[str]] = field(default=_nobody)  # who has a model in memory: the pool knows


@asynccontextmanager
async def open_library(config: Config, world: World | None = None) -> AsyncGenerator[Library]:
    """The library that `config` describes. Pulls that run when the block ends are paused."""
    async with _open_database(config) as database, _open_library(config, world or World(), database) as library:
        yield library


@asynccontextmanager
async def open_chats(config: Config, world: World | None = None) -> AsyncGenerator[ChatBook]:
    """The conversations that are kept where `config` says."""
    async with _open_database(config) as database:
        yield _chats(config, world or World(), database)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who may ask a server."""

    users: Users
    keys: ApiKeys


@asynccontextmanager
async def open_accounts(config: Config, world: World | None = None) -> AsyncGenerator[Accounts]:
    """Users and keys, kept where `config` says."""
    async with _open_database(config) as database:
        yield _accounts(config, world or World(), database)


async def wants_key(config: Config) -> bool:
    """Whether there is a key or a user, kept where `config` says."""
    async with _open_database(config) as database:
        return await has_anybody(database)


@asynccontextmanager
async def open_vault(config: Config, world: World | None = None) -> AsyncGenerator[Vault]:
    """The secrets that are kept where `config` says."""
    async with _open_database(config) as database:
        yield _vault(config, world or World(), database)


def airgap_of(config: Config) -> Airgap | None:
    """What keeps the parts of this process to this machine, if `config` wants them kept."""
    return airgap_at(config.paths.airgap_ledger) if config.airgap else None


@asynccontextmanager
async def _open_database(config: Config) -> AsyncGenerator[Database]:
    check_url(airgap_of(config), config.database.url, who="the database, `database.url`")
    async with await Database.open(config.database.url or config.paths.database_file) as database:
        yield database


@asynccontextmanager
async def _open_library(config: Config, world: World, database: Database) -> AsyncGenerator[Library]:
    with _client(config) as client:
        library = _build(config, world, database, client)
        try:
            yield library
        finally:
            await library.close()


@asynccontextmanager
async def open_fleet(config: Config | None = None, *, command: Sequence[str] = RUNNER_COMMAND) -> AsyncGenerator[Fleet]:
    """Where models run: child processes of this one, started by `command`. They end with the block."""
    airgap = airgap_of(config) if config is not None else None
    fleet = SubprocessFleet(command=command, airgap_ledger=airgap.refusals.path if airgap is not None else None)
    try:
        yield fleet
    finally:
        await fleet.close()


@asynccontextmanager
async def open_pool(
    config: Config,
    world: World,
    *,
    library: Library,
    fleet: Fleet,
    observer: "PoolObserver",
    holds: Callable[[], Config] | None = None,
) -> AsyncGenerator["Pool"]:
    """Models in memory, within what `config` allows. All of them leave with the block.

    `holds` tells the settings of models that are loaded later, where these may change.
    """
    from paddock.pool.pool import Pool
    from paddock.pool.settings import pool_settings
    from paddock.pool.specs import predictions, specs

    pool = Pool(
        fleet=fleet,
        find=library.get,
        predict=predictions(library, holds or (lambda: config)),
        spec=specs(holds or (lambda: config)),
        loaded=library.remember_load,
        leaves=library.remember_peak,
        settings=pool_settings(config, usable_bytes=world.machine().memory_bytes),
        clock=world.clock,
        observer=observer,
    )
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def open_pictures(config: Config) -> AsyncGenerator["Pictures"]:
    """What reads the pictures of requests."""
    from paddock.images.pictures import Pictures

    pictures = Pictures(config.images, airgap=airgap_of(config))
    try:
        yield pictures
    finally:
        await pictures.close()


def _seeing(library: Library) -> Callable[[], Awaitable[Sequence[str]]]:
    from paddock.images.seeing import seeing_models

    async def names() -> Sequence[str]:
        return seeing_models(await library.list())

    return names


@asynccontextmanager
async def open_server(
    config: Config,
    world: World | None = None,
    *,
    admin_key: str | None = None,
    token: str,
    launch_token: str = "",
    life: "Life | None" = None,
    log_tail: "LogTail | None" = None,
    reread: Callable[[], Config] | None = None,
) -> AsyncGenerator["ServerRooms"]:
    """Everything that the HTTP edge needs: the library, models in memory, who answers. Runners end with the block.

    `token` is what this person's own programs show instead of a key, `launch_token` what programs show that they start.
    `reread` resolves the settings once more, when somebody has changed one; without it all of them stay what they are.
    """
    # Only a server needs these; every other command starts faster without them.
    from paddock.library.checkup import Patient, blas_apart, examine
    from paddock.pool.settings import pool_settings
    from paddock.providers.local import LocalProvider
    from paddock.server.in_force import InForce
    from paddock.server.life import Life
    from paddock.server.pages import Pages
    from paddock.server.rooms import ServerRooms
    from paddock.server.running import Running
    from paddock.telemetry.logs import LogTail, set_level
    from paddock.telemetry.metrics import Metrics
    from paddock.telemetry.timeline import Timelines
    from paddock.version import VERSION

    world = world or World()
    pools: list[Pool] = []  # one, once it is there: the library is older than it

    def users_of(name: str) -> Sequence[str]:
        return [user for pool in pools for user in pool.users_of(name)]

    known_users = replace(world, users_of=users_of)
    metrics = Metrics(world.clock)
    life = life or Life()
    async with (
        _open_database(config) as database,
        _open_library(config, known_users, database) as library,
        AsyncExitStack() as closing,
        _recorder(config, database, _vault(config, world, database), lambda: in_force.config) as recorder,
        open_fleet(config, command=world.runner_command) as fleet,
        open_pool(config, world, library=library, fleet=fleet, observer=metrics, holds=lambda: in_force.config) as pool,
        open_pictures(config) as pictures,
    ):
        pools.append(pool)
        local = LocalProvider(pool, config, find=library.get, pictures=pictures, seeing=_seeing(library))
        vault = _vault(config, world, database)

        def limits_of(changed: Config) -> "PoolSettings":
            return pool_settings(changed, usable_bytes=world.machine().memory_bytes)

        def apply(changed: Config) -> None:
            pool.reconfigure(limits_of(changed))
            local.reconfigure(changed)
            set_level(changed.log.level)

        gate = Gate(
            database=database,
            clock=world.clock,
            now=world.now,
            admin_key=SecretStr(admin_key) if admin_key else None,
            local_token=SecretStr(token),
            launch_token=SecretStr(launch_token) if launch_token else None,
            exposed=not is_loopback(config.server.host),
        )
        accounts = _accounts(config, world, database, gate)
        exporter = _exporter(config)
        if exporter is not None:
            closing.push_async_callback(asyncio.to_thread, exporter.close)
        timelines = Timelines([exporter.add] if exporter is not None else [])
        in_force = InForce(config, reread=reread or (lambda: config), apply=apply)
        routing = open_gateway(
            lambda: in_force.config, world, database=database, vault=vault, library=library, local=local
        )
        closing.push_async_callback(routing.providers.close)
        yield ServerRooms(
            config=config,
            in_force=in_force,
            library=library,
            chats=_chats(config, world, database),
            vault=vault,
            pool=pool,
            limits_of=limits_of,
            provider=routing.gateway,
            routing=routing,
            metrics=metrics,
            log_tail=log_tail or LogTail(config.log.tail_lines),
            pages=Pages.read(world.web_pages),
            gate=gate,
            recorder=recorder,
            ledger=Ledger(database=database, now=world.now),
            summaries=Summaries(database=database, now=world.now),
            running=Running(),
            timelines=timelines,
            users=accounts.users,
            keys=accounts.keys,
            machine=world.machine,
            examine=lambda: examine(
                Patient(
                    config=in_force.config,
                    free_space=world.free_space,
                    machine=world.machine,
                    blas=blas_apart,
                    library=lambda: nullcontext(library),
                )
            ),
            life=life,
            clock=world.clock,
            now=world.now,
            version=VERSION,
            stop=life.drain,
        )


def _exporter(config: Config) -> "Exporter | None":
    """Where traces are sent, if anywhere. Kept to this machine, a server goes on without, and the ledger says so."""
    from paddock.telemetry.export import open_exporter

    traces = config.traces
    if traces.endpoint is None:
        return None
    with suppress(Airgapped):
        check_url(airgap_of(config), traces.endpoint, who="traces, `traces.endpoint`")
        token = traces.token.get_secret_value() if traces.token else None
        return open_exporter(traces.endpoint, token=token, service=traces.service)
    return None


@asynccontextmanager
async def open_routing(config: Config, world: World | None = None) -> AsyncGenerator["GatewayRooms"]:
    """How names lead to who answers, to look at and to change; nobody here answers for models of this machine."""
    world = world or World()
    async with _open_database(config) as database, _open_library(config, world, database) as library:
        vault = _vault(config, world, database)
        routing = open_gateway(lambda: config, world, database=database, vault=vault, library=library, local=None)
        try:
            yield routing
        finally:
            await routing.providers.close()


def open_gateway(
    config: Callable[[], Config],
    world: World,
    *,
    database: Database,
    vault: Vault,
    library: Library,
    local: "Provider | None",
) -> "GatewayRooms":
    """Who answers, and how names lead there. Close its `providers` when done."""
    from paddock.gateway.attempts import FailoverSettings, Means
    from paddock.gateway.breaker import Breakers
    from paddock.gateway.directory import Directory
    from paddock.gateway.gateway import Gateway
    from paddock.gateway.provider_book import ProviderBook
    from paddock.gateway.replaying import Replayer
    from paddock.gateway.rooms import GatewayRooms
    from paddock.gateway.rule_book import RuleBook
    from paddock.gateway.speeds import Speeds
    from paddock.providers.shelf import Providers

    def settings() -> FailoverSettings:
        failover = config().failover
        return FailoverSettings(
            attempts_max=failover.attempts_max,
            budget_s=failover.budget_s,
            wait_max_s=failover.wait_max_s,
            hedge_s=failover.hedge_s,
        )

    rules = RuleBook(database, now=world.now, clock=world.clock)
    definitions = ProviderBook(database, vault=vault, config=config, now=world.now, clock=world.clock)
    providers = Providers(definitions, config=config, clock=world.clock, airgap=airgap_of(config()))
    speeds = Speeds()
    breakers = Breakers(settings=lambda: config().failover, clock=world.clock)
    directory = Directory(
        local=local,
        library=library,
        rules=rules.rules,
        providers=providers,
        speeds=speeds,
        config=config,
        builtin_models=world.builtin_models,
    )
    means = Means(
        provider=directory.provider,
        breakers=breakers,
        settings=settings,
        clock=world.clock,
        sleep=asyncio.sleep,
        jitter=lambda: random.uniform(0.5, 1.5),  # noqa: S311 (it spreads requests, and hides nothing)
    )
    return GatewayRooms(
        gateway=Gateway(directory, means, speeds),
        directory=directory,
        rules=rules,
        definitions=definitions,
        providers=providers,
        breakers=breakers,
        replayer=Replayer(
            directory=directory,
            ledger=Ledger(database=database, now=world.now),
            config=config,
            prices=lambda: _prices(config()),
            now=world.now,
        ),
    )


def _client(config: Config) -> HttpClient:
    hub = config.hub
    limits = HttpLimits(
        connect_timeout_s=hub.timeout_s,
        read_timeout_s=hub.stall_timeout_s,
        metadata_bytes_max=hub.metadata_bytes_max,
        attempts_max=hub.retries + 1,
    )
    return HttpClient(limits=limits, offline=hub.offline, airgap=airgap_of(config))


def _build(config: Config, world: World, database: Database, client: HttpClient) -> Library:
    paths = config.paths
    machine = world.machine()
    budget_bytes = config.pool.memory.of(machine.memory_bytes)
    known = built_in_models()
    judge = Judge(machine, budget_bytes)
    sources = _sources(config, client, world)
    store = ModelStore(paths.data / "store")
    records, jobs = Records(database), Jobs(database)
    measurements = Measurements(database, device=machine.device, now=world.now)
    place = _placing(store, paths.huggingface_cache)

    shelf = Shelf(
        records=records,
        look=_looking(config, world, store),
        known=known,
        judge=judge,
        lifetime_s=config.library.list_cache_s,
        clock=world.clock,
        now=world.now,
    )
    bases = Bases(
        sources=sources,
        known=known,
        judge=judge,
        measurements=measurements,
        database=database,
        lifetime_s=config.library.info_cache_s,
        clock=world.clock,
        now=world.now,
    )
    planner = Planner(
        bases=bases,
        jobs=jobs,
        place=place,
        machine=machine,
        budget_bytes=budget_bytes,
        disk_factor=config.disk.factor,
        free_space=world.free_space,
    )
    pulled: list[Callable[[str], None]] = []
    room = PullRoom(
        jobs=jobs,
        prepare=lambda job: planner.work(parse_reference(job.reference), job.options, at=_commit_of(job)),
        check_room=planner.check_room,
        fetch=_fetching(config, client, sources),
        discard=lambda job: _placement_of(job, place).discard(),
        finished=_finishing(shelf, records, pulled),
        volume=volume_of,
        reservations=paths.state / "locks" / "disk.lock",
        connections=config.hub.connections,
        clock=world.clock,
        now=world.now,
    )
    return Library(
        Rooms(
            records=records,
            shelf=shelf,
            bases=bases,
            planner=planner,
            pulls=Pulls(room),
            remover=Remover(store=store, hub_cache=paths.huggingface_cache),
            searcher=Searcher(sources=sources, known=known, judge=judge),
            cleaner=Cleaner(
                shelf=shelf,
                store=store,
                hub_cache=paths.huggingface_cache,
                jobs=jobs,
                pinned=lambda name: name in config.models and config.models[name].pin,
                users_of=world.users_of,
                now=world.now,
            ),
            carrier=Carrier(shelf=shelf, place=place),
            handbook=Handbook(database=database, records=records, now=world.now),
            measurements=measurements,
            trials=Trials(database),
            pulled=pulled,
            responses=_responses(config, world, database),
            disk=config.disk,
            users_of=world.users_of,
            now=world.now,
            notices=database.notices,
        )
    )


def _responses(config: Config, world: World, database: Database) -> KeptResponses:
    kept = config.responses
    bounds = Bounds(count=kept.count_max, size_bytes=kept.bytes_max, age=timedelta(days=kept.days))
    return KeptResponses(database, bounds=bounds, now=world.now)


def _chats(config: Config, world: World, database: Database) -> ChatBook:
    kept = config.chats
    limits = ChatLimits(chats_max=kept.count_max, messages_max=kept.messages_max, bytes_max=kept.bytes_max)
    return ChatBook(database=database, limits=limits, now=world.now, new_id=lambda: secrets.token_hex(6))


def _accounts(config: Config, world: World, database: Database, gate: Gate | None = None) -> Accounts:
    def changed() -> None:
        if gate is not None:
            gate.reread()

    users = Users(database=database, clock=world.clock, now=world.now, session=config.accounts.session, changed=changed)
    return Accounts(users, ApiKeys(database=database, now=world.now, changed=changed))


@asynccontextmanager
async def _recorder(
    config: Config, database: Database, vault: Vault, holds: Callable[[], Config]
) -> AsyncGenerator["Recorder"]:
    """Takes rows of requests and writes them, until the block ends; then what is left."""
    from paddock.audit.journal import Journal, Sometimes

    journal = Journal(
        database=database, sealer=vault, prices=lambda: _prices(holds()), queue_max=config.audit.queue_max
    )
    writing = asyncio.create_task(journal.run())
    try:
        yield Sometimes(journal, lambda: holds().audit.keep)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await journal.close()


def _prices(config: Config) -> Prices:
    return Prices(
        {
            pattern: Price(prompt=price.prompt, cached=price.cached, completion=price.completion)
            for pattern, price in config.audit.prices.items()
        }
    )


@asynccontextmanager
async def open_ledger(config: Config, world: World | None = None) -> AsyncGenerator[Ledger]:
    """The rows of requests that are kept where `config` says."""
    async with _open_database(config) as database:
        yield Ledger(database=database, now=(world or World()).now)


def _vault(config: Config, world: World, database: Database) -> Vault:
    def store() -> MasterStore:
        return master_store(config.vault.master_key, config.paths.master_key_file)

    lock = config.paths.state / "locks" / "vault.lock"
    return Vault(DataKeys(database=database, store=store, lock=lock, now=world.now))


def _sources(config: Config, client: HttpClient, world: World) -> Mapping[SourceKind, Source]:
    hub = config.hub
    return {
        SourceKind.BUILTIN: BuiltinSource(world.builtin_models),
        SourceKind.HUGGINGFACE: HuggingFaceSource(
            client, endpoint=hub.endpoint, token=hub.token.get_secret_value() if hub.token else None
        ),
        SourceKind.KAGGLE: KaggleSource(
            client,
            endpoint=hub.kaggle_endpoint,
            username=hub.kaggle_username,
            key=hub.kaggle_key.get_secret_value() if hub.kaggle_key else None,
            token=hub.kaggle_token.get_secret_value() if hub.kaggle_token else None,
        ),
        SourceKind.OLLAMA: OllamaSource(client, registry=hub.ollama_registry),
        SourceKind.URL: UrlSource(client),
        SourceKind.LOCAL: LocalSource(),
    }


def _placing(store: ModelStore, hub_cache: Path) -> Place:
    """Hugging Face models go where every other tool finds them, all others into our own store."""

    def place(reference: ModelReference, name: str, revision: str, keys: Mapping[str, str]) -> Placement:
        if reference.source is SourceKind.HUGGINGFACE:
            ref = reference.revision or "main"
            return HubCachePlacement(hub_cache, repo_id=reference.name, commit=revision, files=keys, ref=ref)
        return store.placement(name, revision, keys)

    return place


def _placement_of(job: PullJob, place: Place) -> Placement:
    keys = {file.path: file.key for file in job.files}
    return place(parse_reference(job.reference), job.name, job.revision or "", keys)


def _commit_of(job: PullJob) -> str | None:
    """Only the hub can be asked for the commit at which an interrupted pull began."""
    return job.revision if parse_reference(job.reference).source is SourceKind.HUGGINGFACE else None


def _fetching(
    config: Config, client: HttpClient, sources: Mapping[SourceKind, Source]
) -> Callable[[Work, RemoteFile, PullProgress, Stop], None]:
    limits = TransferLimits(stall_timeout_s=config.hub.stall_timeout_s, attempts_max=config.hub.retries + 1)

    def fetch_one(work: Work, file: RemoteFile, progress: PullProgress, stop: Stop) -> None:
        fetch(
            file,
            listing=work.listing,
            source=sources[work.listing.source],
            placement=work.placement,
            client=client,
            progress=progress,
            stop=stop,
            limits=limits,
        )

    return fetch_one


def _finishing(
    shelf: Shelf, records: Records, pulled: Sequence[Callable[[str], None]]
) -> Callable[[Work, PullOptions, Path], Awaitable[None]]:
    async def finished(work: Work, options: PullOptions, folder: Path) -> None:
        before = await records.get(work.plan.name)
        await shelf.put(await asyncio.to_thread(settle, work, options, folder, shelf, before), before)
        for told in pulled:
            told(work.plan.name)

    return finished


def bundle_folders(config: Config) -> Sequence[Path]:
    """The folders of `library.bundles`."""
    return [Path(folder).expanduser() for folder in config.library.bundles.split(":") if folder]


def _looking(config: Config, world: World, store: ModelStore) -> Callable[[], Iterable[Seen]]:
    """Everything on this disk that is a model, whoever keeps it. Bundles come first, so that they keep their names."""
    places = places_in(config.paths)

    def look() -> Iterator[Seen]:
        for model in discover(builtin=world.builtin_models, folders=bundle_folders(config)).models.values():
            yield seen_in_bundle(model)
        for found in find_models(places):
            yield seen_elsewhere(found)
        for manifest in store.manifests():
            yield seen_in_store(manifest, store.folder(manifest.name, manifest.revision))

    return look
