"""The whole job without a window: outline cases, write the masks; for one case compare and draw too."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import REGIONS, LabelScheme, Region
from brainseg_desktop.core.volume import ImageChoice, Sequence
from brainseg_desktop.io.atomic import write_bytes, write_error
from brainseg_desktop.io.layouts import CaseFiles, CaseKind, find_case
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.alignment.placing import (
    GRID_NOTES,
    alignment_record,
    place_by_headers,
    register_all,
)
from brainseg_desktop.services.compare import compare
from brainseg_desktop.services.export import export_rating, export_uncertainty
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.models import find_network
from brainseg_desktop.services.opening import OpenedCase, grid_source, open_case
from brainseg_desktop.services.picture import write_picture
from brainseg_desktop.services.predict import predict_case
from brainseg_desktop.services.scrubbing import alias
from brainseg_desktop.services.worker_client import WorkerClient

DEFAULT_SCHEME = "brats2023"
WHOLE_TUMOUR_SCHEME = "lgg"
_READING_NOTES = (
    *("volume_chosen", "volume_single", "units_converted", "sform_against_qform", "position_unstated"),
    *("picture_axes", "spacing_not_given", "spacing_given"),
)

_log = logging.getLogger(__name__)

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Segmented:
    """What became of one case.

    Parameters
    ----------
    case : str
    model, device, scheme : str or None
        None if the case failed.
    seconds : float or None
        From the request to the network to its mask.
    volumes_ml : mapping of WT, TC, ET to millilitres
        None where the network does not tell the region, or the files state no spacing.
    output : Path or None
        The mask, or the folder of mask slices.
    uncertainty : Path or None
        The map of it, if it was asked for.
    notes : tuple of str
        Sentences: sequences that lie on another grid, and what became of them.
    alignment : mapping
        By the name of each sequence that was brought to the masks' grid, how.
    outside : tuple of str
        Sentences: what puts the exam outside of what the networks know.
    error : str or None
        A sentence.
    code : str or None
        Of the error.
    """

    case: str
    model: str | None = None
    device: str | None = None
    seconds: float | None = None
    scheme: str | None = None
    volumes_ml: Mapping[str, float | None] = field(default_factory=dict)
    output: Path | None = None
    uncertainty: Path | None = None
    notes: tuple[str, ...] = ()
    alignment: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outside: tuple[str, ...] = ()
    error: str | None = None
    code: str | None = None

    @classmethod
    def failed(cls, name: str, error: UserError) -> Segmented:
        """A case that came to nothing."""
        return cls(name, error=words(error), code=error.code)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any], folder: Path, code: str | None = None) -> Segmented:
        """The case of another process's entry; `folder` is what the output folder is called here."""
        paths = {
            name: None if entry[name] is None else folder / Path(entry[name]).name
            for name in ("output", "uncertainty")
        }
        lists = {name: tuple(entry[name]) for name in ("notes", "outside")}
        return cls(**{**entry, **paths, **lists, "code": code})

    def to_dict(self) -> dict[str, Any]:
        """One entry of the JSON of ``brainseg segment``."""
        return {
            "case": self.case,
            "model": self.model,
            "device": self.device,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "scheme": self.scheme,
            "volumes_ml": {r.name: self.volumes_ml.get(r.name) for r in REGIONS},
            "output": None if self.output is None else str(self.output),
            "uncertainty": None if self.uncertainty is None else str(self.uncertainty),
            "notes": list(self.notes),
            "alignment": {name: dict(how) for name, how in self.alignment.items()},
            "outside": list(self.outside),
            "error": self.error,
        }


class Segmenting:
    """Cases through one warm worker; made by `segment_cases`."""

    def __init__(
        self,
        client: WorkerClient,
        model: Path,
        device: str,
        folder: Path,
        scheme: LabelScheme | None,
        uncertainty: bool,
        align: str = "headers",
        reference: Sequence | None = None,
        choice: ImageChoice | None = None,
    ) -> None:
        self._client = client
        self._model = model
        self._device = device
        self._folder = folder
        self._scheme = scheme
        self._uncertainty = uncertainty
        self._align = align
        self._reference = reference
        self._choice = choice

    def __call__(self, case: Path | CaseFiles, progress: Progress) -> Segmented:
        """Segment and write one case; a fault of the case is told in the result."""
        name = case.name if isinstance(case, CaseFiles) else (case.name or case.resolve().name)
        try:
            files = case if isinstance(case, CaseFiles) else find_case(case)
            name = files.name
            files = files if self._choice is None else files.with_choice(self._choice)
            opened = open_case(files, scheme=self._scheme, reference=self._reference)
            opened = bring_together(opened, self._align)
            rating, seconds = self.predict(opened.case, progress)
            return self._write(files, opened, rating, seconds)
        except UserError as error:
            _log.info("case %s: %s", alias(name), error.code)
            return Segmented.failed(name, error)

    def predict(
        self,
        case: Case,
        progress: Progress,
        first_slice: int | None = None,
        cancel: threading.Event | None = None,
    ) -> tuple[Rating, float]:
        """The network's mask of a case, and the seconds it took."""
        started = time.monotonic()
        rating = predict_case(
            case,
            self._client,
            self._model,
            device=self._device,
            first_slice=first_slice,
            on_progress=lambda done, total, _: progress(done / max(1, total)),
            cancel=cancel,
        )
        return rating, time.monotonic() - started

    def _write(self, files: CaseFiles, opened: OpenedCase, rating: Rating, seconds: float) -> Segmented:
        is_slices = files.kind is CaseKind.SLICES
        output = self._folder / (files.name if is_slices else f"{files.name}_seg.nii.gz")
        scheme = self._scheme or written_scheme(opened.case, rating)
        exported = export_rating(opened.case, rating, output, scheme=scheme)
        uncertainty = self._folder / f"{files.name}_uncertainty.nii.gz" if self._uncertainty else None
        if uncertainty is not None:
            export_uncertainty(opened.case, rating, uncertainty)
        return Segmented(
            files.name,
            model=str(rating.details.get("model", "")) or None,
            device=str(rating.details.get("device", "")) or None,
            seconds=seconds,
            scheme=scheme.name,
            volumes_ml=volumes_ml(opened.case, rating),
            output=exported.path,
            uncertainty=uncertainty,
            notes=(*grid_remarks(opened), *reading_remarks(opened)),
            alignment=alignment_record(opened.case),
            outside=tuple(rating.details.get("outside", ())),
        )


def reading_remarks(opened: OpenedCase) -> tuple[str, ...]:
    """Sentences on how the place, the size and the volume of the images were understood."""
    return tuple(words(note) for note in opened.notes if note.code in _READING_NOTES)


def grid_remarks(opened: OpenedCase) -> tuple[str, ...]:
    """Sentences on the sequences that lie on another grid, and on what became of them.

    Of a DICOM exam also which series was taken for which sequence, and why.
    """
    told = (*GRID_NOTES, "series_off_grid", "series_other_frame", "series_taken")
    return tuple(words(note) for note in opened.notes if note.code in told)


def bring_together(opened: OpenedCase, how: str) -> OpenedCase:
    """Let the network use the sequences on other grids.

    Parameters
    ----------
    opened : OpenedCase
    how : {"headers", "register", "off"}
        Resample those on another grid where their headers put them; register every sequence to the one
        that the masks are drawn on, keeping the headers' place where that finds nothing better; nothing.
    """
    case = opened.case
    if how == "off" or not case.grid.spacing_known:
        return opened
    told = place_by_headers(case)
    if how == "register":
        told += register_all(case)
    placed = {s.value for s in case.placements}
    kept = [
        n
        for n in opened.notes
        if n.code not in ("sequence_off_grid", "series_off_grid", "series_other_frame")
        or n.params.get("sequence") not in placed
    ]
    return replace(opened, notes=(*kept, *told))


@contextmanager
def segment_cases(
    folder: Path,
    model: str | None = None,
    device: str = "auto",
    scheme: str | None = None,
    *,
    uncertainty: bool = False,
    align: str = "headers",
    reference: Sequence | None = None,
    choice: ImageChoice | None = None,
    threads: int | None = None,
) -> Iterator[Segmenting]:
    """Make the output folder and the worker, and end the worker afterwards.

    Raises
    ------
    UserError
        ``output_is_file``, ``no_permission``, ``write_failed``, ``scheme_unknown``, and what is wrong with
        the model: all before the first case is read.
    """
    chosen = scheme_named(scheme) if scheme else None
    found = find_network(model)
    make_folder(folder)
    client = WorkerClient(threads=threads)
    try:
        client.warm_up(found, device)
        yield Segmenting(client, found, device, folder, chosen, uncertainty, align, reference, choice)
    finally:
        client.close()


def written_scheme(case: Case, rating: Rating) -> LabelScheme:
    """The scheme for a network's mask: that of the reference beside the images, else BraTS 2023's.

    A mask of the whole tumour alone has its own scheme: no BraTS number means "some tumour".
    """
    if told_regions(rating) == REGIONS[:1]:
        return scheme_named(WHOLE_TUMOUR_SCHEME)
    references = [r for r in case.ratings if r.kind is RaterKind.REFERENCE]
    fitting = [r.scheme for r in references if r.scheme.name != WHOLE_TUMOUR_SCHEME]
    return fitting[0] if fitting else scheme_named(DEFAULT_SCHEME)


def volumes_ml(case: Case, rating: Rating) -> dict[str, float | None]:
    """Volume of each region the rating tells, rounded to a microlitre."""
    if not case.grid.spacing_known:
        return {}
    labels, voxel_ml = rating.label_map.array, case.grid.voxel_volume_ml
    return {r.name: round(float(r.mask(labels).sum()) * voxel_ml, 3) for r in told_regions(rating)}


def told_regions(rating: Rating) -> tuple[Region, ...]:
    """The regions that the network was taught for this kind of exam."""
    names = rating.details.get("regions", [])
    return tuple(region for region in REGIONS if region.name in names)


def make_folder(folder: Path) -> None:
    """Make an output folder before hours of work are done for it."""
    if folder.exists() and not folder.is_dir():
        raise UserError("output_is_file", path=folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except NotADirectoryError as error:
        raise UserError("output_is_file", path=folder) from error
    except OSError as error:
        raise write_error(error, folder) from error


def do_whole_job(case_path: Path, folder: Path, progress: Progress) -> list[str]:
    """What the window would be used for: segment, compare with the reference, write mask, scores and picture.

    Returns
    -------
    list of str
        What was done, in words.
    """
    opened = bring_together(open_case(find_case(case_path)), "headers")
    case = opened.case
    reference = next((r for r in case.ratings if r.kind is RaterKind.REFERENCE), None)
    with segment_cases(folder) as segmenting:
        rating, seconds = segmenting.predict(case, progress)
    mask = folder / f"{case.name}_seg.nii.gz"
    if grid_source(case).files:
        mask = folder / case.name
    exported = export_rating(case, rating, mask, scheme=written_scheme(case, rating))
    lines = [
        f"There is no display, so the job was done without a window: {case.name}, "
        f"{len(case.volumes)} sequences, outlined by {rating.rater} in {seconds:.1f} s.",
        *grid_remarks(opened),
        *reading_remarks(opened),
        f"Mask:     {exported.path}",
    ]
    rows = [(rating.rater, rating.label_map.array)]
    if reference is not None:
        lines += _write_scores(folder / f"{case.name}_scores.json", case, reference, rating)
        rows.append((reference.rater, reference.label_map.array))
    picture = folder / f"{case.name}.png"
    write_picture(picture, case, rows)
    return [*lines, f"Picture:  {picture}"]


def _write_scores(path: Path, case: Case, reference: Rating, rating: Rating) -> list[str]:
    regions = [r for r in reference.scheme.regions if r in written_scheme(case, rating).regions]
    report = compare(
        reference.label_map.array,
        rating.label_map.array,
        case.grid,
        regions,
        reference.scheme.tissues,
        scheme=reference.scheme.name,
    )
    write_bytes(path, json.dumps(report.to_dict(), indent=2, allow_nan=False).encode() + b"\n")
    dice = ", ".join(
        f"{name} {scores.overlap.dice.value:.3f}"
        for name, scores in report.regions.items()
        if scores.overlap.dice.value is not None
    )
    return [f"Scores:   {path}", f"Dice against {reference.rater}: {dice}"]


def has_display() -> bool:
    """Whether a window can open here. Qt aborts the process if it cannot, so it must be known before."""
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform:
        return platform.split(":")[0] not in ("offscreen", "minimal")
    if sys.platform != "linux":
        return True
    if os.environ.get("WAYLAND_DISPLAY"):
        return True
    display = os.environ.get("DISPLAY", "")
    return bool(display) and _answers(display)


def _answers(display: str) -> bool:
    """Whether an X server listens at a ``DISPLAY`` such as ``:0`` or ``host:10.0``."""
    host, _, rest = display.rpartition(":")
    number = rest.split(".")[0]
    if not number.isdigit():
        return False
    places: list[tuple[int, Any]] = []
    if host in ("", "unix"):
        name = f"/tmp/.X11-unix/X{number}"
        places = [(socket.AF_UNIX, name), (socket.AF_UNIX, "\0" + name)]
    else:
        places = [(socket.AF_INET, (host, 6000 + int(number)))]
    for family, address in places:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(2.0)
                probe.connect(address)
                return True
        except OSError:
            continue
    return False
