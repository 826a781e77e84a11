"""Masks as files: compared, and written in another form."""

from __future__ import annotations

from pathlib import Path

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme, Region
from brainseg_desktop.core.volume import ImageChoice, Sequence
from brainseg_desktop.io.layouts import assign, find_case
from brainseg_desktop.io.nifti import MaskFile, nifti_stem
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.compare import AgreementReport, compare
from brainseg_desktop.services.export import export_rating
from brainseg_desktop.services.opening import grid_source, load_mask, mask_labels, open_case
from brainseg_desktop.services.picture import write_picture

FORMS = ("nifti", "tif", "png")


def compare_files(
    reference: Path,
    mask: Path,
    scheme: str | None = None,
    tolerance_mm: float = 1.0,
    choice: ImageChoice | None = None,
) -> AgreementReport:
    """Measure the agreement of one mask file with another.

    Parameters
    ----------
    reference, mask : NIfTI files, or folders of mask slices
    scheme : str, optional
        How both number their labels; found out for each if left out.
    tolerance_mm : float
    choice : ImageChoice, optional
        Which volume of a mask with several, and the spacing of pictures.

    Raises
    ------
    UserError
        What reading a mask raises; ``mask_grid_mismatch``.
    """
    chosen = scheme_named(scheme) if scheme else None
    first, second = _load_pair(reference, mask, chosen, choice)
    labels = mask_labels(second, first.grid)
    return compare(
        first.tissues,
        labels.array,
        first.grid,
        _common_regions(first, second),
        [tissue for tissue in first.scheme.tissues if tissue in second.scheme.tissues],
        tolerance_mm,
        scheme=first.scheme.name,
        label_surface=True,
    )


def _load_pair(
    reference: Path, mask: Path, scheme: LabelScheme | None, choice: ImageChoice | None
) -> tuple[MaskFile, MaskFile]:
    """Both masks; where one alone does not tell its scheme it is taken to be numbered like the other."""
    try:
        first = load_mask(reference, scheme, choice)
    except UserError as error:
        if error.code != "scheme_ambiguous":
            raise
        second = load_mask(mask, scheme, choice)
        return _load_like(reference, second, error, choice), second
    try:
        return first, load_mask(mask, scheme, choice)
    except UserError as error:
        if error.code != "scheme_ambiguous":
            raise
        return first, _load_like(mask, first, error, choice)


def _load_like(path: Path, other: MaskFile, error: UserError, choice: ImageChoice | None) -> MaskFile:
    candidates = error.params.get("candidates")
    if not isinstance(candidates, list) or other.scheme.name not in candidates:
        raise error
    return load_mask(path, other.scheme, choice)


def _common_regions(first: MaskFile, second: MaskFile) -> list[Region]:
    """What both can tell apart: against a mask of the whole tumour only WT says anything."""
    return [region for region in first.scheme.regions if region in second.scheme.regions]


def export_file(
    mask: Path,
    image: Path,
    form: str,
    output: Path,
    scheme: str | None = None,
    choice: ImageChoice | None = None,
) -> tuple[Path, ...]:
    """Write a mask on the grid of an image, in another form.

    Parameters
    ----------
    mask : NIfTI file or folder of mask slices
    image : NIfTI file, or folder of slices or of a case
    form : str
        One of `FORMS`.
    output : Path
        The file; for ``tif`` a folder, which gets one mask a slice.
    scheme : str, optional
        How the mask numbers its labels, read and written.
    choice : ImageChoice, optional
        Which volume of an image with several, and the spacing of pictures.

    Returns
    -------
    tuple of Path
        The files written (for slices their folder), with the sidecar.

    Raises
    ------
    UserError
        ``format_not_offered``; ``like_not_slices`` (tif takes the names of slices); what reading and
        writing raise.
    """
    if form not in FORMS:
        raise UserError("format_not_offered", format=form, known=FORMS)
    case = _case_like(image, choice)
    source = grid_source(case)
    if form == "tif" and not source.files:
        raise UserError("like_not_slices", path=image)
    loaded = load_mask(mask, scheme_named(scheme) if scheme else None)
    rating = Rating(
        str((loaded.sidecar or {}).get("rater", nifti_stem(mask))),
        _kind_of(loaded),
        mask_labels(loaded, case.grid),
        loaded.scheme,
        source=loaded.source,
    )
    if form == "png":
        write_picture(output, case, [(rating.rater, rating.label_map.array)])
        return (output,)
    if form == "nifti" and not output.name.lower().endswith((".nii", ".nii.gz")):
        raise UserError("destination_not_nifti", path=output)
    exported = export_rating(case, rating, output)
    return (exported.path, exported.sidecar)


def _case_like(image: Path, choice: ImageChoice | None) -> Case:
    """The images whose grid is wanted, without the masks beside them; one file is enough."""
    files = find_case(image)
    if not files.images and files.unassigned:
        # Any image has a grid, whatever its name says of its sequence.
        files = assign(files.unassigned[:1], {files.unassigned[0]: Sequence.FLAIR})
    case = open_case(files if choice is None else files.with_choice(choice)).case
    case.ratings.clear()
    return case


def _kind_of(mask: MaskFile) -> RaterKind:
    said = (mask.sidecar or {}).get("kind")
    return RaterKind(said) if said in {k.value for k in RaterKind} else RaterKind.HUMAN
