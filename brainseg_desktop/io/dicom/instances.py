"""What the headers of one DICOM file say of its slices: place, acquisition, and what kind of object it is.

Positions and orientations are LPS mm here, as DICOM states them (PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.dicom.files import read_head

# More frames than any exam of a head has; a number alone must not make work.
MAX_FRAMES = 20_000
MAX_TEXT = 80
_TAGS = [
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "StudyTime",
    "Modality",
    "SeriesDescription",
    "PatientIdentityRemoved",
    "PatientName",
    "PatientID",
    "OtherPatientNames",
    "PatientBirthDate",
    "AccessionNumber",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "SequenceName",
    "PulseSequenceName",
    "AcquisitionContrast",
    "InversionRecovery",
    "MRAcquisitionType",
    "SliceThickness",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "EchoNumbers",
    "SpacingBetweenSlices",
    "ProtocolName",
    "DiffusionBValue",
    "TriggerTime",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "FrameOfReferenceUID",
    "TemporalPositionIdentifier",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


@dataclass(frozen=True, slots=True)
class Technique:
    """How an image was taken, as far as its headers tell; None and empty where they are silent.

    Parameters
    ----------
    tr_ms, te_ms, ti_ms : float or None
        Times of repetition, echo and inversion.
    agent : str
        Contrast agent that was given.
    codes : frozenset of str
        ScanningSequence, SequenceVariant and ScanOptions.
    contrast : str
        AcquisitionContrast of enhanced objects, e.g. ``FLUID_ATTENUATED``.
    pulse : str
        Name of the pulse sequence.
    """

    tr_ms: float | None = None
    te_ms: float | None = None
    ti_ms: float | None = None
    agent: str = ""
    codes: frozenset[str] = frozenset()
    contrast: str = ""
    pulse: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: a file, or a frame of it.

    Parameters
    ----------
    path : Path
    frame : int
        From 1 in a multi-frame object; 0 where the file is one slice.
    rows, columns : int
    position : (x, y, z) or None
        LPS mm of the centre of the first voxel.
    orientation : six floats or None
        Directions in which columns and rows are counted, LPS.
    spacing : (row, column) or None
        Distance of rows and of columns in mm.
    thickness_mm : float or None
        Distance to the next slice as stated, else the thickness: only a lone slice needs it.
    stack : tuple
        What may tell several stacks in one series apart (see `STACK_PARTS`).
    number : int
        InstanceNumber; only breaks ties.
    uid : str
        Of the instance.
    """

    path: Path
    frame: int
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    thickness_mm: float | None
    stack: tuple[Any, ...]
    number: int
    uid: str = field(repr=False)


# The parts of `Slice.stack`, most telling first.
STACK_PARTS = ("echo", "b_value", "time", "kind", "acquisition", "stack")


@dataclass(frozen=True, slots=True)
class Instance:
    """The headers of one file.

    Parameters
    ----------
    slices : tuple of Slice
        Empty for what is no image.
    study, series, frame_of_reference : str
        UIDs; never shown.
    order : tuple of str
        Date and time of the study, only to sort by.
    identity : frozenset of str
        Words that name the patient, in small letters; only to keep them out of what is shown.
    sop_class, modality, description, protocol : str
    number : int
        SeriesNumber.
    image_type : tuple of str
    is_grey : bool
    technique : Technique
    """

    path: Path
    slices: tuple[Slice, ...]
    study: str = field(repr=False)
    series: str = field(repr=False)
    frame_of_reference: str = field(repr=False)
    order: tuple[str, ...] = field(repr=False)
    identity: frozenset[str] = field(repr=False)
    sop_class: str
    modality: str
    description: str
    protocol: str
    number: int
    image_type: tuple[str, ...]
    is_grey: bool
    technique: Technique


def read_instance(path: Path) -> Instance:
    """Read the headers of a file.

    Raises
    ------
    UserError
        ``dicom_damaged`` also where it names no series; what `files.read_head` raises.
    """
    head = read_head(path, _TAGS)
    study, series = text(head, "StudyInstanceUID"), text(head, "SeriesInstanceUID")
    sop_class = text(head, "SOPClassUID")
    if not (series and sop_class):
        raise UserError("dicom_damaged", path=path)
    identity = _identity(head)
    modality = _code(head, "Modality")
    frames = int(number(head, "NumberOfFrames") or 0)
    if frames > MAX_FRAMES:
        raise UserError("dicom_too_large", path=path)
    groups = _items(head, "PerFrameFunctionalGroupsSequence")
    slices = _frames(path, head, groups) if groups or frames > 1 else (_slice(path, head, (head,), 0),)
    shared = _items(head, "SharedFunctionalGroupsSequence")[:1]
    return Instance(
        path,
        slices if slices[0].rows and slices[0].columns else (),
        study,
        series,
        text(head, "FrameOfReferenceUID"),
        (text(head, "StudyDate"), text(head, "StudyTime")),
        identity,
        sop_class,
        modality,
        without(text(head, "SeriesDescription"), identity),
        without(text(head, "ProtocolName"), identity),
        int(number(head, "SeriesNumber") or 0),
        tuple(part.upper() for part in texts(head, "ImageType")),
        (number(head, "SamplesPerPixel") or 1) == 1 and _code(head, "PhotometricInterpretation") in _GREY,
        _technique(head, (*groups[:1], *shared, head), identity),
    )


_GREY = ("MONOCHROME1", "MONOCHROME2", "")


def without(shown: str, identity: Iterable[str]) -> str:
    """A text with the words that name the patient left out.

    Examples
    --------
    >>> without("t1 DOE axial", {"doe"})
    't1 ... axial'
    """
    for word in sorted(identity, key=len, reverse=True):
        shown = re.sub(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", "...", shown, flags=re.I)
    return shown


def _identity(head: Any) -> frozenset[str]:
    """Words that name the patient: long enough not to be found in any text. None if they are stand-ins."""
    if _code(head, "PatientIdentityRemoved") == "YES":
        return frozenset()
    words: set[str] = set()
    for name in ("PatientName", "OtherPatientNames"):
        for value in texts(head, name):
            words |= set(re.findall(r"[^\W_]{3,}", value.lower()))
    whole = (text(head, name).lower() for name in ("PatientID", "PatientBirthDate", "AccessionNumber"))
    return frozenset(words | {value for value in whole if len(value) > 2})


def _technique(head: Any, places: tuple[Any, ...], identity: frozenset[str]) -> Technique:
    def time(plain: str, group: str, name: str) -> float | None:
        found = number(head, plain)
        if found is None:
            found = next((v for p in places for g in _items(p, group) if (v := number(g, name))), None)
        return found if found else None

    agents = [text(head, "ContrastBolusAgent")]
    agents += [text(c, "CodeMeaning") for c in _items(head, "ContrastBolusAgentSequence")]
    codes = {
        c.upper() for n in ("ScanningSequence", "SequenceVariant", "ScanOptions") for c in texts(head, n)
    }
    return Technique(
        time("RepetitionTime", "MRTimingAndRelatedParametersSequence", "RepetitionTime"),
        time("EchoTime", "MREchoSequence", "EffectiveEchoTime"),
        time("InversionTime", "MRModifierSequence", "InversionTimes"),
        without(next((a for a in agents if a), ""), identity),
        frozenset(codes),
        _code(head, "AcquisitionContrast"),
        text(head, "SequenceName") or text(head, "PulseSequenceName"),
    )


def _frames(path: Path, head: Any, groups: list[Any]) -> tuple[Slice, ...]:
    shared = _items(head, "SharedFunctionalGroupsSequence")[:1]
    frames = min(int(number(head, "NumberOfFrames") or 1), MAX_FRAMES)
    if groups and len(groups) != frames:
        raise UserError("dicom_damaged", path=path)
    # An object without functional groups gives its frames no place; they stay one picture series.
    return tuple(
        _slice(path, head, (*groups[i : i + 1], *shared, head), i + 1) for i in range(frames if groups else 1)
    )


def _slice(path: Path, head: Any, places: tuple[Any, ...], frame: int) -> Slice:
    """A slice from the first of `places` (frame, shared, file) that tells each thing."""

    def told(group: str, name: str, count: int) -> tuple[float, ...] | None:
        for place in places:
            for item in (*_items(place, group)[:1], place):
                found = numbers(item, name, count)
                if found is not None:
                    return found
        return None

    def one(group: str, name: str) -> float | None:
        found = told(group, name, 1)
        return found[0] if found else None

    content = "FrameContentSequence"
    thickness = one("PixelMeasuresSequence", "SpacingBetweenSlices")
    kind = texts(head, "ImageType")
    for place in places:
        for item in _items(place, "MRImageFrameTypeSequence")[:1]:
            kind = texts(item, "FrameType") or kind
    acquisition = one(content, "FrameAcquisitionNumber") or one("", "AcquisitionNumber")
    time = one(content, "TemporalPositionIndex") or one("", "TemporalPositionIdentifier")
    stack_id = next((text(i, "StackID") for p in places for i in _items(p, content)[:1]), "")
    return Slice(
        path,
        frame,
        int(number(head, "Rows") or 0),
        int(number(head, "Columns") or 0),
        told("PlanePositionSequence", "ImagePositionPatient", 3),
        told("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        told("PixelMeasuresSequence", "PixelSpacing", 2),
        abs(thickness) if thickness else one("PixelMeasuresSequence", "SliceThickness"),
        (
            one("MREchoSequence", "EffectiveEchoTime") or one("", "EchoTime"),
            one("MRDiffusionSequence", "DiffusionBValue"),
            time,
            tuple(part.upper() for part in kind[2:]),
            acquisition,
            stack_id,
        ),
        frame if frame else int(number(head, "InstanceNumber") or 0),
        text(head, "SOPInstanceUID") + (f"#{frame}" if frame else ""),
    )


# Values, whatever a damaged file holds instead ---------------------------------------------------------


def text(place: Any, name: str) -> str:
    """An element as one line of text; empty if it is absent or cannot be understood."""
    found = texts(place, name)
    return found[0] if found else ""


def texts(place: Any, name: str) -> tuple[str, ...]:
    """The values of an element as text."""
    value = _value(place, name)
    if value is None or isinstance(value, bytes):
        return ()
    several = isinstance(value, list | tuple) or type(value).__name__ == "MultiValue"
    try:
        lines = [
            re.sub(r"[\x00-\x1f\x7f]+", " ", str(one)).strip() for one in (value if several else (value,))
        ]
    except Exception:
        # A value of a wrong kind may fail at anything.
        return ()
    return tuple(line[:MAX_TEXT] for line in lines)


def number(place: Any, name: str) -> float | None:
    """The first value of an element as a finite number."""
    found = numbers(place, name, 1)
    return found[0] if found else None


def numbers(place: Any, name: str, count: int) -> tuple[float, ...] | None:
    """The first `count` values of an element; None unless all are there and finite."""
    value = _value(place, name)
    if value is None:
        return None
    try:
        several = list(value) if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
        found = tuple(float(one) for one in several[:count])
    except Exception:
        # As above: a float of bytes, of a sequence, of text.
        return None
    return found if len(found) == count and all(math.isfinite(f) and abs(f) < 1e9 for f in found) else None


def _code(place: Any, name: str) -> str:
    return text(place, name).upper()


def _items(place: Any, name: str) -> list[Any]:
    """The items of a sequence."""
    if not name:
        return []
    value = _value(place, name)
    try:
        return [item for item in value if hasattr(item, "get")] if value is not None else []
    except Exception:
        # As above: an element that should be a sequence and is not.
        return []


def _value(place: Any, name: str) -> Any:
    try:
        return place.get(name)
    except Exception:
        # pydicom converts when a value is asked for, and damaged bytes make that fail at nearly anything.
        return None
