"""What is to be exported, and what a form makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme, Tissue
from brainseg_desktop.core.volume import Source
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.services.opening import GRID_ORDER, grid_source

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One mask to be written in one form.

    Parameters
    ----------
    case : Case
    rating : Rating
    destination : Path
        File or folder, as the form has it.
    scheme : LabelScheme
        Numbers to write.
    labels : (X, Y, Z) array of uint8, canonical
        `Tissue` values that go in.
    wide : bool
        Numbers as int16 where the form offers it.
    audit : mapping or None
        What was changed, for the sidecar.
    tell : function
        Told the share done.
    """

    case: Case
    rating: Rating
    destination: Path
    scheme: LabelScheme
    labels: NDArray[np.uint8]
    wide: bool = False
    audit: Mapping[str, Any] | None = None
    tell: Tell = field(default=lambda _: None)

    @property
    def source(self) -> Source:
        """The image whose grid and header are taken."""
        return grid_source(self.case)

    @property
    def stem(self) -> str:
        """Case and rater as a part of file names."""
        return f"{self.case.name}_seg-{plain(self.rating.rater).lower()}"


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """Files of a form, and how they are proved right.

    Parameters
    ----------
    files : mapping of Path to bytes
        By the name they will have.
    check : function
        Given where each file lies for now, says whether they hold what was meant; it reads them from the disk
        and may raise whatever a reader raises.
    sidecar : mapping of str to Any, or None
        Written beside as JSON by `path` if there is one.
    """

    files: Mapping[Path, bytes]
    check: Callable[[Mapping[Path, Path]], bool]
    sidecar: tuple[Path, Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A form of file that masks can be exported in.

    Parameters
    ----------
    key : str
        Name on the command line.
    title : str
        Name shown to the reader.
    suffixes : tuple of str
        Of a file; the first is proposed. Empty where only a folder will do.
    folder : bool
        Whether a folder may be named.
    numbers : bool
        Whether the label scheme's numbers are written.
    wide : bool
        Whether int16 is offered.
    says : str
        One sentence about what is written and in whose space.
    refuse : function
        Why this form cannot hold a mask of a case, or None.
    make : function
    """

    key: str
    title: str
    suffixes: tuple[str, ...]
    folder: bool
    numbers: bool
    wide: bool
    says: str
    refuse: Callable[[Case], UserError | None]
    make: Callable[[Job], Content]

    def takes(self, destination: Path) -> bool:
        """Whether the name can be that of this form: a file's suffix, or a folder."""
        name = destination.name.lower()
        if name.endswith(self.suffixes) and self.suffixes:
            return True
        return self.folder and not destination.suffix


def job_for(
    case: Case,
    rating: Rating,
    destination: Path,
    *,
    scheme: LabelScheme | None = None,
    tissues: Iterable[Tissue] | None = None,
    wide: bool = False,
    audit: Mapping[str, Any] | None = None,
    tell: Tell = lambda _: None,
) -> Job:
    """A job with the labels that go in; None: all of them."""
    labels = np.array(rating.label_map.array)
    if tissues is not None:
        labels[~np.isin(labels, [int(t) for t in tissues])] = Tissue.BACKGROUND
    return Job(case, rating, destination, scheme or rating.scheme, labels, wide, audit, tell)


def dicom_source(case: Case) -> Source | None:
    """The series that a segmentation of this case refers to: the first on its grid that came from DICOM."""
    for sequence in GRID_ORDER:
        volume = case.aligned.get(sequence)
        if volume is not None and isinstance(volume.source.header, DicomHeader):
            return volume.source
    return None


def anything(case: Case) -> UserError | None:
    """Refuses nothing."""
    return None


def needs_millimetres(case: Case) -> UserError | None:
    """Refuses where the images state no spacing."""
    return None if case.grid.spacing_known else UserError("form_needs_spacing", name=case.name)


def present(labels: NDArray[np.uint8]) -> list[Tissue]:
    """The tissues that occur, without the background."""
    return [Tissue(int(t)) for t in np.flatnonzero(np.bincount(labels.ravel(), minlength=7)) if t]


def plain(text: str) -> str:
    """Letters, digits and hyphens, as file names everywhere can hold them.

    Examples
    --------
    >>> plain("AI (glioma-unet)")
    'AI-glioma-unet'
    """
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text)
    return "-".join(part for part in kept.split("-") if part) or "mask"
