"""Several masks at once: of several files, or beside the images of several cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme, Tissue
from brainseg_desktop.core.volume import ImageChoice
from brainseg_desktop.core.volume import Sequence as MRSequence
from brainseg_desktop.io.layouts import assign, find_case
from brainseg_desktop.io.nifti import MaskFile, nifti_stem
from brainseg_desktop.services.exporting.job import Form, Tell, job_for, plain
from brainseg_desktop.services.exporting.run import Written, write_form
from brainseg_desktop.services.opening import load_mask, mask_labels, open_case


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mask.

    Parameters
    ----------
    name : str
        Of the mask, or of the case it could not be got from.
    written : Written or None
    error : UserError or None
        Exactly one of the two is there.
    """

    name: str
    written: Written | None = None
    error: UserError | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file or folder to export from, and how to get its masks."""

    name: str
    read: Callable[[], tuple[Case, tuple[Rating, ...]]]


def masks_like(masks: Iterable[Path], image: Path, scheme: LabelScheme | None = None) -> list[Wanted]:
    """Mask files that are put on the grid of one image."""
    known: list[Case] = []

    def read(mask: Path) -> tuple[Case, tuple[Rating, ...]]:
        if not known:
            known.append(case_like(image))
        return known[0], (rating_of(mask, known[0], scheme),)

    return [Wanted(str(mask), lambda mask=mask: read(mask)) for mask in masks]  # type: ignore[misc]


def masks_beside(cases: Iterable[Path], scheme: LabelScheme | None = None) -> list[Wanted]:
    """The masks that lie beside the images of cases."""

    def read(folder: Path) -> tuple[Case, tuple[Rating, ...]]:
        opened = open_case(find_case(folder), scheme=scheme)
        if not opened.case.ratings:
            raise opened.problems[0] if opened.problems else UserError("no_masks_here", path=folder)
        return opened.case, tuple(opened.case.ratings)

    return [Wanted(folder.name, lambda folder=folder: read(folder)) for folder in cases]  # type: ignore[misc]


def export_many(
    wanted: Sequence[Wanted],
    form: Form,
    folder: Path,
    *,
    scheme: LabelScheme | None = None,
    tissues: Iterable[Tissue] | None = None,
    wide: bool = False,
    tell: Tell = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Write masks into a folder, one after the other; a bad one does not stop the rest.

    Parameters
    ----------
    wanted : `masks_like` or `masks_beside`
    form : Form
    folder : Path
        Each mask gets a file, or a folder where the form needs one, named after case and rater.
    scheme, tissues, wide
        As in `job_for`.
    tell : function
        Told the share done.
    stop : function
        Asked before each; True ends.

    Yields
    ------
    Outcome
        As each mask is done.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError("destination_not_folder", path=folder)
    kept = None if tissues is None else list(tissues)
    taken: set[Path] = set()
    for count, one in enumerate(wanted):
        if stop():
            return
        try:
            case, ratings = one.read()
        except UserError as error:
            yield Outcome(one.name, error=error)
            continue
        for rating in ratings:
            name = f"{case.name}, {rating.rater}"
            path = destination_in(folder, form, case, rating, taken)
            taken.add(path)
            try:
                job = job_for(case, rating, path, scheme=scheme, tissues=kept, wide=wide)
                yield Outcome(name, written=write_form(form, job))
            except UserError as error:
                yield Outcome(name, error=error)
        tell((count + 1) / len(wanted))


def destination_in(folder: Path, form: Form, case: Case, rating: Rating, taken: Iterable[Path] = ()) -> Path:
    """The file or folder that a mask gets in a folder for many; never one of those taken already."""
    if form.key == "bids":
        return folder
    stem = f"{case.name}_seg-{plain(rating.rater).lower()}"
    suffix = "" if form.folder else form.suffixes[0]
    tried = [folder / f"{stem}{number}{suffix}" for number in ("", *(f"-{n}" for n in range(2, 1000)))]
    return next(path for path in tried if path not in set(taken))


def case_like(image: Path, choice: ImageChoice | None = None) -> Case:
    """The images whose grid is wanted, without the masks beside them; one file is enough."""
    files = find_case(image)
    if not files.images and files.unassigned:
        # Any image has a grid, whatever its name says of its sequence.
        first = files.unassigned[0]
        files = assign([first], {first: MRSequence.FLAIR})
    case = open_case(files if choice is None else files.with_choice(choice)).case
    case.ratings.clear()
    return case


def rating_of(mask: Path, case: Case, scheme: LabelScheme | None) -> Rating:
    """A mask file as a rating on the grid of a case."""
    loaded = load_mask(mask, scheme)
    sidecar = loaded.sidecar or {}
    details = sidecar.get("details")
    return Rating(
        str(sidecar.get("rater", nifti_stem(mask))),
        _kind_of(loaded),
        mask_labels(loaded, case.grid),
        loaded.scheme,
        source=loaded.source,
        details=details if isinstance(details, dict) else {},
    )


def _kind_of(mask: MaskFile) -> RaterKind:
    said = (mask.sidecar or {}).get("kind")
    return RaterKind(said) if said in {k.value for k in RaterKind} else RaterKind.HUMAN
