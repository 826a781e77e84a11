"""Options that say what an image's file does not: which volume of several, the voxel size of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from brainseg_desktop.core.volume import ImageChoice

Command = TypeVar("Command", bound=Callable[..., Any])


class Spacing(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.2 on
    """Three sizes in mm: ``0.9,0.9,5``."""

    name = "x,y,z"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float]:
        """The three numbers; click says what is wrong with others."""
        try:
            x, y, z = (float(part) for part in str(value).replace("x", ",").split(","))
        except ValueError:
            self.fail(f"{value!r} is not three sizes in mm such as 0.9,0.9,5", param, ctx)
        if not all(math.isfinite(size) and 0.001 <= size <= 100 for size in (x, y, z)):
            self.fail(f"{value!r}: a voxel cannot have this size in mm", param, ctx)
        return (x, y, z)


def choice_options(command: Command) -> Command:
    """Add ``--volume`` and ``--spacing-mm`` to a command."""
    spacing = click.option(
        "--spacing-mm",
        type=Spacing(),
        help="Voxel size of pictures (TIFF stacks, folders of slices), which state none: between columns, "
        "rows, slices.",
    )
    volume = click.option(
        "--volume",
        type=click.IntRange(min=1),
        metavar="N",
        help="Which volume of an image that holds several, from 1.",
    )
    return volume(spacing(command))


def choice_of(volume: int | None, spacing_mm: tuple[float, float, float] | None) -> ImageChoice | None:
    """What was said; None if nothing was."""
    from brainseg_desktop.core.volume import ImageChoice

    return None if volume is None and spacing_mm is None else ImageChoice(volume, spacing_mm)
