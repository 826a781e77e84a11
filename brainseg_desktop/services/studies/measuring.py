"""Measuring a study: its cases in processes beside this one, kept on the disk, then put together.

Only numbers come back here, so a study of any length needs little memory. The result does not depend on how
many processes there are, or on what was kept from an earlier run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.batch.look import LookJob
from brainseg_desktop.services.batch.runners import (
    LocalRunner,
    Lost,
    Runner,
    Stopped,
    cluster_runner,
    cores,
    how_many,
)
from brainseg_desktop.services.batch.tally import Tally
from brainseg_desktop.services.paths import cache_dir
from brainseg_desktop.services.studies.case_cache import cache_key, keep, read_kept
from brainseg_desktop.services.studies.case_numbers import CaseJob, CaseNumbers, MaskJob, Role, measure_files
from brainseg_desktop.services.studies.results import Material, RatingFile, StudyReport
from brainseg_desktop.services.studies.statistics import MeasuredCase, report_of

# Each takes some 150 MB: more would be faster, but need more than a laptop has to spare.
MOST_WORKERS = 6

Tell = Callable[[float], None]
Count = Callable[[Tally], object]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Work:
    """A case to measure: `files` are those of the job, in its order."""

    case: str
    files: tuple[RatingFile, ...]
    job: CaseJob
    key: str


def measure_study(
    material: Material,
    *,
    workers: int | None = None,
    tell: Tell = lambda _: None,
    count: Count = lambda _: None,
    cancelled: Cancelled = lambda: False,
    cache: Path | None = None,
    scheduler: str | None = None,
    anew: bool = False,
) -> StudyReport:
    """Measure every pair of masks of every case, and make the statistics of a study.

    Parameters
    ----------
    material : Material
    workers : int, optional
        Processes; by default one a core, `MOST_WORKERS` at most. 0: measure in this one.
    tell : callable
        Hears the share of the cases that is done.
    count : callable
        Hears the same as a `Tally`.
    cancelled : callable
        Asked ten times a second; once it says so, the processes are ended.
    cache : Path, optional
        Folder where the numbers of cases are kept.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers measure instead; they must see the masks.
    anew : bool
        Measure every case, whatever was kept of an earlier run.

    Raises
    ------
    UserError
        ``study_without_masks``; ``scheme_unknown``; ``measuring_cancelled`` (what was measured is kept);
        ``worker_missing`` if processes cannot be started. A mask that cannot be used, and a case that ends
        its process twice, are no reason to fail: they go to `StudyReport.exclusions`.
    """
    if not material.files:
        raise UserError("study_without_masks", name=material.name)
    folder = cache if cache is not None else cache_dir() / "agreement"
    works = [_work_of(material, case) for case in material.cases]
    works = [work for work in works if work.files]
    done: dict[str, MeasuredCase] = {}
    waiting: list[_Work] = []
    tally = Tally(len(works), time.monotonic())
    for work in works:
        _stop_if(cancelled)
        numbers = None if anew else read_kept(folder, work.key)
        if numbers is not None and _as_hashed(work.files):
            done[work.case] = MeasuredCase(work.files, numbers)
            tally.count("kept")
        else:
            waiting.append(work)
        tell(len(done) / len(works))
        count(tally)
    with closing(_measured([w.job for w in waiting], workers, scheduler, cancelled)) as measured:
        for number, found in measured:
            work = waiting[number]
            if isinstance(found, CaseNumbers):
                keep(folder, work.key, found)
                done[work.case] = MeasuredCase(work.files, found)
            elif found.reason:
                error = UserError("case_failed", case=work.case, reason=found.reason)
                done[work.case] = MeasuredCase(work.files, failure=error)
            else:
                error = UserError("case_not_measured", case=work.case)
                done[work.case] = MeasuredCase(work.files, failure=error)
            tally.count("done" if isinstance(found, CaseNumbers) else "failed")
            tell(len(done) / len(works))
            count(tally)
    return report_of(material, done)


def _work_of(material: Material, case: str) -> _Work:
    """The masks of a case in an order that names have no part in, so that the same are known again."""
    files = [f for f in material.files if f.case == case]
    first = {f.rater: f for f in files if f.repeat == 1}
    ordered = tuple(sorted(files, key=lambda f: (_role(f), f.sha256)))
    masks = []
    for file in ordered:
        role, own = _role(file), first.get(file.rater)
        of = ordered.index(own) if role == "repeat" and own is not None else None
        masks.append(MaskJob(str(file.path.absolute()), file.sha256, role, of))
    at = ordered.index(files[0]) if files else 0
    job = CaseJob(tuple(masks), material.scheme, material.tolerance_mm, at)
    return _Work(case, ordered, job, cache_key(job))


def _role(file: RatingFile) -> Role:
    if file.repeat > 1:
        return "repeat"
    return "reader" if file.kind is RaterKind.HUMAN else "other"


def _as_hashed(files: Sequence[RatingFile]) -> bool:
    """Whether the files still are what their hashes say; if not, the case is read anew, and says which."""
    try:
        return all(hashlib.sha256(f.path.read_bytes()).hexdigest() == f.sha256 for f in files)
    except OSError:
        return False


def _stop_if(cancelled: Cancelled) -> None:
    if cancelled():
        raise UserError("measuring_cancelled")


def _measured(
    jobs: Sequence[CaseJob], workers: int | None, scheduler: str | None, cancelled: Cancelled
) -> Generator[tuple[int, CaseNumbers | Lost], None, None]:
    """The numbers of each job, or why there are none, in the order in which they come."""
    if workers == 0:
        for number, job in enumerate(jobs):
            _stop_if(cancelled)
            yield number, measure_files(job)
        return
    count = how_many(workers or min(cores(), MOST_WORKERS), None, 1, len(jobs))
    runner: Runner = LocalRunner(count)
    if scheduler is not None:
        # Masks of the first case stand for all: one that is not seen there is left out by name.
        runner = cluster_runner(scheduler, LookJob([mask.path for job in jobs[:1] for mask in job.masks]))
    requests = [msgspec.json.encode(job) for job in jobs]
    try:
        with closing(runner.run("measure", requests, cancelled)) as answers:
            for number, answer in answers:
                found = answer if isinstance(answer, Lost) else msgspec.json.decode(answer, type=CaseNumbers)
                yield number, found
    except Stopped as error:
        raise UserError("measuring_cancelled") from error
