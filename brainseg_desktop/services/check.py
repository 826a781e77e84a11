"""What lies at a path, what is missing, and whether it opens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import ImageChoice, Sequence
from brainseg_desktop.io.images import is_image_name, read_image
from brainseg_desktop.io.layouts import CaseFiles, assign, find_case, find_cases
from brainseg_desktop.io.mask_files import mask_form
from brainseg_desktop.io.names import NameKind, read_name
from brainseg_desktop.io.nifti import nifti_stem
from brainseg_desktop.io.pictures import is_stack_name
from brainseg_desktop.io.tiff import slices_in
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import load_mask, open_case


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found at a path.

    Parameters
    ----------
    path : Path
    what : str
        ``"case"``, ``"mask"``, ``"image"`` (whose name tells no sequence) or ``"nothing"``.
    name : str
    opens : bool
    kind : str
        ``"nifti"``, ``"nrrd"``, ``"pictures"`` (TIFF stacks, folders of slices), ``"slices"`` (as the LGG
        set) or ``"dicom"``, of masks ``"dicom-seg"`` too; empty if nothing was found.
    sequences, missing : tuple of str
    masks : mapping of rater to the name of its label scheme
    shape, spacing_mm : of the grid; spacing None where the files do not state it
    other_grids : tuple of (str, str)
        Sequences that lie on a grid of their own, and what differs.
    notes, problems : tuple of str
        Sentences; a case with problems in its masks still opens.
    """

    path: Path
    what: str
    name: str
    opens: bool
    kind: str = ""
    sequences: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    masks: tuple[tuple[str, str], ...] = ()
    shape: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    other_grids: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether it opens and nothing in it needs mending."""
        return self.opens and not self.problems

    def to_dict(self) -> dict[str, Any]:
        """For ``brainseg check --json``."""
        return {
            "path": str(self.path),
            "what": self.what,
            "name": self.name,
            "opens": self.opens,
            "kind": self.kind or None,
            "sequences": list(self.sequences),
            "missing": list(self.missing),
            "masks": dict(self.masks),
            "shape": list(self.shape) if self.shape else None,
            "spacing_mm": list(self.spacing_mm) if self.spacing_mm else None,
            "other_grids": dict(self.other_grids),
            "notes": list(self.notes),
            "problems": list(self.problems),
        }


def check(
    path: Path, scheme: LabelScheme | None = None, choice: ImageChoice | None = None
) -> list[CheckResult]:
    """Look at a path; a folder of cases gives one result for each.

    Everything is read, since a file that is cut short shows it only at its end.
    """
    try:
        form = mask_form(path)
        if form:
            return [_check_mask(path, scheme, choice, form)]
        if path.is_file() and _is_one_volume(path):
            said = read_name(nifti_stem(path))
            if said.kind is NameKind.MASK:
                return [_check_mask(path, scheme, choice)]
            if said.sequence is None:
                return [_check_image(path, choice)]
        left_out: list[UserError] = []
        cases = find_cases(path, left_out) if path.is_dir() else []
        results = [check_case(files, scheme, choice) for files in (cases or [find_case(path)])]
        results += [
            CheckResult(n.params["path"], "nothing", n.params["path"].name, False, problems=(words(n),))
            for n in left_out
            if isinstance(n.params["path"], Path)
        ]
        return results
    except UserError as error:
        return [CheckResult(path, "nothing", path.name, False, problems=(words(error),))]


def _is_one_volume(path: Path) -> bool:
    """Whether a file holds a volume by itself, rather than being a slice of a folder's."""
    return is_image_name(path) or (is_stack_name(path) and path not in slices_in(path.parent)[0].values())


def check_case(
    files: CaseFiles, scheme: LabelScheme | None = None, choice: ImageChoice | None = None
) -> CheckResult:
    """Open a case and say what was found."""
    files = files if choice is None else files.with_choice(choice)
    place = files.folder or next(iter(files.images.values()), Path(files.name))
    try:
        opened = open_case(files, scheme=scheme)
    except UserError as error:
        found = tuple(s.value for s in Sequence if s in files.images)
        return CheckResult(
            place, "case", files.name, False, files.kind.value, found, problems=(words(error),)
        )
    case = opened.case
    return CheckResult(
        place,
        "case",
        case.name,
        True,
        files.kind.value,
        tuple(s.value for s in case.volumes),
        tuple(s.value for s in case.missing),
        tuple((rating.rater, rating.scheme.name) for rating in case.ratings),
        case.grid.shape,
        _spacing(case.grid),
        tuple((s.value, reason) for s, reason in case.off_grid.items()),
        tuple(words(note) for note in opened.notes),
        tuple(words(problem) for problem in opened.problems),
    )


def _check_image(path: Path, choice: ImageChoice | None) -> CheckResult:
    """A file by itself whose name tells nothing: it opens once somebody says what it is."""
    remarks: list[UserError] = []
    volume = read_image(path, None, remarks, choice)
    remarks.append(UserError("sequence_unnamed", path=path))
    return CheckResult(
        path,
        "image",
        nifti_stem(path),
        True,
        assign([path]).kind.value,
        shape=volume.grid.shape,
        spacing_mm=_spacing(volume.grid),
        notes=tuple(words(remark) for remark in remarks),
    )


def _check_mask(
    path: Path, scheme: LabelScheme | None, choice: ImageChoice | None, form: str = ""
) -> CheckResult:
    mask = load_mask(path, scheme, choice)
    return CheckResult(
        path,
        "mask",
        nifti_stem(path),
        True,
        form or assign([path]).kind.value,
        masks=((nifti_stem(path), mask.scheme.name),),
        shape=mask.grid.shape,
        spacing_mm=_spacing(mask.grid),
        notes=(words(mask.why),),
    )


def _spacing(grid: Grid) -> tuple[float, float, float] | None:
    return grid.spacing_mm if grid.spacing_known else None
