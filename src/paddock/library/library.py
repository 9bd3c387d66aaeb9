"""The library: one service for the command line, the API and the dashboard.

It decides little itself. The shelf knows what is here, the planner what a pull would do, pulls move bytes; this class
resolves names, keeps the rules between them (nothing in use is removed, nothing refused is pulled) and drops the caches
when something changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from paddock.catalog.compare import Comparison, compare
from paddock.catalog.sizing import WORKING_CONTEXT
from paddock.config.schema import Disk
from paddock.errors import Corrupt, InUse, NotEnoughDisk, NotFound, UsageError
from paddock.fleet.fleet import Runner
from paddock.hub.reference import ModelReference, parse_reference
from paddock.hub.stopping import Stop
from paddock.hub.url import hub_reference
from paddock.library.carry.carrying import Carrier
from paddock.library.cleaning import Cleaner, Pruned
from paddock.library.details import ModelDetails, details_of_basis, details_of_record
from paddock.library.handbook import Handbook
from paddock.library.keepalive import KeepAlive
from paddock.library.kept_responses import KeptResponses
from paddock.library.measurements import Measurements, revision_of
from paddock.library.naming import model_not_found, refuse_taken_name, resolve_name
from paddock.library.needs import MemoryNeed, need_at
from paddock.library.pulling.basis import Bases
from paddock.library.pulling.jobs import PullJob
from paddock.library.pulling.plan import Plan, PullOptions, fetched_already
from paddock.library.pulling.planner import Planner
from paddock.library.pulling.pulls import Pulls, Work
from paddock.library.records import ModelRecord, Records
from paddock.library.removal import RemovalKind, Removed, Remover
from paddock.library.searching import Searcher, SearchHit
from paddock.library.shelf import Shelf
from paddock.library.trials.kept import Trials, with_measured
from paddock.library.trials.results import TrialResult
from paddock.library.verification import FileCheck, Verification, verify_record
from paddock.store.space import DiskOutcome
from paddock.store.unpack import is_archive
from paddock.vocabulary import ModelInfo, ModelStatus, Origin, ProgressEvent, PullStatus, SourceKind

Confirm = Callable[[Plan], Awaitable[bool]]

_IN_PLACE = (SourceKind.LOCAL, SourceKind.BUILTIN)  # nothing is fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What the library is made of. `app.py` builds it."""

    records: Records
    shelf: Shelf
    bases: Bases
    planner: Planner
    pulls: Pulls
    remover: Remover
    searcher: Searcher
    cleaner: Cleaner
    carrier: Carrier
    handbook: Handbook
    measurements: Measurements
    trials: Trials
    responses: KeptResponses
    disk: Disk  # settings of the automatic clean-up
    pulled: list[Callable[[str], None]]
    users_of: Callable[[str], Sequence[str]]  # who has the model in memory now
    now: Callable[[], datetime]
    notices: Sequence[str] = ()


class Library:
    """The models you own, and those you could. Every failure is a PaddockError."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.pulls = rooms.pulls
        self.cleaning = rooms.cleaner
        self.carrying = rooms.carrier
        self.handbook = rooms.handbook
        self.responses = rooms.responses
        self.pulled = rooms.pulled  # whoever wants to be told the name of a model when a pull of it is complete
        self.notices = rooms.notices  # what its owner should be told, such as a damaged database that was moved aside

    # What is here

    async def list(self, *, refresh: bool = False) -> Sequence[ModelInfo]:
        """Every model on this disk, in order of name. Remembered for a minute, unless something changes."""
        if refresh:
            self.clear_cache()
        models = await self._rooms.shelf.models()
        names = _aliases_by_target(await self._rooms.records.aliases())
        return [record.info(aliases=names.get(record.name, ())) for record in models.values()]

    async def models(self) -> Mapping[str, ModelRecord]:
        """The records of every model on this disk, by name. The same object until something changes."""
        return await self._rooms.shelf.models()

    async def show(self, name: str) -> ModelDetails:
        """All that is known of one model, here or at its source. Raises ModelNotFound with near names."""
        record = await self.find(name)
        if record is not None:
            aliases = _aliases_by_target(await self._rooms.records.aliases())
            measured = await self._rooms.measurements.of(record)
            judgement = await asyncio.to_thread(self._rooms.shelf.judge, record, measured=measured)
            trial = await self._rooms.trials.of(record)
            return details_of_record(record, aliases.get(record.name, ()), judgement, trial)
        basis = await self._rooms.bases.get(await self._reference(name))
        status = ModelStatus.DOWNLOADING if await self.pulls.downloading(basis.name) else ModelStatus.NOT_FOUND
        return details_of_basis(basis, status)

    async def status(self, name: str) -> ModelStatus:
        """Here, on its way, or neither. Asks no hub and never fails for an unknown name."""
        if await self.find(name) is not None:
            return ModelStatus.AVAILABLE
        for job in await self.pulls.list(unfinished=True):
            if job.status in (PullStatus.QUEUED, PullStatus.DOWNLOADING, PullStatus.VERIFYING) and name in (
                job.name,
                job.reference,
            ):
                return ModelStatus.DOWNLOADING
        return ModelStatus.NOT_FOUND

    async def find(self, name: str) -> ModelRecord | None:
        """The model here that `name` means: its name, an alias, a unique short name or its reference; None if none.

        Raises UsageError when a short name fits several.
        """
        models = await self._rooms.shelf.models()
        if name in models:  # nearly every request of a server: no look into the database then
            return models[name]
        resolved = resolve_name(name, models, await self._rooms.records.aliases())
        if resolved is not None:
            return models.get(resolved)
        return next((record for record in models.values() if record.reference == name), None)

    async def get(self, name: str) -> ModelRecord:
        """As `find`, but raises ModelNotFound with near names."""
        record = await self.find(name)
        if record is None:
            raise model_not_found(name, await self._rooms.shelf.models())
        return record

    async def search(self, query: str, *, limit: int = 20, source: SourceKind | None = None) -> Sequence[SearchHit]:
        """Models at the hubs, each with whether it would run here and whether it is here."""
        return await self._rooms.searcher.search(
            query, limit=limit, source=source, here=await self._rooms.shelf.models()
        )

    async def compare(self, names: Sequence[str]) -> Comparison:
        """Several models side by side, here or at their source."""
        found = [await self.show(name) for name in names]
        memory = {one.info.name: one.working_memory_bytes for one in found if one.working_memory_bytes is not None}
        return await asyncio.to_thread(compare, [one.info for one in found], memory_bytes=memory)

    # Before and during a pull

    async def plan(self, reference: str, options: PullOptions | None = None) -> Plan:
        """What pulling would do. Moves no weight byte. Raises what the source raises, UsageError for a name that is taken."""
        wanted = await self._reference(reference)
        begun = await self._begun(wanted)
        at = begun.revision if begun is not None else None
        plan = await self._rooms.planner.plan(wanted, options or PullOptions(), at=at)
        await self._check_name(plan.name, plan.reference)
        return plan if await self._unpacked(plan) is None else fetched_already(plan)

    async def pull(
        self,
        reference: str,
        options: PullOptions | None = None,
        *,
        on_progress: Callable[[ProgressEvent], None] | None = None,
        confirm: Confirm | None = None,
    ) -> ModelInfo:
        """Fetch a model and wait for it. Cancelling the wait pauses the pull; calling again resumes it.

        `confirm` is asked when the disk is tight; without it a tight disk is refused. Raises what the plan refuses with,
        and what the transfer fails with.
        """
        options = options or PullOptions()
        wanted = await self._reference(reference)
        if wanted.source in _IN_PLACE:
            return (await self._register(wanted, options)).info()
        work = await self._work(wanted, options)
        if (unpacked := await self._unpacked(work.plan)) is not None:
            return unpacked.info()
        job_id = await self._start_pull(work, options, confirm)
        watcher = asyncio.create_task(self._report(job_id, on_progress)) if on_progress else None
        try:
            job = await self.pulls.wait(job_id)
        except asyncio.CancelledError:
            await self.pulls.pause(job_id)
            raise
        finally:
            if watcher is not None:
                await watcher
        if job.status is not PullStatus.COMPLETE:
            raise InUse(
                f"The pull of `{job.name}` was {job.status.value} by another process.",
                hint=f"Go on with `paddock pull {job.name}`.",
            )
        await self.auto_prune(keep=(job.name,))
        return (await self.get(job.name)).info()

    async def start_pull(
        self, reference: str, options: PullOptions | None = None, *, confirm: Confirm | None = None
    ) -> str | None:
        """Begin a pull in the background and return its job's id; None when there is nothing to fetch."""
        options = options or PullOptions()
        wanted = await self._reference(reference)
        if wanted.source in _IN_PLACE:
            await self._register(wanted, options)
            return None
        work = await self._work(wanted, options)
        return await self._start_pull(work, options, confirm) if await self._unpacked(work.plan) is None else None

    async def _start_pull(self, work: Work, options: PullOptions, confirm: Confirm | None) -> str:
        await self._check_name(work.plan.name, work.plan.reference)
        refusal = work.plan.refusal(options)
        if refusal is not None:
            raise refusal
        await self._agree_on_disk(work.plan, options, confirm)
        job = await self.pulls.start(work, options)
        return job.id

    async def auto_prune(self, *, keep: Sequence[str] = ()) -> Pruned | None:
        """Clean up as the settings say, but for `keep`; None when they say no, or there is nothing to do."""
        return await self._rooms.cleaner.auto_prune(self._rooms.disk, self._remove_unused, keep=keep)

    async def _remove_unused(self, name: str) -> int:
        return (await self.remove(name)).freed_bytes

    async def _agree_on_disk(self, plan: Plan, options: PullOptions, confirm: Confirm | None) -> None:
        if plan.disk.outcome is not DiskOutcome.TIGHT or options.force:
            return
        if confirm is not None and await confirm(plan):
            return
        raise NotEnoughDisk(
            plan.disk.sentence(plan.name),
            hint="Pull it all the same with `--yes` or `--force`, or lower `disk.factor`.",
        )

    async def _report(self, job_id: str, on_progress: Callable[[ProgressEvent], None]) -> None:
        async for event in self.pulls.events(job_id):
            on_progress(event)

    async def _work(self, wanted: ModelReference, options: PullOptions) -> Work:
        """What there is to do, at the revision at which an unfinished pull of the same reference began."""
        begun = await self._begun(wanted)
        if begun is not None:
            try:
                return await self._rooms.planner.work(wanted, options, at=begun.revision)
            except NotFound:  # its owner took that revision back; what came of it is of no use any more
                await self.pulls.cancel(begun.id)
        return await self._rooms.planner.work(wanted, options)

    async def _begun(self, wanted: ModelReference) -> PullJob | None:
        if wanted.revision is not None or wanted.source is not SourceKind.HUGGINGFACE:
            return None
        jobs = await self.pulls.list(unfinished=True)
        return next((job for job in jobs if job.reference == str(wanted)), None)

    async def _register(self, reference: ModelReference, options: PullOptions) -> ModelRecord:
        """A local file or folder joins the list where it is; a built-in model is there anyway."""
        if reference.source is SourceKind.BUILTIN:
            return await self.get(str(reference))
        basis = await self._rooms.bases.ask(reference)
        name = options.name or basis.name
        await self._check_name(name, str(reference))
        record = await self._rooms.shelf.register(basis.listing, name=name, pinned=options.pin)
        self.clear_cache()
        return record

    async def _unpacked(self, plan: Plan) -> ModelRecord | None:
        """The model whose archive the plan would fetch: it is here as what was in it, the archive was not kept."""
        if len(plan.files) != 1 or not is_archive(plan.files[0].path):
            return None
        there = (await self._rooms.shelf.models()).get(plan.name)
        return there if there is not None and there.revision == plan.revision else None

    async def _check_name(self, name: str, reference: str) -> None:
        """Raises UsageError when a model from elsewhere has the name: two addresses may both end in `model.gguf`."""
        await self._rooms.shelf.models()  # forgets models whose files are gone
        there = await self._rooms.records.get(name)
        if there is not None:
            refuse_taken_name(name, parse_reference(there.reference), parse_reference(reference))

    # Changing

    async def remove(self, name: str, *, adopted: bool = False, dry_run: bool = False) -> Removed:
        """Remove a model; of a model with a second name, given that name, only the name.

        Raises InUse with who uses it, UsageError when it is not ours to remove.
        """
        record = await self.get(name)
        if name in await self._rooms.records.aliases():
            return await self._forget_alias(name, record, dry_run=dry_run)
        users = list(self._rooms.users_of(record.name))
        if await self.pulls.downloading(record.name):
            users.append("a running pull")
        if users:
            raise InUse(
                f"`{record.name}` is in use by {', '.join(users)}.",
                hint="Stop using it first: `paddock unload` takes it out of memory, `paddock pulls` shows downloads.",
            )
        others = [other for other in (await self._rooms.shelf.models()).values() if other.name != record.name]
        removed = await asyncio.to_thread(self._rooms.remover.remove, record, others, adopted=adopted, dry_run=dry_run)
        if not dry_run:
            await self._rooms.records.delete(record.name)
            await self._rooms.records.delete_aliases_of(record.name)
            self.clear_cache()
        return removed

    async def _forget_alias(self, alias: str, record: ModelRecord, *, dry_run: bool) -> Removed:
        if not dry_run:
            await self._rooms.records.delete_alias(alias)
            self.clear_cache()
        return Removed(
            name=alias,
            kind=RemovalKind.FORGOTTEN,
            freed_bytes=0,
            kept_bytes=record.size_bytes,
            path=record.path,
        )

    async def verify(
        self,
        names: Sequence[str] = (),
        *,
        repair: bool = False,
        on_file: Callable[[str, FileCheck], None] | None = None,
    ) -> Sequence[Verification]:
        """Read every byte of these models (or of all) and compare hashes. `repair` fetches again what is bad."""
        models = await self._rooms.shelf.models()
        chosen = [await self.get(name) for name in names] if names else list(models.values())
        results: list[Verification] = []
        for record in chosen:
            result = await self._verify_one(record, on_file)
            if repair and not result.ok and result.repairable:
                await self._repair(record, result)
                result = await self._verify_one(await self.get(record.name), on_file)
            if result.ok:
                current = await self.get(record.name)
                await self._rooms.records.save(replace(current, verified_at=self._rooms.now()))
            results.append(result)
        self._rooms.shelf.invalidate()
        return results

    async def _verify_one(self, record: ModelRecord, on_file: Callable[[str, FileCheck], None] | None) -> Verification:
        def told(check: FileCheck) -> None:
            if on_file is not None:
                on_file(record.name, check)

        stop = Stop()
        try:
            return await asyncio.to_thread(
                verify_record, record, repairable=record.origin is Origin.PULLED, on_file=told, check=stop.check
            )
        except asyncio.CancelledError:
            stop.request()  # else the thread would read on to the last byte, and the program wait for it
            raise

    async def _repair(self, record: ModelRecord, result: Verification) -> None:
        """Drop the bad files and pull the same revision again: only they are fetched."""
        await asyncio.to_thread(self._rooms.remover.drop_content, record, result.bad_files)
        self.clear_cache()
        await self.pull_exactly(record.reference, record.revision, name=record.name)

    async def pull_exactly(self, reference: str, revision: str | None, *, name: str) -> None:
        """Pull one known revision without asking whether it fits: it was here, or a lock wants it.

        Raises Corrupt when the source does not have that revision any more.
        """
        options = PullOptions(force=True, skip_check=True, name=name)
        wanted = parse_reference(reference)
        at = revision if wanted.source is SourceKind.HUGGINGFACE else None
        work = await self._rooms.planner.work(wanted, options, at=at)
        if revision is not None and work.listing.revision != revision:
            raise Corrupt(
                f"`{name}` is at {work.listing.revision[:12]} at its source, {revision[:12]} was wanted.",
                hint="Its owner replaced it. Carry the old files over by hand, or lock the new revision.",
            )
        job = await self.pulls.start(work, options)
        await self.pulls.wait(job.id)

    async def copy(self, source: str, alias: str) -> None:
        """A second name for a model. Raises UsageError when the name is taken or unreadable."""
        record = await self.get(source)
        if parse_reference(alias).source is not None:
            raise UsageError(f"`{alias}` is not a short name.", hint="Use letters, digits, `.`, `_`, `-` and `:`.")
        models = await self._rooms.shelf.models()
        if alias in models:
            raise UsageError(f"There is a model called `{alias}` already.", hint="Choose another name.")
        await self._rooms.records.save_alias(alias, record.name, now=self._rooms.now())
        self.clear_cache()

    async def pin(self, name: str, *, pinned: bool) -> ModelInfo:
        """Keep a model from clean-up and from leaving memory, or no longer."""
        return await self._change(name, pinned=pinned)

    async def set_keep_alive(self, name: str, keep_alive: str | None) -> ModelInfo:
        """How long the model stays in memory unused; None follows the configuration."""
        return await self._change(name, keep_alive=None if keep_alive is None else str(KeepAlive.parse(keep_alive)))

    async def remember_load(self, record: ModelRecord, runner: Runner) -> None:
        """Remember what `record` really took in `runner`, which has just loaded it: predictions rest on that from now on."""
        if await self._rooms.measurements.keep(record, runner):
            self._rooms.bases.clear()

    async def remember_peak(self, record: ModelRecord, runner: Runner) -> None:
        """Remember the most that `record` has taken in `runner` while it worked, and how much work that was.

        Call it before a runner that answered something is stopped, and now and then while it runs: from the third such
        memory on `memory_need` is within 5 % of what the next load takes. A runner that has done nothing, is gone, or has a
        draft model beside its own tells nothing; neither that nor a full disk is an error.
        """
        if await self._rooms.measurements.keep_peak(record, runner):
            self._rooms.bases.clear()

    async def remember_trial(self, result: TrialResult) -> None:
        """Keep what a trial found. From now on the model's capabilities are what it showed, for as long as its files stay."""
        await self._rooms.trials.keep(result)
        record = await self.find(result.model)
        if record is None or not result.passed or revision_of(record) != result.revision:
            return
        await self._rooms.records.save(replace(record, facts=with_measured(record.facts, result.can)))
        self.clear_cache()

    async def tried_speeds(self) -> Mapping[str, float]:
        """Tokens per second of models that were tried, by name: of the latest trial that told one."""
        speeds: dict[str, float] = {}
        for result in await self._rooms.trials.all():
            if result.tokens_per_second is not None:
                speeds.setdefault(result.model, result.tokens_per_second)
        return speeds

    async def trial_of(self, name: str) -> TrialResult | None:
        """What the model showed when these files of it were tried last; None when they never were. Raises ModelNotFound."""
        return await self._rooms.trials.of(await self.get(name))

    async def memory_need(
        self, record: ModelRecord, *, context_window: int | None = None, streams: int = 1
    ) -> MemoryNeed | None:
        """What `record` will take at the most once it is loaded and `streams` conversations have grown to `context_window`
        tokens each (None: the working context, 8192 or the model's own if that is less).

        For whoever decides what is loaded: reads the model's headers and what earlier loads took, never the weights.
        Give the runner `runner_bytes_max` as its `memory_bytes_max`: without it the cache of known prompts grows until the
        runner holds three quarters of the machine. None when neither headers, config nor name tell a size.
        """
        measured = await self._rooms.measurements.of(record)
        estimate = await asyncio.to_thread(self._rooms.shelf.estimate, record, measured=measured)
        if estimate is None:
            return None
        window = record.facts.context_window
        return need_at(estimate, min(context_window or WORKING_CONTEXT, window), streams)

    async def _change(self, name: str, **changes: object) -> ModelInfo:
        record = replace(await self.get(name), **changes)  # pyright: ignore[reportArgumentType] (fields of ours)
        await self._rooms.records.save(record)
        self.clear_cache()
        return record.info()

    def clear_cache(self) -> None:
        """Forget what was remembered; the next question looks again."""
        self._rooms.shelf.invalidate()
        self._rooms.bases.clear()

    async def close(self) -> None:
        """Pause what runs."""
        await self.pulls.close()

    # Names

    async def _reference(self, text: str) -> ModelReference:
        """What to ask a source for. A bare name may be an alias, something here, or an entry of the registry."""
        parsed = parse_reference(text)
        if parsed.source is not None:
            return _as_hub_means(parsed)
        record = await self.find(text)
        if record is not None:
            return parse_reference(record.reference)
        registered = await self.handbook.lookup(text)
        if registered is not None:
            return _as_hub_means(parse_reference(registered))
        known = [*await self._rooms.shelf.models(), *(entry.name for entry in await self.handbook.registry())]
        raise model_not_found(text, known)


def _as_hub_means(reference: ModelReference) -> ModelReference:
    """A file's address on the hub is that file of its repository: with hashes, the token, and the shared cache."""
    return hub_reference(reference) or reference


def _aliases_by_target(aliases: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    by_target: dict[str, list[str]] = {}
    for alias, target in sorted(aliases.items()):
        by_target.setdefault(target, []).append(alias)
    return by_target
