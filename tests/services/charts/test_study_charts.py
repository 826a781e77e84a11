"""Charts of a study: every dot and cell lies where its number says, nothing off the paper."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from brainseg_desktop.core.metrics import Score
from brainseg_desktop.services.charts.axes import Axis, ticks
from brainseg_desktop.services.charts.chart import (
    DARK,
    PAPER,
    THEMES,
    Chart,
    Circle,
    Line,
    Rect,
    Shape,
    Text,
    Theme,
)
from brainseg_desktop.services.charts.colours import cividis, ink_on, luminance
from brainseg_desktop.services.charts.letters import elided, font_path, text_width, wrapped
from brainseg_desktop.services.charts.study_charts import (
    bland_altman_chart,
    box_and_swarm,
    consensus_swarm,
    heat_map,
    volume_scatter,
)
from brainseg_desktop.services.charts.svg import to_svg
from brainseg_desktop.services.charts.swarms import swarm
from brainseg_desktop.services.studies.results import MEASURES, MeanScore, MeasureTable, StudyReport
from tests.studies_example import NETWORK, READERS, example_report, make_report, mean_of, with_table

PAIR = (READERS[0], READERS[1])
LONG = [f"Professor Bartholomew Featherstonehaugh the {n}th of his name" for n in range(1, 16)]
SPACE = "http://www.w3.org/2000/svg"
BoxOf = tuple[float, float, float, float]


@cache
def font(bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_path(bold)), 200)


def box_of(shape: Shape) -> BoxOf:
    """Left, top, right and bottom of what a shape covers; of words by the font's own widths."""
    if isinstance(shape, Rect):
        return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
    if isinstance(shape, Line):
        xs, ys = sorted((shape.x1, shape.x2)), sorted((shape.y1, shape.y2))
        return xs[0], ys[0], xs[1], ys[1]
    if isinstance(shape, Circle):
        r = shape.radius
        return shape.x - r, shape.y - r, shape.x + r, shape.y + r
    width = font(shape.bold).getlength(shape.text) / 200 * shape.size
    start = {"start": 0.0, "middle": width / 2, "end": width}[shape.anchor]
    up, down = 0.76 * shape.size, 0.24 * shape.size
    if shape.angle == -90:
        return shape.x - up, shape.y - width + start, shape.x + down, shape.y + start
    assert shape.angle == 0
    return shape.x - start, shape.y - up, shape.x - start + width, shape.y + down


def check_layout(chart: Chart) -> None:
    """Nothing off the paper, no words over other words."""
    for shape in chart.shapes:
        left, top, right, bottom = box_of(shape)
        assert left >= -0.5, shape
        assert top >= -0.5, shape
        assert right <= chart.width + 0.5, shape
        assert bottom <= chart.height + 0.5, shape
    words = [s for s in chart.shapes if isinstance(s, Text)]
    for one, other in itertools.combinations(words, 2):
        a, b = box_of(one), box_of(other)
        apart = a[2] <= b[0] + 0.6 or b[2] <= a[0] + 0.6 or a[3] <= b[1] + 0.6 or b[3] <= a[1] + 0.6
        assert apart, (one, other)
    for spot in chart.spots:
        assert 0 <= spot.x <= spot.x + spot.width <= chart.width
        assert 0 <= spot.y <= spot.y + spot.height <= chart.height


def words_of(chart: Chart) -> str:
    return " ".join(s.text for s in chart.shapes if isinstance(s, Text))


def all_charts(report: StudyReport) -> list[Chart]:
    names = [r.name for r in report.raters]
    made = []
    for region in report.regions:
        made += [make(report, region, m.key) for m in MEASURES for make in (heat_map, box_and_swarm)]
        pair = (names[0], names[-1])
        made += [make(report, region, pair) for make in (bland_altman_chart, volume_scatter)]
        made.append(consensus_swarm(report, region))
    return made


@pytest.mark.parametrize(
    "report",
    [
        example_report(),
        make_report(LONG[:2], None, cases=1, regions=("WT",)),
        make_report(LONG[:4], LONG[4], cases=5, regions=("ET",)),
    ],
    ids=["example", "two long names, one case", "five long names"],
)
def test_words_lie_on_the_paper_and_apart(report: StudyReport) -> None:
    for chart in all_charts(report):
        check_layout(chart)
        assert chart.title in words_of(chart).replace("\n", " ")
        assert " ".join(chart.note.split()) in words_of(chart)


@pytest.mark.parametrize("readers", [2, 3, 9, 15])
def test_a_matrix_of_any_size_has_its_cells_in_rows_and_columns(readers: int) -> None:
    report = make_report(LONG[:readers], None, cases=4, regions=("WT",))
    chart = heat_map(report, "WT", "dice")
    check_layout(chart)
    spots = {s.tip.split(":")[0]: s for s in chart.spots}
    assert len(chart.spots) == readers * (readers - 1)
    side = chart.spots[0].width
    lefts, tops = sorted({round(s.x, 6) for s in chart.spots}), sorted({round(s.y, 6) for s in chart.spots})
    assert len(lefts) == len(tops) == readers
    assert np.allclose(np.diff(lefts), side)
    assert np.allclose(np.diff(tops), side)
    assert all(s.width == s.height == side for s in spots.values())
    # Each number stands inside its own cell.
    for spot in chart.spots:
        assert spot.pair is not None
        mean = report.regions["WT"].measures["dice"].pairs[spot.pair].mean
        inside = [t for t in chart.shapes if isinstance(t, Text) and spot.holds(t.x, t.y)]
        assert [t.text for t in inside] == [f"{mean:.2f}"]
        left, _, right, _ = box_of(inside[0])
        assert spot.x <= left <= right <= spot.x + spot.width


def test_both_halves_of_a_directed_matrix_are_those_of_the_report() -> None:
    report = example_report()
    table = report.regions["TC"].measures["sensitivity"]
    chart = heat_map(report, "TC", "sensitivity")
    names = [r.name for r in report.raters]
    rows = sorted({s.y for s in chart.spots})
    columns = sorted({s.x for s in chart.spots})
    for spot in chart.spots:
        pair = (names[rows.index(spot.y)], names[columns.index(spot.x)])
        assert spot.pair == pair
        assert f"mean {table.pairs[pair].mean:.3f}" in spot.tip
    assert "Rows are the reference" in chart.note


def test_brighter_cells_agree_better_whatever_the_measure() -> None:
    report = example_report()
    for measure in MEASURES:
        table, chart = report.regions["WT"].measures[measure.key], heat_map(report, "WT", measure.key)
        fills = {(s.x, s.y): s.fill for s in chart.shapes if isinstance(s, Rect)}
        by_distance = sorted(
            (abs(float(table.pairs[s.pair].mean or 0) - measure.best), luminance(fills[s.x, s.y]))  # type: ignore[index, arg-type]
            for s in chart.spots
        )
        shine = [light for _, light in by_distance]
        assert shine == sorted(shine, reverse=True)


def test_words_on_cells_can_be_read() -> None:
    for share in np.linspace(0, 1, 101):
        colour = cividis(float(share))
        light, dark = sorted((luminance(colour), luminance(ink_on(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5
    lights = [luminance(cividis(s / 50)) for s in range(51)]
    assert lights == sorted(lights)


def contrast(first: str, second: str) -> float:
    light = [luminance((int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16))) for c in (first, second)]
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_roles_can_be_seen_in_every_theme(theme: Theme) -> None:
    assert theme.colours.keys() == PAPER.colours.keys()
    colours = theme.colours
    for ground in ("paper", "box"):
        assert contrast(colours["ink"], colours[ground]) >= 7
        assert contrast(colours["faint"], colours[ground]) >= 4.5
    for dots in ("series0", "series1", "series2", "series3", "accent"):
        assert contrast(colours[dots], colours["paper"]) >= 3


def test_a_matrix_without_a_number_says_why() -> None:
    def emptied(table: MeasureTable) -> MeasureTable:
        scores = {p: {c: Score(None, "both_empty") for c in s} for p, s in table.scores.items()}
        return replace(table, scores=scores, pairs={p: mean_of(s) for p, s in scores.items()})

    report = with_table(example_report(), "ET", "dice", emptied)
    for chart in (heat_map(report, "ET", "dice"), box_and_swarm(report, "ET", "dice")):
        check_layout(chart)
        assert not chart.spots
        assert "a number" in words_of(chart)
        assert not any(isinstance(s, Circle) for s in chart.shapes)
    assert "72 are left out" in heat_map(report, "ET", "dice").note
    assert "72 both empty" in box_and_swarm(report, "ET", "dice").note


def test_one_pair_without_a_number_is_a_dash_not_a_nought() -> None:
    def emptied(table: MeasureTable) -> MeasureTable:
        return replace(table, pairs={**table.pairs, PAIR: MeanScore(0, 5, 3)})

    chart = heat_map(with_table(example_report(), "WT", "dice", emptied), "WT", "dice")
    cells = [s for s in chart.spots if s.pair == PAIR]
    assert len(cells) == 2
    for cell in cells:
        (text,) = [s for s in chart.shapes if isinstance(s, Text) and cell.holds(s.x, s.y)]
        assert text.text == "\N{EN DASH}"
        assert "no number (n = 0, 5 left out, 3 missing)" in cell.tip


@pytest.mark.parametrize("key", ["dice", "hd95_mm", "volume_difference_ml"])
def test_every_case_with_a_number_is_a_dot_at_its_value(key: str) -> None:
    report = example_report()
    scores = report.regions["ET"].measures[key].scores
    chart = box_and_swarm(report, "ET", key)
    axis = chart.across
    assert axis is not None
    found = {(s.pair, s.case): axis.value(s.centre[0]) for s in chart.spots}
    wanted = {(p, c): s.value for p, by in scores.items() for c, s in by.items() if s.value is not None}
    assert found.keys() == wanted.keys()
    assert all(math.isclose(found[k], wanted[k], abs_tol=1e-9) for k in wanted)
    dots = [s for s in chart.shapes if isinstance(s, Circle)]
    assert len(dots) == len(wanted)
    for one, other in itertools.combinations(dots, 2):
        apart = math.hypot(one.x - other.x, one.y - other.y)
        assert apart >= one.radius + other.radius - 1e-9
    assert "both empty" in chart.note


def test_a_box_holds_the_quartiles() -> None:
    report = example_report()
    chart = box_and_swarm(report, "WT", "dice", [PAIR])
    values = [s.value for s in report.regions["WT"].measures["dice"].scores[PAIR].values()]
    axis = chart.across
    assert axis is not None
    (box,) = [s for s in chart.shapes if isinstance(s, Rect) and s.stroke == "faint"]
    low, median, high = np.percentile(np.array(values, dtype=float), (25, 50, 75))
    assert axis.value(box.x) == pytest.approx(low)
    assert axis.value(box.x + box.width) == pytest.approx(high)
    lines = [s for s in chart.shapes if isinstance(s, Line) and s.role == "ink"]
    assert [axis.value(s.x1) for s in lines] == [pytest.approx(median)]


@given(
    st.lists(st.floats(0, 300), max_size=60),
    st.floats(0.5, 4),
)
def test_dots_of_a_swarm_never_touch_and_the_first_lane_is_used(places: list[float], radius: float) -> None:
    lanes = swarm(places, radius)
    for (x, a), (y, b) in itertools.combinations(zip(places, lanes, strict=True), 2):
        assert math.hypot(x - y, 2 * radius * (a - b)) >= 2 * radius - 1e-6
    assert not places or 0 in lanes
    assert lanes == swarm(places, radius)


def test_bland_altman_lines_and_dots_are_at_their_values() -> None:
    report = example_report()
    results = report.regions["WT"]
    pair = (READERS[0], READERS[3])
    found, chart = results.bland_altman[pair], bland_altman_chart(report, "WT", pair)
    across, up = chart.across, chart.up
    assert across is not None
    assert up is not None
    for spot in chart.spots:
        first, second = (results.volumes_ml[name][str(spot.case)].value for name in pair)
        assert first is not None
        assert second is not None
        x, y = spot.centre
        assert across.value(x) == pytest.approx((first + second) / 2)
        assert up.value(y) == pytest.approx(first - second)
        assert spot.pair == pair
    assert len(chart.spots) == found.n == 7
    flat = [s for s in chart.shapes if isinstance(s, Line) and s.role == "accent" and s.width == 1.4]
    levels = [up.value(s.y1) for s in flat]
    assert levels == [pytest.approx(v) for v in (found.upper, found.bias, found.lower)]
    bands = [s for s in chart.shapes if isinstance(s, Rect) and s.fill == "band"]
    assert found.upper_ci is not None
    assert up.value(bands[0].y) == pytest.approx(found.upper_ci.upper)
    assert up.value(bands[0].y + bands[0].height) == pytest.approx(found.upper_ci.lower)
    assert "1 missing" in chart.note
    assert f"bias {found.bias:.2f}".replace("-", "\N{MINUS SIGN}") in chart.note


def test_a_scatter_has_one_scale_for_both_raters() -> None:
    report = example_report()
    pair = (READERS[1], NETWORK)
    chart, volumes = volume_scatter(report, "WT", pair), report.regions["WT"].volumes_ml
    across, up = chart.across, chart.up
    assert across is not None
    assert up is not None
    assert (across.low, across.high) == (up.low, up.high)
    for spot in chart.spots:
        x, y = spot.centre
        assert across.value(x) == pytest.approx(volumes[pair[0]][str(spot.case)].value)
        assert up.value(y) == pytest.approx(volumes[pair[1]][str(spot.case)].value)
    (identity,) = [s for s in chart.shapes if isinstance(s, Line) and s.dashed]
    assert across.value(identity.x1) == up.value(identity.y1) == across.low
    assert across.value(identity.x2) == up.value(identity.y2) == across.high
    icc = report.regions["WT"].icc.icc_2_1
    assert f"ICC(2,1) {icc:.3f}" in chart.note


def test_two_raters_without_a_case_in_common_have_words_only() -> None:
    report = example_report()
    results = report.regions["WT"]
    volumes = {**results.volumes_ml, READERS[0]: {c: Score(None, "no_spacing", "mL") for c in report.cases}}
    changed = replace(report, regions={"WT": replace(results, volumes_ml=volumes)})
    for make in (bland_altman_chart, volume_scatter):
        chart = make(changed, "WT", PAIR)
        check_layout(chart)
        assert "8 no voxel size" in words_of(chart)
        assert not chart.spots


def test_the_network_is_told_from_the_readers_by_colour() -> None:
    chart = consensus_swarm(example_report(), "WT")
    roles = {s.fill for s in chart.shapes if isinstance(s, Circle)}
    assert roles == {"series0", "series1"}
    assert "network" in words_of(chart)


@pytest.mark.parametrize("theme", [PAPER, DARK], ids=["paper", "dark"])
def test_svg_is_xml_with_every_shape_and_says_what_it_shows(theme: Theme) -> None:
    name = 'Dr <b>"&\x07</b>'
    report = make_report([name, "Ιωάννα", "Łukasz"], "Ольга & AI", cases=4, regions=("WT",))
    for chart in all_charts(report):
        root = ElementTree.fromstring(to_svg(chart, theme))
        of = {
            t: root.findall(f"{{http://www.w3.org/2000/svg}}{t}") for t in ("text", "circle", "line", "rect")
        }
        kinds: dict[str, Callable[[Shape], bool]] = {
            "text": lambda s: isinstance(s, Text),
            "circle": lambda s: isinstance(s, Circle),
            "line": lambda s: isinstance(s, Line),
        }
        assert all(len(of[tag]) == sum(map(kind, chart.shapes)) for tag, kind in kinds.items())
        assert len(of["rect"]) == 1 + sum(isinstance(s, Rect) for s in chart.shapes)
        assert root[0].text == chart.title.replace("\x07", "")
        assert root[1].text == chart.note.replace("\x07", "")
        sides = [float(v) for v in root.attrib["viewBox"].split()]
        assert sides == [0, 0, pytest.approx(chart.width, abs=0.01), pytest.approx(chart.height, abs=0.01)]


def test_the_spot_nearest_to_the_mouse_is_the_one_chosen() -> None:
    chart = box_and_swarm(example_report(), "WT", "dice")
    for spot in chart.spots:
        assert chart.spot_at(*spot.centre) == spot
    assert chart.spot_at(-50, -50) is None


@given(st.text(max_size=40), st.floats(30, 300))
def test_elided_words_have_room_and_keep_both_ends(text: str, width: float) -> None:
    short = elided(text, 9, width)
    assert text_width(short, 9) <= width
    if short not in (text, "…"):
        first, last = short.split("…")[0], short.split("…")[-1]
        assert text.startswith(first)
        assert text.endswith(last)


@given(
    st.lists(
        st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=60), max_size=12
    )
)
def test_wrapped_lines_have_room_and_lose_no_letter(words: list[str]) -> None:
    lines = wrapped(" ".join(words), 9, 100)
    assert all(text_width(line, 9) <= 100 for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(words)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1))
def test_an_axis_can_be_read_backwards(low: float, width: float, share: float) -> None:
    axis = Axis.over([low, low + width], 400.0, 20.0)
    value = low + share * width
    assert axis.value(axis.place(value)) == pytest.approx(value, abs=1e-6 * max(1, abs(low), width))
    assert 20 - 1e-6 <= axis.place(value) <= 400 + 1e-6


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_are_few_and_span_the_interval(low: float, width: float) -> None:
    found = ticks(low, low + width)
    assert 2 <= len(found) <= 8
    slack = 1e-6 * max(1.0, abs(low), width)
    assert found[0] <= low + slack
    assert found[-1] >= low + width - slack
    assert found == sorted(set(found))
