"""The pages of one region of a study: matrices, means, coefficients, volumes, consensus, repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from brainseg_desktop.core.volumes_agreement import BlandAltman
from brainseg_desktop.services.charts.heat_map import SIGNED
from brainseg_desktop.services.charts.scores import digits_of, named, pair_words
from brainseg_desktop.services.charts.sheet import fixed
from brainseg_desktop.services.charts.study_charts import (
    bland_altman_chart,
    box_and_swarm,
    consensus_swarm,
    heat_map,
    volume_scatter,
)
from brainseg_desktop.services.charts.volume_charts import icc_words
from brainseg_desktop.services.messages import state_words
from brainseg_desktop.services.report.cells import (
    KINDS,
    MEAN_HEADS,
    MEAN_NOTE,
    interval,
    mean_cells,
    number,
    statistic,
)
from brainseg_desktop.services.report.document import (
    LEFT,
    RIGHT,
    Block,
    ChartBlock,
    Heading,
    Paragraph,
    Table,
)
from brainseg_desktop.services.studies.results import Pair, RegionResults, StudyReport

# Rows of one chart of dots that a page has room for.
ROWS_A_PAGE = 15
_RIGHT_BUT_TWO = (LEFT, LEFT, *(RIGHT for _ in MEAN_HEADS))


def region_blocks(report: StudyReport, region: str, matrices: Sequence[str], most_pairs: int) -> list[Block]:
    """Everything about one region."""
    results = report.regions[region]
    return [
        Heading(f"Region {region}"),
        *_means(results),
        *_coefficients(results),
        Heading(f"{region}: matrices of raters", 2),
        *(ChartBlock(heat_map(report, region, key)) for key in matrices if key in results.measures),
        *_pairs(report, results),
        *_consensus(report, results),
        *_volumes(report, results, most_pairs),
        *_repeats(results),
    ]


def _means(results: RegionResults) -> Iterator[Block]:
    rows = tuple(
        # Its sign says only who was named first, so that over all pairs the absolute value is taken.
        (
            f"Absolute {t.measure.title.lower()} ({t.measure.unit})"
            if t.measure.key == SIGNED
            else named(t.measure),
            *mean_cells(t.readers, digits_of(t.measure)),
        )
        for t in results.measures.values()
    )
    yield Table(("Measure", *MEAN_HEADS), rows, "Human readers, all pairs on all cases", note=MEAN_NOTE)


def _coefficients(results: RegionResults) -> Iterator[Block]:
    voxelwise = {
        "Fleiss' kappa": results.fleiss_kappa,
        "Krippendorff's alpha": results.krippendorff_alpha,
        "Generalised conformity index": results.conformity,
    }
    rows = tuple((name, *mean_cells(found.mean, 3)) for name, found in voxelwise.items())
    yield Table(
        ("All human readers together", *MEAN_HEADS),
        rows,
        note="One value for each case, over the whole grid; left out are cases nobody marked anything in.",
    )
    icc = results.icc
    kinds = (
        ("ICC(2,1), absolute agreement", icc.icc_2_1, icc.ci_2_1),
        ("ICC(3,1), consistency", icc.icc_3_1, icc.ci_3_1),
    )
    yield Table(
        ("Volumes of the human readers", "Value", "95 % interval", "Cases", "Readers", "Excluded"),
        tuple(
            (
                name,
                state_words(icc.state) if value is None else fixed(value, 3),
                interval(reach, 3),
                *map(str, (icc.n, icc.readers, icc.excluded)),
            )
            for name, value, reach in kinds
        ),
        note=f"{icc_words(icc)} Excluded are cases without a volume of every reader.",
    )


def _pairs(report: StudyReport, results: RegionResults) -> Iterator[Block]:
    """Dice and HD95 of each pair as dots and in numbers, and Cohen's kappa."""
    yield Heading(f"{results.region}: pairs of raters", 2)
    for key in ("dice", "hd95_mm"):
        table = results.measures.get(key)
        if table is None:
            continue
        pairs = list(table.scores)
        for start in range(0, len(pairs), ROWS_A_PAGE):
            chosen = pairs[start : start + ROWS_A_PAGE]
            yield ChartBlock(box_and_swarm(report, results.region, key, chosen))
        rows = tuple(
            (pair_words(table.measure, p), *mean_cells(m, digits_of(table.measure)))
            for p, m in table.pairs.items()
        )
        yield Table(("Pair", *MEAN_HEADS), rows, f"{named(table.measure)} of each pair")
    rows = tuple((" and ".join(p), *mean_cells(k.mean, 3)) for p, k in results.cohen_kappa.items())
    if rows:
        yield Table(("Pair", *MEAN_HEADS), rows, "Cohen's kappa of each pair, voxel by voxel")


def _consensus(report: StudyReport, results: RegionResults) -> Iterator[Block]:
    yield Heading(f"{results.region}: each rater against the readers' consensus", 2)
    if not results.consensus:
        yield Paragraph("There is no consensus: it needs two human readers.")
        return
    kinds = {r.name: KINDS[r.kind] for r in report.raters}
    rows = tuple((name, kinds.get(name, ""), *mean_cells(m, 3)) for name, m in results.consensus.items())
    yield Table(
        ("Rater", "Kind", *MEAN_HEADS),
        rows,
        "Dice with the STAPLE consensus",
        _RIGHT_BUT_TWO,
        "A reader is held against the consensus of the other readers (leave one out), a network or a "
        "reference against that of all readers.",
    )
    yield ChartBlock(consensus_swarm(report, results.region))


def _volumes(report: StudyReport, results: RegionResults, most_pairs: int) -> Iterator[Block]:
    yield Heading(f"{results.region}: volumes", 2)
    found = results.bland_altman
    if not found:
        yield Paragraph("There is no pair of raters whose volumes could be compared.")
        return
    heads = ("Bias", "of bias", "Lower", "of lower", "Upper", "of upper", "n", "Excluded")
    yield Table(
        ("First, second", *heads),
        tuple((", ".join(pair), *_bland_altman_cells(b)) for pair, b in found.items()),
        "Bland-Altman: first minus second, mL",
        note="Limits of agreement: bias ± 1.96 SD; each followed by its 95 % interval. Excluded are cases "
        "without a volume of both.",
    )
    chosen = [pair for pair in _widest(found) if found[pair].n > 1][:most_pairs]
    if not chosen:
        yield Paragraph("No pair has two cases in common, so there are no charts of volumes.", faint=True)
    elif len(chosen) < len(found):
        yield Paragraph(
            f"Charts of the {len(chosen)} of {len(found)} pairs with the widest limits; the table has all.",
            faint=True,
        )
    for pair in chosen:
        yield ChartBlock(bland_altman_chart(report, results.region, pair))
    for pair in chosen[:1]:
        yield ChartBlock(volume_scatter(report, results.region, pair))


def _bland_altman_cells(found: BlandAltman) -> tuple[str, ...]:
    if found.bias is None:
        return (state_words(found.state), *("" for _ in range(5)), str(found.n), str(found.excluded))
    levels = (
        (found.bias, found.bias_ci),
        (found.lower, found.lower_ci),
        (found.upper, found.upper_ci),
    )
    cells = (part for value, reach in levels for part in (number(value, 2), interval(reach, 2)))
    return (*cells, str(found.n), str(found.excluded))


def _widest(found: Mapping[Pair, BlandAltman]) -> list[Pair]:
    """Pairs by the width of their limits; those without come last, as they stand."""
    return sorted(found, key=lambda pair: -1.0 if (sd := found[pair].sd) is None else sd, reverse=True)


def _repeats(results: RegionResults) -> Iterator[Block]:
    if not results.repeats:
        return
    yield Heading(f"{results.region}: repeated readings", 2)
    rows = []
    for name, found in results.repeats.items():
        dice = mean_cells(found.dice, 3)
        spread = (statistic(found.variation, 1, 100.0), statistic(found.rmse_ml, 2))
        rows.append((name, str(len(found.volumes_ml)), *dice[1:4], *spread, *dice[6:]))
    yield Table(
        (
            *("Reader", "Cases", "Mean Dice", "95 % interval", "SD"),
            *("CV of volume (%)", "RMSE of volume (mL)", "Left out", "Missing"),
        ),
        tuple(rows),
        note="The second, hidden reading of the same cases by the same reader against the first.",
    )
