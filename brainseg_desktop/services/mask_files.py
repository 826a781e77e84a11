"""Masks as files: compared, and written in another form."""

from __future__ import annotations

from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme, Region
from brainseg_desktop.core.volume import ImageChoice
from brainseg_desktop.io.nifti import MaskFile
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.compare import AgreementReport, compare
from brainseg_desktop.services.exporting.batch import case_like, rating_of
from brainseg_desktop.services.exporting.forms import form_named
from brainseg_desktop.services.exporting.job import job_for
from brainseg_desktop.services.exporting.run import write_form
from brainseg_desktop.services.opening import load_mask, on_one_grid


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
    first, second = on_one_grid(_load_pair(reference, mask, chosen, choice))
    return compare(
        first.tissues,
        second.tissues,
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
    wide: bool = False,
    choice: ImageChoice | None = None,
) -> tuple[Path, ...]:
    """Write a mask on the grid of an image, in another form.

    Parameters
    ----------
    mask : Path
        Any form of `io.mask_files`.
    image : file, or folder of slices or of a case
    form : str
        The key of one of `services.exporting.forms.FORMS`.
    output : Path
        File or folder, as the form has it.
    scheme : str, optional
        How the mask numbers its labels, read and written.
    wide : bool
        Numbers as int16 where the form offers it.
    choice : ImageChoice, optional
        Which volume of an image with several, and the spacing of pictures.

    Returns
    -------
    tuple of Path
        The files written; of a folder only itself.

    Raises
    ------
    UserError
        ``format_not_offered``; what reading and `services.exporting.run.write_form` raise.
    """
    chosen = form_named(form)
    case = case_like(image, choice)
    refusal = chosen.refuse(case)
    if refusal is not None:
        raise refusal
    rating = rating_of(mask, case, scheme_named(scheme) if scheme else None)
    written = write_form(chosen, job_for(case, rating, output, wide=wide))
    return (output,) if output.is_dir() else written.files
