"""A document in both forms: nothing lost, nothing off the page, whole or not written at all."""

from __future__ import annotations

import base64
import errno
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.charts.study_charts import heat_map
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.report.columns import SIZES, lay_out
from brainseg_desktop.services.report.document import (
    RESEARCH_USE,
    Block,
    ChartBlock,
    Definitions,
    Document,
    Heading,
    PageBreak,
    Paragraph,
    Picture,
    Table,
    write_report,
)
from brainseg_desktop.services.report.html import to_html
from brainseg_desktop.services.report.pdf import WIDTH, to_pdf
from tests.html_reading import outline
from tests.pdf_reading import on_the_page, read_pages
from tests.studies_example import example_report

NAMES = "Łukasz, Müller, Ιωάννα, Ольга (née Åse) → ≤ 35 mm²"


def png(colour: int = 128) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 60, 3), colour, np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def document(*blocks: Block) -> Document:
    return Document("A title & <more>", "What it is", blocks, "A foot", "BrainSeg Desktop 9.9")


def test_names_of_many_alphabets_are_printed() -> None:
    (page,) = read_pages(to_pdf(document(Paragraph(NAMES), Heading(NAMES)), compressed=False))
    assert page.text.count(NAMES) == 2
    assert NAMES in "".join(outline(to_html(document(Paragraph(NAMES)))).words)


def test_every_page_says_its_number_and_what_it_is_not_for() -> None:
    blocks = [Paragraph("one"), PageBreak(), Paragraph("two"), PageBreak(), Paragraph("three")]
    pages = read_pages(to_pdf(document(*blocks), compressed=False))
    assert [re.findall(r"\d of \d", p.text) for p in pages] == [["1 of 3"], ["2 of 3"], ["3 of 3"]]
    for page in pages:
        assert RESEARCH_USE in page.text
        assert "A foot · BrainSeg Desktop 9.9" in page.text
        assert "Atitle&<more>" in page.text.replace(" ", "")
        on_the_page(page)


def test_the_file_describes_itself() -> None:
    data = to_pdf(document(), compressed=False)
    assert b"/Title (A title & <more>)" in data
    assert b"/Creator (BrainSeg Desktop 9.9)" in data
    assert RESEARCH_USE.encode() in data
    assert len(to_pdf(document())) < len(data)


def test_a_long_table_goes_on_with_its_head_and_loses_no_row() -> None:
    rows = tuple((f"row{i}", f"{i}.5", "some words about it") for i in range(150))
    table = Table(("Name", "Number", "Words"), rows, "The caption", ("left", "right", "left"), "The note")
    pages = read_pages(to_pdf(document(Heading("Part"), table), compressed=False))
    assert len(pages) > 2
    assert [p.text.count("Number") for p in pages] == [1] * len(pages)
    text = " ".join(p.text for p in pages)
    assert re.findall(r"row\d+", text) == [f"row{i}" for i in range(150)]
    # It begins on the first page, below its heading, and is not moved to the next one whole.
    assert "row0 " in pages[0].text
    assert "The note" in pages[-1].text
    for page in pages:
        on_the_page(page)


def test_columns_that_have_no_room_go_into_blocks_with_the_first_column_again() -> None:
    header = ("Rater", *(f"Measure {i}" for i in range(40)))
    rows = tuple((f"rater{r}", *(f"{r}.{i:03d}" for i in range(40))) for r in range(3))
    (page,) = read_pages(to_pdf(document(Table(header, rows)), compressed=False))
    on_the_page(page)
    blocks = lay_out(Table(header, rows), WIDTH)
    assert len(blocks) > 1
    assert page.text.count("rater1") == len(blocks)
    found = re.findall(r"\b1\.\d{3}\b", page.text)
    assert found == [f"1.{i:03d}" for i in range(40)]


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.lists(
            st.lists(st.text("0123 abcW.", max_size=50), min_size=n, max_size=n).map(tuple),
            min_size=1,
            max_size=4,
        )
    )
)
def test_columns_always_fit_and_each_is_there(rows: list[tuple[str, ...]]) -> None:
    table = Table(rows[0], tuple(rows[1:]))
    blocks = lay_out(table, WIDTH)
    assert all(sum(b.widths) <= WIDTH + 1e-6 for b in blocks)
    assert all(b.indices[0] == 0 and b.size in SIZES for b in blocks)
    assert sorted({i for b in blocks for i in b.indices}) == list(range(len(rows[0])))


@pytest.mark.parametrize("text", ["word " * 4000, "0" * 5000], ids=["words", "one long word"])
def test_a_cell_larger_than_a_page_is_no_error(text: str) -> None:
    pages = read_pages(to_pdf(document(Table(("A", "B"), ((text, "1"),))), compressed=False))
    assert len(pages) > 1 or text[0] == "0"
    for page in pages:
        on_the_page(page)
    assert sum(p.text.count(text[:4]) for p in pages) >= 50


def test_a_heading_stays_with_what_follows() -> None:
    filler = [Paragraph("line") for _ in range(33)]
    chart = heat_map(example_report(), "WT", "dice")
    pages = read_pages(to_pdf(document(*filler, Heading("Above", 2), ChartBlock(chart)), compressed=False))
    assert len(pages) == 2
    assert "Above" not in pages[0].text
    assert "Above" in pages[1].text
    assert all(str(r.name) in pages[1].text for r in example_report().raters[:3])


def test_a_chart_in_a_pdf_is_letters_and_lines_at_the_places_of_the_chart() -> None:
    chart = heat_map(example_report(), "WT", "dice")
    (page,) = read_pages(to_pdf(document(ChartBlock(chart)), compressed=False))
    on_the_page(page)
    texts = [s for s in chart.shapes if hasattr(s, "anchor")]
    by_text = {w.text: w for w in page.words}
    title, note = texts[0], texts[-1]
    drop = by_text[title.text].y - by_text[note.text].y
    assert drop == pytest.approx(note.y - title.y, abs=0.01)
    assert all(t.text in by_text for t in texts)


def test_html_is_whole_and_needs_nothing_else() -> None:
    chart = heat_map(example_report(), "WT", "dice")
    table = Table(("Name", "Value"), (("a<b", "1"), ("&c", "2")), "Caption", note="Note")
    page = to_html(
        document(
            Heading("Part"),
            Heading("Section", 2),
            Paragraph("Faint", faint=True),
            table,
            ChartBlock(chart),
            Picture(png(), "A picture"),
            PageBreak(),
            Definitions({"Dice": "2 TP"}),
        )
    )
    found = outline(page)
    assert found.rows == [["Name", "Value"], ["a<b", "1"], ["&c", "2"]]
    said = " ".join(found.words)
    for words_said in (
        "A title & <more>",
        "Part",
        "Section",
        "Faint",
        "Caption",
        "Note",
        "Dice",
        "2 TP",
        RESEARCH_USE,
    ):
        assert words_said in said
    tags = [tag for tag, _ in found.tags]
    assert not {"script", "link", "iframe", "object"} & set(tags)
    links = [v for _, attrs in found.tags for k, v in attrs.items() if k in ("src", "href") and v is not None]
    assert [v.split(",")[0] for v in links] == ["data:image/png;base64"]
    assert base64.b64decode(links[0].split(",")[1]) == png()
    assert "url(" not in page
    assert "@import" not in page
    assert tags.count("svg") == 1
    # Every colour of the chart is one that the page defines, in both looks.
    used = {
        r for _, attrs in found.tags for r in re.findall(r"(?:fill|stroke)-(\w+)", attrs.get("class") or "")
    }
    assert {"ink", "faint", "paper", "box"} <= used
    for role in used:
        assert page.count(f"--{role}: #") == 2
        assert f".fill-{role} {{ fill: var(--{role}); }}" in page


@pytest.mark.parametrize("suffix", [".pdf", ".html"])
def test_a_report_that_cannot_be_written_leaves_the_old_one(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"report{suffix}"
    write_report(document(Paragraph("old")), path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="disk_full") as caught:
        write_report(document(Paragraph("new")), path)
    assert str(path) in words(caught.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_another_suffix_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="report_format") as caught:
        write_report(document(), tmp_path / "report.docx")
    assert ".pdf or .html" in words(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_font_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainseg_desktop.services.charts.letters.resources_dir", lambda: tmp_path)
    monkeypatch.setattr("reportlab.pdfbase.pdfmetrics.getRegisteredFontNames", list)
    with pytest.raises(UserError, match="resource_missing") as caught:
        write_report(document(), tmp_path / "report.pdf")
    assert "DejaVuSans.ttf" in words(caught.value)


def test_the_fonts_are_small_and_have_their_licence() -> None:
    folder = Path(__file__).resolve().parents[3] / "resources" / "fonts"
    assert sum(p.stat().st_size for p in folder.glob("*.ttf")) < 250_000
    licence = (folder / "LICENCE.txt").read_text()
    assert "Bitstream" in licence
    assert "Tavmjong Bah" in licence


def test_rows_of_unlike_length_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="cells"):
        Table(("a", "b"), (("1",),))
