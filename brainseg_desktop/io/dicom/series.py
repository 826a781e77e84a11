"""Series of an exam: which slices belong together, and which of them make a volume of a head."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.dicom import stacks
from brainseg_desktop.io.dicom.instances import STACK_PARTS, Instance, Slice, Technique

_MR = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
_OTHER_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",
    "1.2.840.10008.5.1.4.1.1.128": "PET",
    "1.2.840.10008.5.1.4.1.1.128.1": "PET",
    "1.2.840.10008.5.1.4.1.1.130": "PET",
    "1.2.840.10008.5.1.4.1.1.20": "NM",
}
_SCREENSHOT = "1.2.840.10008.5.1.4.1.1.7"
_LOCALISER = re.compile(r"\b(?:localis?z?er|loc|scout|survey|3.?plane|aa ?h(?:ead)? ?scout)", re.I)
_PROJECTIONS = {"MIP", "MINIP", "PROJECTION IMAGE", "MPR THICK", "COLLAPSE"}
# A head of fewer slices is no volume to outline a tumour in.
MIN_SLICES = 4
# Echoes and repeats up to here are offered one by one; more are a diffusion, perfusion or functional series.
_MAX_STACKS = 4
_FEW_SLICES = 30


@dataclass(frozen=True, slots=True, eq=False)
class DicomSeries:
    """One stack of one series, as its headers describe it.

    Parameters
    ----------
    name : str
        For people, e.g. ``"series 4"`` or ``"series 4, echo 2"``: nothing of the patient.
    description, protocol : str
        Words that name the patient are left out.
    modality : str
    slices : tuple of Slice
        In order along the normal.
    affine : (4, 4) array or None
        From (column, row, slice) to RAS mm; None where the slices make no volume.
    technique : Technique
    image_type : tuple of str
    refusal : UserError or None
        Why it cannot be read.
    aside : UserError or None
        Why it can be read, but is none to outline a tumour in.
    notes : tuple of UserError
    study_uid, series_uid, frame_of_reference_uid : str
        Never shown.
    """

    name: str
    number: int
    description: str
    protocol: str
    modality: str
    slices: tuple[Slice, ...]
    affine: NDArray[np.float64] | None
    technique: Technique
    image_type: tuple[str, ...]
    refusal: UserError | None
    aside: UserError | None
    notes: tuple[UserError, ...]
    study_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    frame_of_reference_uid: str = field(repr=False)

    @property
    def path(self) -> Path:
        """The file that stands for the series: its first slice's."""
        return self.slices[0].path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once, in the order of the slices."""
        return tuple(dict.fromkeys(s.path for s in self.slices))

    @property
    def is_offered(self) -> bool:
        """Whether a sequence can be made of it."""
        return self.refusal is None and self.aside is None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows, slices."""
        return (self.slices[0].columns, self.slices[0].rows, len(self.slices))

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Along columns, rows and slices."""
        if self.affine is None:
            return None
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(x), float(y), float(z))

    @property
    def plane(self) -> str:
        """``"axial"``, ``"sagittal"`` or ``"coronal"``, whichever is nearest; empty if unknown."""
        normal = self._normal
        return "" if normal is None else ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(normal)))]

    @property
    def tilt_degrees(self) -> float:
        """Angle between the normal and the axis of the patient nearest to it."""
        normal = self._normal
        return 0.0 if normal is None else float(np.degrees(np.arccos(min(1.0, np.abs(normal).max()))))

    @property
    def _normal(self) -> NDArray[np.float64] | None:
        orientation = self.slices[0].orientation
        if orientation is None:
            return None
        normal = np.cross(orientation[:3], orientation[3:])
        length = float(np.linalg.norm(normal))
        return np.asarray(normal / length) if length > 1e-6 else None


def group_series(instances: Iterable[Instance]) -> list[DicomSeries]:
    """The series of one study, by their numbers; what makes no volume is among them, with the reason."""
    groups: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        groups[instance.series].append(instance)
    ordered = sorted(groups.values(), key=lambda g: (g[0].number, str(g[0].path)))
    numbers = [group[0].number for group in ordered]
    found = []
    for place, group in enumerate(ordered):
        unique = numbers.count(group[0].number) == 1 and group[0].number > 0
        name = f"series {group[0].number}" if unique else f"series no. {place + 1} of the exam"
        found += _series_of(group, name)
    return found


def _series_of(group: list[Instance], name: str) -> list[DicomSeries]:
    """The stacks of one series as series of their own; kept together where that is pointless."""
    first = group[0]
    slices = [s for instance in group for s in instance.slices]
    unfit = _unfit(group, name)
    if unfit is not None or not slices:
        reason = unfit or UserError("series_no_image", series=name, kind=first.modality or "unknown")
        return [_one(first, name, tuple(slices) or (_no_slice(first.path),), None, reason)]
    found = stacks.split(slices)
    kinds = {part for instance in group for part in instance.image_type}
    said = " ".join((first.description, first.protocol))
    crossing = stacks.directions(found) > 1
    if "LOCALIZER" in kinds or (len(slices) <= _FEW_SLICES and (crossing or _LOCALISER.search(said))):
        aside = UserError("series_localiser", series=name)
        return [_one(first, name, tuple(found[0]), stacks.arrange(found[0], name), aside)]
    if len(found) > _MAX_STACKS:
        aside = UserError("series_many_volumes", series=name, count=len(found))
        return [_one(first, name, tuple(found[0]), stacks.arrange(found[0], name), aside)]
    result = []
    for stack, part in zip(found, _parts(found), strict=True):
        full = f"{name}, {part}" if part else name
        by_path = {instance.path: instance for instance in group}
        arranged = stacks.arrange(stack, full)
        origin = by_path[arranged.slices[0].path]
        aside_of = _aside(origin, arranged, full)
        one = _one(origin, full, arranged.slices, arranged, aside_of)
        echo_ms = arranged.slices[0].stack[0] or origin.technique.te_ms
        result.append(replace(one, technique=replace(origin.technique, te_ms=echo_ms)))
    return result


def _unfit(group: list[Instance], name: str) -> UserError | None:
    """Why a series is no series of grey slices at all."""
    first = group[0]
    if first.sop_class.startswith(_SCREENSHOT) or "SCREEN SAVE" in first.image_type:
        return UserError("series_screenshot", series=name)
    if first.sop_class not in _MR and first.sop_class not in _OTHER_IMAGES:
        return UserError("series_no_image", series=name, kind=first.modality or "unknown")
    if not first.is_grey:
        return UserError("series_colour", series=name)
    return None


def _aside(origin: Instance, stack: stacks.Stack, name: str) -> UserError | None:
    """Why a readable stack is none to outline a tumour in."""
    if origin.sop_class in _OTHER_IMAGES:
        return UserError("series_not_mr", series=name, kind=_OTHER_IMAGES[origin.sop_class])
    if _PROJECTIONS & set(origin.image_type):
        return UserError("series_projection", series=name)
    if "MOSAIC" in origin.image_type:
        return UserError("series_mosaic", series=name)
    if len(stack.slices) < MIN_SLICES:
        return UserError("series_few_slices", series=name, count=len(stack.slices))
    return None


def _one(
    origin: Instance,
    name: str,
    slices: tuple[Slice, ...],
    stack: stacks.Stack | None,
    aside: UserError | None,
) -> DicomSeries:
    """A series; without a stack `aside` is why it cannot be read."""
    notes = []
    if stack is not None and stack.copies:
        notes.append(UserError("series_copies", series=name, count=stack.copies))
    return DicomSeries(
        name,
        origin.number,
        origin.description,
        origin.protocol,
        origin.modality,
        stack.slices if stack is not None else slices,
        stack.affine if stack is not None else None,
        origin.technique,
        origin.image_type,
        stack.refusal if stack is not None else aside,
        aside,
        tuple(notes),
        origin.study,
        origin.series,
        origin.frame_of_reference,
    )


def _parts(found: list[list[Slice]]) -> list[str]:
    """What tells the stacks of a series apart, in a word and a number; empty for a lone stack."""
    if len(found) == 1:
        return [""]
    for place, part in enumerate(STACK_PARTS):
        if len({stack[0].stack[place] for stack in found}) == len(found) and part in ("echo", "time"):
            return [f"{part} {i + 1}" for i in range(len(found))]
    return [f"part {i + 1}" for i in range(len(found))]


def _no_slice(path: Path) -> Slice:
    """Stands for an object without slices."""
    return Slice(path, 0, 0, 0, None, None, None, None, (), 0, "")
