"""The gate of blinded studies: every way to images and masks asks here first.

While a study is blinded nobody gets at the masks in its ``ratings`` folder, nor at a case of it alone, with
the masks beside it and a network at hand: not in the window, not by the command line, whatever a path is
called (links and ``..`` are followed first). The one who reads gets the images and his own mask through
`services.studies.reading`, which does not come by here.

It guards against this program's own ways, by mistake or curiosity. Against a file manager and other programs
folder permissions guard; the guide says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.study import StudyDesign
from brainseg_desktop.io.study import DESIGN_FILE, RATINGS, REPORTS, read_design, read_unblinded
from brainseg_desktop.services.studies.known import known_studies


def check_open(paths: Iterable[Path]) -> None:
    """Refuse files and folders that belong to a blinded study.

    Raises
    ------
    UserError
        ``blinded_mask`` or ``blinded_case`` (params ``path``, ``study``).
    """
    for path in paths:
        real = _real(path)
        for folder, design in _blinded_around(real):
            if _is_inside(real, _real(folder / RATINGS)) or _is_inside(real, _real(folder / REPORTS)):
                raise UserError("blinded_mask", path=path, study=design.name)
            if any(_is_inside(real, case) or _is_inside(case, real) for case in _cases(folder, design)):
                raise UserError("blinded_case", path=path, study=design.name)


def check_write(paths: Iterable[Path]) -> None:
    """Refuse to write into the ratings of any study: there each reader writes his own, through the study.

    Raises
    ------
    UserError
        ``inside_ratings`` (param ``path``).
    """
    for path in paths:
        real = _real(path)
        for folder in real.parents:
            if (folder / DESIGN_FILE).is_file() and _is_inside(real, _real(folder / RATINGS)):
                raise UserError("inside_ratings", path=path)


def _blinded_around(real: Path) -> Iterator[tuple[Path, StudyDesign]]:
    """Blinded studies that may have to do with a path: those around it, and those known on this machine."""
    around = [p for p in (real, *real.parents) if (p / DESIGN_FILE).is_file()]
    seen = set()
    for folder in (*around, *known_studies()):
        if _real(folder) in seen:
            continue
        seen.add(_real(folder))
        try:
            design = read_design(folder)
            if design.blinded and read_unblinded(folder) is None:
                yield folder, design
        except UserError as error:
            # A known one may be gone. One around the path that is damaged must not open by its damage.
            if folder in around and _is_inside(real, _real(folder / RATINGS)):
                raise UserError("blinded_mask", path=real, study=folder.name) from error


def _cases(folder: Path, design: StudyDesign) -> Iterator[Path]:
    for case in design.cases:
        yield _real(folder / case.path)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
