"""Many cases outlined: planned, shared out, recorded, counted. The masks do not depend on who made them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import sweep
from brainseg_desktop.io.layouts import CaseFiles
from brainseg_desktop.io.schemes import scheme_named, sidecar_path
from brainseg_desktop.services.batch.cases import Plan, as_ref, plan_cases
from brainseg_desktop.services.batch.look import LookJob
from brainseg_desktop.services.batch.record import Line, Record
from brainseg_desktop.services.batch.runners import (
    CASE_BYTES,
    LocalRunner,
    Lost,
    Runner,
    cluster_runner,
    cores,
    free_memory,
    how_many,
)
from brainseg_desktop.services.batch.segment_job import (
    PASSING,
    CaseSegmenter,
    Finished,
    SegmentJob,
    SegmentOptions,
)
from brainseg_desktop.services.batch.segment_summary import Outcome
from brainseg_desktop.services.batch.tally import Tally, Tell
from brainseg_desktop.services.headless import Segmented, make_folder
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.models import find_network
from brainseg_desktop.services.scrubbing import alias

AUTO = 0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of all cases, in the order in which they were planned.

    Parameters
    ----------
    outcomes : tuple of Outcome
    seconds : float
        From the beginning to the end.
    problem : UserError or None
        Why the record does not know all that was done.
    """

    outcomes: tuple[Outcome, ...]
    seconds: float
    problem: UserError | None = None


def segment_many(
    places: Sequence[Path | CaseFiles],
    folder: Path,
    options: SegmentOptions,
    *,
    jobs: int = 1,
    resume: bool = False,
    scheduler: str | None = None,
    tell: Tell = lambda _: None,
) -> Run:
    """Outline every case and write the masks.

    Parameters
    ----------
    places : sequence of Path or CaseFiles
        Cases, or folders of many.
    folder : Path
        For the masks, as `options` name it.
    jobs : int
        Processes on this machine; `AUTO`: as many as cores and free memory allow.
    resume : bool
        Leave what the record in the folder says is done, as long as inputs, network, options and outputs are
        what they were.
    scheduler : str or None
        Address of a Dask scheduler, whose workers are used instead.
    tell : callable
        Hears the `Tally` as it changes.

    Raises
    ------
    UserError
        What is wrong with the folder, the scheme, the network or the cluster, all before the first case is
        begun; ``scheduler_lost`` (what was done is kept). Faults of cases are told in the result.
    """
    started = time.monotonic()
    if scheduler is None and jobs == 1:
        with closing(CaseSegmenter(options)) as segmenter:
            plan = plan_cases(places, folder)
            return _collect(plan, folder, resume, tell, started, _here(segmenter))
    if options.scheme is not None:
        scheme_named(options.scheme)
    network = find_network(options.model)
    make_folder(folder)
    plan = plan_cases(places, folder)
    work = sum(1 for case in plan.cases if case.files is not None)
    # Other processes may be started elsewhere: what they are told holds everywhere.
    model = str(network.absolute()) if options.model and Path(options.model).is_dir() else options.model
    options = replace(options, folder=str(folder.absolute()), model=model)
    memory = free_memory() if jobs == AUTO else None
    count = how_many(jobs or cores(), memory, CASE_BYTES, work)
    runner: Runner = LocalRunner(count, max(1, cores() // count))
    if scheduler is not None:
        seen = [str(p.absolute()) for p in places if isinstance(p, Path)]
        asked = LookJob(seen, network=(model, options.device))
        runner = cluster_runner(scheduler, asked, folder.absolute())
    return _collect(plan, folder, resume, tell, started, _elsewhere(runner, options))


# Cases that have to be done, with what the record says of them, become results in any order.
Work = list[tuple[int, CaseFiles, Line | None]]
Does = Callable[[Work, bool, Callable[[float], None]], Iterator[tuple[int, Finished | UserError]]]


def _here(segmenter: CaseSegmenter) -> Does:
    """One case after the other, in this process."""

    def do(
        work: Work, recorded: bool, progress: Callable[[float], None]
    ) -> Iterator[tuple[int, Finished | UserError]]:
        for number, files, kept in work:
            found = segmenter.outline(files, kept, progress, recorded=recorded)
            if found.code in PASSING and recorded:
                found = segmenter.outline(files, None, progress)
            yield number, found

    return do


def _elsewhere(runner: Runner, options: SegmentOptions) -> Does:
    """In other processes."""

    def do(
        work: Work, recorded: bool, progress: Callable[[float], None]
    ) -> Iterator[tuple[int, Finished | UserError]]:
        jobs = [msgspec.json.encode(SegmentJob(as_ref(files), options, kept)) for _, files, kept in work]
        with closing(runner.run("segment", jobs, lambda: False)) as answers:
            for at, answer in answers:
                number, files, _ = work[at]
                if isinstance(answer, Lost) and answer.reason:
                    yield number, UserError("case_bug", name=files.name, reason=answer.reason)
                elif isinstance(answer, Lost):
                    yield number, UserError("case_given_up", name=files.name)
                else:
                    yield number, msgspec.json.decode(answer, type=Finished)

    return do


def _collect(plan: Plan, folder: Path, resume: bool, tell: Tell, started: float, does: Does) -> Run:
    recorded = resume or len(plan.cases) > 1
    record = Record(folder)
    known = record.lines() if resume else {}
    if recorded:
        sweep(folder)
    tally = Tally(len(plan.cases), started)
    outcomes: dict[int, Outcome] = {}
    work: Work = []
    for number, case in enumerate(plan.cases):
        if case.files is None:
            assert case.error is not None
            outcomes[number] = _failed(case.name, case.error)
            tally.count(outcomes[number].status)
        else:
            work.append((number, case.files, known.get(plan.output(case.files).name)))
    tell(tally)

    def part(fraction: float) -> None:
        tally.part = fraction
        tell(tally)

    problem: UserError | None = None
    with closing(does(work, recorded, part)) as results:  # type: ignore[type-var]
        for number, found in results:
            name = plan.cases[number].name
            outcomes[number] = _outcome(folder, name, found)
            if isinstance(found, Finished) and found.line is not None and not found.kept:
                try:
                    record.add(found.line)
                except UserError as error:
                    problem = problem or UserError(
                        "record_not_written", path=record.path, reason=words(error)
                    )
            tally.count(outcomes[number].status)
            tell(tally)
    ordered = tuple(outcomes[number] for number in range(len(plan.cases)))
    return Run(ordered, time.monotonic() - started, problem)


def _outcome(folder: Path, name: str, found: Finished | UserError) -> Outcome:
    if isinstance(found, UserError):
        return _failed(name, found)
    if found.kept:
        assert found.line is not None
        return Outcome(_from_line(folder, name, found.line), "kept")
    segmented = Segmented.from_dict(found.entry, folder, found.code)
    return Outcome(segmented, "failed" if segmented.error is not None else "done")


def _failed(name: str, error: UserError) -> Outcome:
    _log.info("case %s: %s", alias(name), error.code)
    return Outcome(Segmented.failed(name, error), "failed")


def _from_line(folder: Path, name: str, line: Line) -> Segmented:
    """What was done in an earlier run, by the record and the sidecar."""
    output = folder / line.output
    try:
        about = json.loads(sidecar_path(output).read_bytes())
        details = about.get("details") or {}
    except (OSError, ValueError, AttributeError):
        about, details = {}, {}  # it was whole a moment ago, by its hash
    return Segmented(
        name,
        model=line.model,
        device=line.device,
        seconds=line.seconds,
        scheme=line.scheme,
        volumes_ml=line.volumes_ml,
        output=output,
        uncertainty=None if line.uncertainty is None else folder / line.uncertainty,
        alignment=about.get("alignment") or {},
        outside=tuple(details.get("outside") or ()),
    )
