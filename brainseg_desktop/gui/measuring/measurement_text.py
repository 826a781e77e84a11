"""What a measurement says: on the picture, in the list, and in a table for the clipboard."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from brainseg_desktop.core.diameters import Diameters
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.measurements import (
    Measurement,
    MeasurementKind,
    RoiStatistics,
    angle_degrees,
    crossing_degrees,
    diameters_mm,
    in_units_of,
    length_mm,
    product_mm2,
    slice_index,
)
from brainseg_desktop.gui.views.plane import Plane
from brainseg_desktop.services.language import mark, tr

# RANO's "perpendicular" as a reader draws it: below 85 degrees the picture says so.
_PERPENDICULAR = 85.0
# With less of the long diameter inside the label than this the reader is told to check it.
_MOSTLY_INSIDE = 0.9
_KINDS = {
    MeasurementKind.RULER: mark("Ruler"),
    MeasurementKind.ANGLE: mark("Angle"),
    MeasurementKind.ROI: "ROI",
    MeasurementKind.DIAMETERS: mark("Diameters"),
}

Statistics = Callable[[Measurement], RoiStatistics | None]


def plane_of(m: Measurement) -> Plane:
    """The plane a measurement was made in."""
    return next(plane for plane in Plane if plane.axis == m.plane_axis)


def title(m: Measurement, grid: Grid) -> str:
    """What it is and on which slice, e.g. ``"Whole tumour, diameters, axial 72"``."""
    kind = tr(_KINDS[m.kind])
    what = f"{m.name}, {kind.lower()}" if m.name else kind
    if m.kind is MeasurementKind.ROI and m.sequence is not None:
        what += f", {m.sequence.value}"
    return f"{what}, {plane_of(m).words} {slice_index(m, grid) + 1}"


def lines(m: Measurement, grid: Grid, statistics: RoiStatistics | None) -> tuple[str, ...]:
    """The values with their units, in short lines for the picture.

    Parameters
    ----------
    statistics : of the image the lines are written on; read for a ROI only
    """
    counted, unit = in_units_of(m, grid)
    if m.kind is MeasurementKind.RULER:
        return (f"{length_mm(counted):.1f} {unit}",)
    if m.kind is MeasurementKind.ANGLE:
        angle = angle_degrees(counted)
        return (tr("no angle") if math.isnan(angle) else f"{angle:.1f}°",)
    if m.kind is MeasurementKind.DIAMETERS:
        long, short = diameters_mm(counted)
        crossing = crossing_degrees(counted)
        first = (m.name,) if m.name else ()
        oblique = (tr("lines at {angle:.0f}°, not 90°", angle=crossing),) if crossing < _PERPENDICULAR else ()
        return (
            *first,
            f"{long:.1f} × {short:.1f} {unit}",  # noqa: RUF001
            tr("product {product:.0f} {unit}²", product=product_mm2(counted), unit=unit),
            *oblique,
        )
    if statistics is None:
        return (tr("no voxel inside"),)
    area = "" if statistics.area_mm2 is None else f"   {statistics.area_mm2:.1f} mm²"
    return (
        tr("mean {mean}   SD {sd}", mean=number(statistics.mean), sd=number(statistics.sd)),
        tr(
            "min {minimum}   max {maximum}",
            minimum=number(statistics.minimum),
            maximum=number(statistics.maximum),
        ),
        tr("median {median}", median=number(statistics.median)),
        tr("{voxels} voxels{area}", voxels=statistics.voxels, area=area),
    )


def number(value: float) -> str:
    """An image value with four digits; a dash for what is not a number.

    Examples
    --------
    >>> number(1234.56), number(123.456), number(-0.012345), number(math.nan)
    ('1235', '123.5', '-0.01235', '–')
    """
    if math.isnan(value):
        return "–"  # noqa: RUF001
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def summary(found: Diameters, name: str, plane: Plane) -> str:
    """What is said after diameters were found: values, whether RANO calls it measurable, what to check."""
    where = f"{name}, {plane.words} {found.index + 1}"
    parts = [
        tr(
            "{where}: {long:.1f} × {short:.1f} {unit}, product {product:.0f} {unit}².",  # noqa: RUF001
            where=where,
            long=found.long,
            short=found.short,
            unit=found.unit,
            product=found.product,
        )
    ]
    if found.unit != "mm":
        parts.append(tr("The files state no voxel size, so lengths are in voxels (px)."))
    elif plane is not Plane.AXIAL:
        parts.append(tr("RANO asks for axial slices."))
    elif found.measurable:
        parts.append(
            tr(
                "Measurable by RANO: both at least {least:.0f} mm, on two slices or more.",
                least=found.least_mm,
            )
        )
    elif found.short < found.least_mm:
        parts.append(
            tr("Not measurable by RANO: both must be at least {least:.0f} mm.", least=found.least_mm)
        )
    else:
        parts.append(tr("Not measurable by RANO: it must be seen on two slices or more."))
    if found.inside < _MOSTLY_INSIDE:
        parts.append(
            tr(
                "The long line is outside the label for {percent:.0f} % of its length: check both "
                "lines and move their ends where needed.",
                percent=100 * (1 - found.inside),
            )
        )
    return " ".join(parts)


def table(measurements: Iterable[Measurement], grid: Grid, statistics: Statistics) -> str:
    """All measurements as tab-separated lines with the units in the header.

    Parameters
    ----------
    statistics : gives the statistics of a ROI on its own sequence
    """
    unit = "mm" if grid.spacing_known else "px"
    header = [
        "Kind",
        "Name",
        "Plane",
        "Slice",
        f"Length ({unit})",
        f"Second diameter ({unit})",
        f"Product ({unit}2)",
        "Angle (degrees)",
        "Sequence",
        "Mean",
        "SD",
        "Minimum",
        "Maximum",
        "Median",
        "Voxels",
        "Area (mm2)",
    ]
    rows = [header, *(_row(m, grid, statistics) for m in measurements)]
    return "".join("\t".join(row) + "\n" for row in rows)


def _row(m: Measurement, grid: Grid, statistics: Statistics) -> list[str]:
    counted, _ = in_units_of(m, grid)
    length = second = product = angle = ""
    values = [""] * 7
    if m.kind is MeasurementKind.RULER:
        length = f"{length_mm(counted):.2f}"
    elif m.kind is MeasurementKind.ANGLE:
        angle = f"{angle_degrees(counted):.2f}"
    elif m.kind is MeasurementKind.DIAMETERS:
        length, second = (f"{d:.2f}" for d in diameters_mm(counted))
        product, angle = f"{product_mm2(counted):.1f}", f"{crossing_degrees(counted):.2f}"
    elif (s := statistics(m)) is not None:
        values = [f"{v:.6g}" for v in (s.mean, s.sd, s.minimum, s.maximum, s.median)]
        values += [str(s.voxels), "" if s.area_mm2 is None else f"{s.area_mm2:.2f}"]
    # A name with a tab or a new line in it would move the columns.
    name = " ".join(m.name.split())
    where = [plane_of(m).title, str(slice_index(m, grid) + 1)]
    sequence = m.sequence.value if m.sequence is not None else ""
    return [_KINDS[m.kind], name, *where, length, second, product, angle, sequence, *values]
