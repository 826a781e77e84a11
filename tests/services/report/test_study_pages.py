"""The report of a study says every number, every exclusion and every rule, and nothing that is not so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.report.document import (
    ChartBlock,
    Definitions,
    Document,
    Heading,
    Paragraph,
    Table,
)
from brainseg_desktop.services.report.html import to_html
from brainseg_desktop.services.report.pdf import to_pdf
from brainseg_desktop.services.report.study_pages import LITERATURE, MATRICES, study_document
from brainseg_desktop.services.studies.results import MEASURES, Exclusion, StudyReport
from tests.html_reading import outline
from tests.pdf_reading import on_the_page, read_pages
from tests.studies_example import NETWORK, READERS, example_report, make_report


def tables(document: Document, first_head: str) -> list[Table]:
    return [b for b in document.blocks if isinstance(b, Table) and b.header[0] == first_head]


def said(document: Document) -> str:
    parts = []
    for block in document.blocks:
        match block:
            case Heading() | Paragraph():
                parts.append(block.text)
            case Table():
                parts += [block.caption, block.note, *block.header, *(c for row in block.rows for c in row)]
            case ChartBlock():
                parts += [block.chart.title, block.chart.note]
            case Definitions():
                parts += [f"{k}: {v}" for k, v in block.entries.items()]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def document() -> Document:
    return study_document(example_report())


def test_the_design_the_rules_and_the_software_are_there(document: Document) -> None:
    report, text = example_report(), said(document)
    for key, value in report.design.items():
        assert key in text
        assert value in text
    assert all(rule in text for rule in report.rules.values())
    assert document.software == report.software
    assert report.name in document.title
    assert "4 readers, 8 cases" in document.subtitle
    assert "seed 7" in text


def test_exclusions_are_told_with_their_reason_and_without_folders() -> None:
    report = example_report()
    path = Path("/archive/Jane Doe/case-03_dseg.nii.gz")
    found = Exclusion("case-03", READERS[1], UserError("file_truncated", path=path))
    everyone = Exclusion("case-04", "", UserError("file_missing", path=Path("flair.nii.gz")))
    document = study_document(replace(report, exclusions=(*report.exclusions, found, everyone)))
    text = said(document)
    assert "Jane Doe" not in text
    (table,) = [t for t in tables(document, "Case") if t.caption == "Excluded"]
    reasons = {(row[0], row[1]): row[2] for row in table.rows}
    assert reasons["case-03", READERS[1]] == "case-03_dseg.nii.gz is cut short. Copy or download it again."
    assert reasons["case-04", "all"].startswith("flair.nii.gz does not exist")
    assert "label" in reasons["case-02", NETWORK]
    assert "4 exclusions" in text


@pytest.mark.parametrize("region", ["WT", "TC", "ET"])
def test_the_means_are_those_of_the_report(document: Document, region: str) -> None:
    results = example_report().regions[region]
    place = list(example_report().regions).index(region)
    means = tables(document, "Measure")[place]
    assert len(means.rows) == len(MEASURES)
    for row, table in zip(means.rows, results.measures.values(), strict=True):
        readers = table.readers
        assert row[1] == str(readers.n)
        assert row[-2:] == (str(readers.left_out), str(readers.missing))
        assert float(row[2].replace("\N{MINUS SIGN}", "-")) == pytest.approx(readers.mean, abs=6e-3)
    dice = results.measures["dice"].readers
    assert dice.interval is not None
    assert means.rows[0][3] == f"{dice.interval.lower:.3f} to {dice.interval.upper:.3f}"
    kappa = [row for t in tables(document, "All human readers together") for row in t.rows][3 * place]
    assert kappa[:3] == (
        "Fleiss' kappa",
        str(results.fleiss_kappa.mean.n),
        f"{results.fleiss_kappa.mean.mean:.3f}",
    )
    icc = tables(document, "Volumes of the human readers")[place].rows[0]
    assert icc[1] == f"{results.icc.icc_2_1:.3f}"


def test_networks_stand_beside_readers_against_the_consensus(document: Document) -> None:
    for region, table in zip(("WT", "TC", "ET"), tables(document, "Rater")[-4:], strict=False):
        rows = {row[0]: row for row in table.rows}
        if "Mean" not in table.header:
            continue
        consensus = example_report().regions[region].consensus
        assert rows.keys() == consensus.keys()
        assert rows[NETWORK][1] == "network"
    with_means = [t for t in tables(document, "Rater") if "Mean" in t.header]
    assert len(with_means) == 3
    assert all(NETWORK in {row[0] for row in t.rows} for t in with_means)


def test_bland_altman_of_every_pair_and_charts_of_the_widest(document: Document) -> None:
    results = example_report().regions["WT"]
    table = tables(document, "First, second")[0]
    assert len(table.rows) == len(results.bland_altman) == 10
    first = results.bland_altman[READERS[0], READERS[1]]
    assert table.rows[0][1] == f"{first.bias:.2f}".replace("-", "\N{MINUS SIGN}")
    titles = [b.chart.title for b in document.blocks if isinstance(b, ChartBlock)]
    drawn = [t for t in titles if t.startswith("WT") and "difference over mean" in t]
    widest = sorted(results.bland_altman, key=lambda p: -(results.bland_altman[p].sd or 0))[:4]
    assert drawn == [f"WT: volumes of {a} and {b}, difference over mean" for a, b in widest]
    assert "Charts of the 4 of 10 pairs" in said(document)
    matrices = [t for t in titles if t.startswith("ET") and "mean over the cases" in t]
    assert len(matrices) == len(MATRICES)


def test_repeats_times_and_the_worst_cases_are_told(document: Document) -> None:
    report = example_report()
    repeats = tables(document, "Reader")[0]
    assert [row[0] for row in repeats.rows] == list(READERS[:2])
    assert repeats.rows[0][5:7] == ("3.4", "1.70")
    times = next(t for t in tables(document, "Rater") if "Median (min)" in t.header)
    total = sum(report.active_s[READERS[0]].values()) / 60
    assert times.rows[0][-1] == f"{total:.1f}"
    worst = tables(document, "Region")[1]
    for region, first, second, _, case, dice in worst.rows:
        assert report.worst(region, "dice", (first, second)) == case
        assert dice == f"{report.regions[region].measures['dice'].scores[first, second][case].value:.3f}"


def test_the_literature_is_labelled_as_such(document: Document) -> None:
    (table,) = tables(document, "Published")
    assert table.rows == LITERATURE
    assert ("Human readers of gliomas, Dice", "0.73 to 0.85") in table.rows
    assert "no part of this study's results" in table.note


@pytest.mark.parametrize(
    "report",
    [
        example_report(),
        make_report(("Only one",), None, cases=1, regions=("WT",)),
        make_report(
            [f"Reader with a rather long name {i}" for i in range(9)], "AI", cases=3, regions=("WT",)
        ),
    ],
    ids=["example", "one reader, one case", "many long names"],
)
def test_the_pages_hold_everything(report: StudyReport) -> None:
    document = study_document(report)
    pages = read_pages(to_pdf(document, compressed=False))
    text = "".join(p.text for p in pages).replace(" ", "")
    for page in pages:
        on_the_page(page)
    for block in document.blocks:
        if isinstance(block, Table) and len(block.header) < 9:
            assert all(re.sub(r"\s", "", cell) in text for row in block.rows for cell in row)
    html = outline(to_html(document))
    rows = [list(row) for b in document.blocks if isinstance(b, Table) for row in (b.header, *b.rows)]
    assert html.rows == rows


def test_one_reader_is_said_to_be_no_study_of_agreement() -> None:
    text = said(study_document(make_report(("Only one",), None, cases=2, regions=("WT",))))
    assert "fewer than two human readers" in text
    assert "no pair of raters" in text
