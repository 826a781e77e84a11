"""The report of a study of several readers: how it was made, what came out, and by which rules."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.reliability import Interval
from brainseg_desktop.services.charts.scores import digits_of
from brainseg_desktop.services.charts.sheet import DASH
from brainseg_desktop.services.messages import words_without_folders
from brainseg_desktop.services.report.cells import (
    KINDS,
    interval,
    moment,
    number,
    rule_terms,
    span,
)
from brainseg_desktop.services.report.document import (
    Block,
    Definitions,
    Document,
    Heading,
    PageBreak,
    Paragraph,
    Table,
)
from brainseg_desktop.services.report.region_pages import region_blocks
from brainseg_desktop.services.studies.results import StudyReport

MATRICES = ("dice", "surface_dice", "hd95_mm", "volume_difference_ml")
# Not ours: printed beside our figures, and labelled as what they are.
LITERATURE = (
    ("Human readers of gliomas, Dice", "0.73 to 0.85"),
    ("BraTS, human readers, Dice", "0.74 to 0.85"),
    ("LGG set (110 patients), two experts, Dice", "0.84"),
    ("Enhancing tumour after surgery, conformity index", "0.32, with an ICC of the volumes of 0.92"),
)


def study_document(
    report: StudyReport, *, matrices: tuple[str, ...] = MATRICES, most_pairs: int = 4
) -> Document:
    """The pages of a study.

    Parameters
    ----------
    report : StudyReport
    matrices : tuple of str
        Keys of the measures that get a heat map for each region.
    most_pairs : int
        So many pairs of raters get Bland-Altman and scatter charts, those with the widest limits first; the
        tables hold all.
    """
    blocks: list[Block] = [
        *_design(report),
        *_raters(report),
        *_counts(report),
        *_summary(report),
        *_differing(report),
    ]
    for region in report.regions:
        blocks += [PageBreak(), *region_blocks(report, region, matrices, most_pairs)]
    blocks += [
        PageBreak(),
        *_times(report),
        *_literature(),
        Heading("Rules"),
        Definitions(rule_terms(report.rules)),
    ]
    return Document(
        title=f"Agreement of readers: {report.name}",
        subtitle=f"{_many(len(report.readers), 'reader')}, {_many(len(report.cases), 'case')}, "
        f"label scheme {report.scheme}. Made {moment(report.created_utc)}.",
        blocks=tuple(blocks),
        footer=report.name,
        software=report.software,
    )


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _design(report: StudyReport) -> Iterator[Block]:
    yield Heading("Design")
    rows = list(report.design.items())
    rows += [
        ("Label scheme", report.scheme),
        ("Tolerance of the surface Dice", f"{report.tolerance_mm:g} mm"),
    ]
    rows += [("Regions", ", ".join(report.regions)), ("Software", report.software)]
    yield Table(("", "How the study was made"), tuple(rows), align=("left", "left"))


def _raters(report: StudyReport) -> Iterator[Block]:
    yield Heading("Raters")
    excluded = [e.rater for e in report.exclusions]
    rows = []
    for rater in report.raters:
        read: set[str] = set()
        for region in report.regions.values():
            read |= set(region.volumes_ml.get(rater.name, {}))
        found = [region.repeats.get(rater.name) for region in report.regions.values()]
        repeated = {case for repeats in found if repeats is not None for case in repeats.volumes_ml}
        counts = (len(read), len(repeated), excluded.count(rater.name))
        rows.append((rater.name, KINDS[rater.kind], *map(str, counts)))
    yield Table(
        ("Rater", "Kind", "Cases measured", "Read twice", "Excluded"),
        tuple(rows),
        align=("left", "left", "right", "right", "right"),
    )
    if len(report.readers) < 2:
        yield Paragraph("The study has fewer than two human readers, so nothing tells how readers agree.")


def _counts(report: StudyReport) -> Iterator[Block]:
    yield Heading("Cases and exclusions")
    readings = {
        (rater, case)
        for region in report.regions.values()
        for rater, volumes in region.volumes_ml.items()
        for case in volumes
    }
    yield Paragraph(
        f"{_many(len(report.cases), 'case')} and {_many(len(report.raters), 'rater')} make "
        f"{len(report.cases) * len(report.raters)} readings, of which {len(readings)} were measured. "
        f"{_many(len(report.exclusions), 'exclusion')}."
    )
    if report.exclusions:
        rows = tuple((e.case, e.rater or "all", words_without_folders(e.reason)) for e in report.exclusions)
        yield Table(("Case", "Rater", "Why no number was made of it"), rows, "Excluded", ("left",) * 3)


def _summary(report: StudyReport) -> Iterator[Block]:
    yield Heading("In short")
    rows = []
    for name, region in report.regions.items():
        tables = [region.measures.get(key) for key in ("dice", "hd95_mm")]
        means = [
            DASH if t is None else _with_interval(t.readers.mean, t.readers.interval, digits_of(t.measure))
            for t in tables
        ]
        icc = _with_interval(region.icc.icc_2_1, region.icc.ci_2_1, 3)
        others = (region.fleiss_kappa.mean.mean, region.conformity.mean.mean)
        rows.append((name, *means, icc, *(number(value, 3) for value in others)))
    heads = ("Dice", "HD95 (mm)", "ICC(2,1) of volumes", "Fleiss' kappa", "Conformity")
    note = (
        "Human readers only; means over all pairs and cases that have a number, with 95 % intervals. Counts "
        "of what was left out stand in the tables of each region."
    )
    yield Table(("Region", *heads), tuple(rows), note=note)


def _with_interval(value: float | None, reach: Interval | None, digits: int) -> str:
    return number(value, digits) + ("" if reach is None else f" ({interval(reach, digits)})")


def _differing(report: StudyReport) -> Iterator[Block]:
    """For each region the pairs that agree least on the average, and their worst case."""
    rows = []
    for name, region in report.regions.items():
        table = region.measures.get("dice")
        if table is None:
            continue
        known = [(m.mean, p) for p, m in table.pairs.items() if m.mean is not None]
        for mean, pair in sorted(known)[:3]:
            case = report.worst(name, "dice", pair)
            least = table.scores[pair][case].value if case is not None else None
            rows.append((name, *pair, number(mean, 3), case or DASH, number(least, 3)))
    if rows:
        yield Table(
            ("Region", "Rater", "Other rater", "Mean Dice", "Worst case", "Dice there"),
            tuple(rows),
            "Where they agree least",
            ("left", "left", "left", "right", "left", "right"),
            "The three pairs of each region with the lowest mean Dice, and the case they agree on least.",
        )


def _times(report: StudyReport) -> Iterator[Block]:
    yield Heading("Time of work")
    rows = []
    for rater in report.raters:
        minutes = [s / 60 for s in report.active_s.get(rater.name, {}).values()]
        if minutes:
            middle, total = float(np.median(minutes)), sum(minutes)
            cells = (number(middle, 1), span(min(minutes), max(minutes), 1), number(total, 1))
            rows.append((rater.name, str(len(minutes)), *cells))
    if not rows:
        yield Paragraph("No reading says how long it took.")
        return
    yield Table(
        ("Rater", "Readings", "Median (min)", "Range (min)", "Sum (min)"),
        tuple(rows),
        note="First readings whose time is known; pauses of a minute and more do not count.",
    )
    lacking = [r.name for r in report.raters if r.kind is RaterKind.HUMAN and not report.active_s.get(r.name)]
    if lacking:
        yield Paragraph(f"Without a known time: {', '.join(lacking)}.", faint=True)


def _literature() -> Iterator[Block]:
    yield Heading("To hold beside: figures of the literature")
    note = (
        "Published on other patients, by other readers and other rules: no part of this study's results, "
        "and a difference proves nothing. Dice alone misleads where tumours are small; read "
        "overlap and volume together."
    )
    yield Table(("Published", "Figure"), LITERATURE, align=("left", "left"), note=note)
