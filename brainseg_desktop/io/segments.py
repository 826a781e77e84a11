"""Segments of other programs' masks: each has a number, a name and perhaps a coded term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme, Tissue, fitting_schemes
from brainseg_desktop.io.schemes import load_schemes
from brainseg_desktop.io.terms import tissue_of_code, tissue_of_name


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment as a file describes it.

    Parameters
    ----------
    value : int
        Its number, or the number of its voxels.
    name : str
    code, coding : str
        Of the property type, empty where the file has none.
    """

    value: int
    name: str
    code: str = ""
    coding: str = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """Which tissue each segment is, the scheme that holds them, and the reason (not an error)."""

    tissues: dict[int, Tissue]
    scheme: LabelScheme
    why: UserError


def understand(segments: Sequence[Segment], path: Path, scheme: LabelScheme | None) -> Understood:
    """Find the tissue of each segment by its code, else by its name, else by its number and a scheme.

    Raises
    ------
    UserError
        ``scheme_ambiguous`` (params ``path``, ``values``, ``candidates``) where codes and names tell nothing
        and no scheme is given; ``label_outside_scheme``, ``segments_alike``.
    """
    found: dict[int, Tissue] = {}
    for segment in segments:
        tissue = tissue_of_code(segment.code, segment.coding) if segment.code else None
        # A general code beside a telling name: Slicer writes "Tissue" or "Lesion" unless asked otherwise.
        named = tissue_of_name(segment.name)
        if tissue is None or (tissue is Tissue.TUMOUR and named is not None):
            tissue = named or tissue
        if tissue is not None:
            found[segment.value] = tissue
    values = sorted({s.value for s in segments})
    if len(found) == len(values) and found:
        return Understood(found, _holder(found, path, scheme), UserError("scheme_by_segments", path=path))
    if scheme is None:
        # Segments are numbered in the order in which they were made: their numbers alone conclude nothing.
        candidates = [s.name for s in fitting_schemes(values, load_schemes().values())]
        if not candidates:
            known = list(load_schemes())
            raise UserError("label_outside_scheme", path=path, values=values, scheme=known)
        raise UserError("scheme_ambiguous", path=path, values=values, candidates=candidates)
    if not scheme.values.issuperset(values):
        outside = sorted(set(values) - scheme.values)
        raise UserError("label_outside_scheme", path=path, values=outside, scheme=scheme.name)
    by_number = {label.value: label.tissue for label in scheme.labels if label.value in values}
    return Understood(by_number, scheme, UserError("scheme_given", path=path, scheme=scheme.name))


def _holder(found: dict[int, Tissue], path: Path, scheme: LabelScheme | None) -> LabelScheme:
    """A scheme with a number for every tissue: the one given, else the one that numbers them alike."""
    tissues = set(found.values())
    if len(tissues) < len(found):
        raise UserError("segments_alike", path=path)
    if scheme is not None and tissues <= set(scheme.tissues):
        return scheme
    holding = [s for s in load_schemes().values() if tissues <= set(s.tissues)]
    if not holding:
        raise UserError("segments_mixed", path=path)
    alike = [s for s in holding if all((v, t) in _numbers(s) for v, t in found.items())]
    return (alike or holding)[0]


def _numbers(scheme: LabelScheme) -> set[tuple[int, Tissue]]:
    return {(label.value, label.tissue) for label in scheme.labels}
