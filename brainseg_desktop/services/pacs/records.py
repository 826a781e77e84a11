"""What is asked of an archive, and what it answers: plain records without any DICOM in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from brainseg_desktop.core.errors import UserError

# Told how many are done of how many; the second is None while it is not known.
Tell = Callable[[int, int | None], None]
Cancelled = Callable[[], bool]
MAX_RESULTS = 500


@dataclass(frozen=True, slots=True)
class Query:
    """What a study must have; what is empty is not asked for. ``*`` and ``?`` stand for any letters.

    Parameters
    ----------
    patient_name, patient_id, accession : str
        Of a name the beginning is enough.
    first, last : date or None
        Range of the study's date, both ends included.
    modality : str
    limit : int
        At most so many studies are taken.
    """

    patient_name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    first: date | None = None
    last: date | None = None
    modality: str = ""
    limit: int = MAX_RESULTS

    def matched(self) -> dict[str, str]:
        """The keys of the query by DICOM keyword, as QIDO and C-FIND both want them."""
        # Archives part the names by ^, people by blanks and commas.
        name = "*".join(part for part in re.split(r"[\s,^]+", self.patient_name) if part)
        keys = {
            "PatientName": name if not name or name.endswith("*") else f"{name}*",
            "PatientID": self.patient_id.strip(),
            "AccessionNumber": self.accession.strip(),
            "StudyDate": self._dates(),
            "ModalitiesInStudy": self.modality.strip().upper(),
        }
        for key, value in keys.items():
            if "\\" in value or not value.isprintable() or len(value) > 64:
                raise UserError("pacs_query", field=_FIELDS[key])
        return {key: value for key, value in keys.items() if value}

    def _dates(self) -> str:
        first, last = (d.strftime("%Y%m%d") if d is not None else "" for d in (self.first, self.last))
        return f"{first}-{last}" if first or last else ""


_FIELDS = {
    "PatientName": "name",
    "PatientID": "ID",
    "AccessionNumber": "accession number",
    "StudyDate": "date",
    "ModalitiesInStudy": "modality",
}


@dataclass(frozen=True, slots=True)
class StudyEntry:
    """One study of an archive. What names the patient is for the screen only, and is never printed.

    Parameters
    ----------
    uid : str
    patient_name, patient_id, accession : str
    day : date or None
    description : str
    modalities : tuple of str
    series, instances : int or None
        How many there are, where the archive says so.
    """

    uid: str = field(repr=False)
    patient_name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    day: date | None = None
    description: str = field(default="", repr=False)
    modalities: tuple[str, ...] = ()
    series: int | None = None
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """One series of a study.

    Parameters
    ----------
    study_uid, uid : str
    number : int or None
    description, modality : str
    instances : int or None
    """

    study_uid: str = field(repr=False)
    uid: str = field(repr=False)
    number: int | None = None
    description: str = field(default="", repr=False)
    modality: str = ""
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What came of a retrieval.

    Parameters
    ----------
    folder : Path
        Holds the files.
    new, replaced, duplicates : int
        Instances that were not there, were there with other content, were there already.
    failed : int
        Instances that the archive could not send or that we could not take.
    cancelled : bool
    problem : UserError or None
        The first reason for a failure.
    """

    folder: Path
    new: int = 0
    replaced: int = 0
    duplicates: int = 0
    failed: int = 0
    cancelled: bool = False
    problem: UserError | None = None

    @property
    def files(self) -> int:
        """Instances that are in the folder now."""
        return self.new + self.replaced + self.duplicates


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending.

    Parameters
    ----------
    sent, failed : int
    cancelled : bool
    problem : UserError or None
        Why the first of those that failed did.
    """

    sent: int = 0
    failed: int = 0
    cancelled: bool = False
    problem: UserError | None = None


def never() -> bool:
    """Not cancelled."""
    return False


def tell_nobody(done: int, total: int | None) -> None:
    """Nobody watches."""


def day_of(text: str) -> date | None:
    """A DICOM date; None where it is none.

    Examples
    --------
    >>> day_of("20260131"), day_of("2026"), day_of("")
    (datetime.date(2026, 1, 31), None, None)
    """
    if len(text) != 8 or not text.isdigit():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def count_of(text: str) -> int | None:
    """A count as archives write it; None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def study_entry(text: Callable[[str], str]) -> StudyEntry:
    """A study out of the values of its keywords; several values are joined with a backslash."""
    return StudyEntry(
        uid=text("StudyInstanceUID"),
        patient_name=" ".join(text("PatientName").split("=")[0].replace("^", " ").split()),
        patient_id=text("PatientID"),
        accession=text("AccessionNumber"),
        day=day_of(text("StudyDate")),
        description=text("StudyDescription"),
        modalities=tuple(sorted({m for m in text("ModalitiesInStudy").split("\\") if m})),
        series=count_of(text("NumberOfStudyRelatedSeries")),
        instances=count_of(text("NumberOfStudyRelatedInstances")),
    )


def series_entry(study_uid: str, text: Callable[[str], str]) -> SeriesEntry:
    """A series out of the values of its keywords."""
    return SeriesEntry(
        study_uid=study_uid,
        uid=text("SeriesInstanceUID"),
        number=count_of(text("SeriesNumber")),
        description=text("SeriesDescription"),
        modality=text("Modality"),
        instances=count_of(text("NumberOfSeriesRelatedInstances")),
    )


STUDY_KEYS = (
    "StudyInstanceUID",
    "PatientName",
    "PatientID",
    "AccessionNumber",
    "StudyDate",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
SERIES_KEYS = (
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "Modality",
    "NumberOfSeriesRelatedInstances",
)
