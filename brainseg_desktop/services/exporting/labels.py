"""Forms that hold the numbers of a mask: NIfTI, with ITK-SNAP's labels, Slicer's, TIFF, BIDS."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.volume import to_native
from brainseg_desktop.io import nifti, tiff
from brainseg_desktop.io.itksnap import description_bytes, read_description
from brainseg_desktop.io.nifti import stored_affine
from brainseg_desktop.io.schemes import PROGRAM, scheme_named, sidecar_path
from brainseg_desktop.io.seg_nrrd import seg_nrrd_bytes
from brainseg_desktop.services.exporting.job import Content, Job, plain
from brainseg_desktop.services.exporting.writing import as_json, description

_BIDS_VERSION = "1.10.0"


def nifti_content(job: Job) -> Content:
    """One NIfTI file on the images' grid, with their header."""
    path = job.destination
    content = nifti.mask_bytes(path, job.labels, job.scheme, job.source, job.case.grid, job.wide)
    return Content(
        {path: content}, lambda written: nifti_holds(written[path], job), (path, _about(job, content))
    )


def itksnap_content(job: Job) -> Content:
    """The same, and the names and colours of the numbers in a text file that ITK-SNAP loads."""
    made = nifti_content(job)
    labels = job.destination.with_name(nifti.nifti_stem(job.destination) + ".txt")

    def check(written: Mapping[Path, Path]) -> bool:
        named = {(s.value, s.name) for s in read_description(written[labels])}
        return made.check(written) and named == {(one.value, one.name) for one in job.scheme.labels}

    return Content({**made.files, labels: description_bytes(job.scheme)}, check, made.sidecar)


def nrrd_content(job: Job) -> Content:
    """Slicer's ``.seg.nrrd``, read back with pynrrd."""
    path = job.destination
    content = seg_nrrd_bytes(job.labels, job.scheme, job.source, job.case.grid, job.rating.rater)
    numbers = to_native(job.scheme.encode(job.labels), job.source)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ stored_affine(job.source, job.case.grid)

    def check(written: Mapping[Path, Path]) -> bool:
        import nrrd

        stored, header = nrrd.read(str(written[path]))
        place = np.column_stack([np.array(header["space directions"]).T, header["space origin"]])
        return np.array_equal(stored, numbers) and np.allclose(place, affine[:3], rtol=1e-6, atol=1e-5)

    return Content({path: content}, check, (path, _about(job, content)))


def tiff_content(job: Job) -> Content:
    """A stack in one file, or a file for each axial slice; for a case of slices masks named like these."""
    if job.source.files and not _is_tiff(job.destination):
        return _slices_like_the_images(job)
    numbers = job.scheme.encode(job.labels)
    # From inferior to superior, rows to posterior, columns to the patient's left.
    stack = np.ascontiguousarray(numbers[::-1, ::-1, :].transpose(2, 1, 0))
    if _is_tiff(job.destination):
        files = {job.destination: _tiff_bytes(stack, job)}
    else:
        width = len(str(len(stack)))
        files = {
            job.destination / f"{plain(job.case.name)}_{index:0{width}d}_mask.tif": _tiff_bytes(one, job)
            for index, one in enumerate(stack, 1)
        }

    def check(written: Mapping[Path, Path]) -> bool:
        from PIL import Image

        pages: list[NDArray[Any]] = []
        for path in files:
            with Image.open(written[path]) as picture:
                for page in range(getattr(picture, "n_frames", 1)):
                    picture.seek(page)
                    pages.append(np.array(picture))
        return np.array_equal(np.stack(pages), stack)

    beside = job.destination if _is_tiff(job.destination) else job.destination / "masks"
    return Content(files, check, (beside, _about(job, b"".join(files.values()))))


def _slices_like_the_images(job: Job) -> Content:
    scheme = scheme_named("lgg")
    slices = tiff.mask_slices(job.labels, scheme, job.source)
    files = {job.destination / name: content for name, content in slices.items()}
    meant = np.where(scheme.encode(job.labels) > 0, np.uint8(255), np.uint8(0))

    def check(written: Mapping[Path, Path]) -> bool:
        return np.array_equal(tiff.read_mask_stack([written[path] for path in files]), meant)

    digest = hashlib.sha256(b"".join(files.values())).hexdigest()
    about = description(job.case, job.rating, scheme, job.labels, job.source, job.destination.name, digest)
    return Content(files, check, (job.destination / "masks", about))


def bids_content(job: Job) -> Content:
    """A derivative of a BIDS data set: the mask, its JSON, and the table of its labels."""
    subject = "".join(c for c in job.case.name.removeprefix("sub-") if c.isascii() and c.isalnum()) or "01"
    root = job.destination / "derivatives" / "brainseg"
    rater = "".join(c for c in job.rating.rater if c.isascii() and c.isalnum()) or "reader"
    stem = root / f"sub-{subject}" / "anat" / f"sub-{subject}_desc-{rater}_dseg"
    mask = stem.with_name(stem.name + ".nii.gz")
    content = nifti.mask_bytes(mask, job.labels, job.scheme, job.source, job.case.grid, job.wide)
    table = ["index\tname\tabbreviation\tcolor"] + [
        f"{one.value}\t{one.name}\t{one.tissue.name}\t#{bytes(one.colour).hex().upper()}"
        for one in job.scheme.labels
    ]
    labels = stem.with_name(stem.name + ".tsv")
    files = {mask: content, labels: ("\n".join(table) + "\n").encode()}
    told = root / "dataset_description.json"
    if not told.exists():
        files[told] = as_json(_data_set())

    def check(written: Mapping[Path, Path]) -> bool:
        lines = [line.split("\t") for line in written[labels].read_text("utf-8").splitlines()[1:]]
        named = [(int(index), name) for index, name, _, _ in lines]
        return nifti_holds(written[mask], job) and named == [(x.value, x.name) for x in job.scheme.labels]

    manual = job.rating.kind in (RaterKind.HUMAN, RaterKind.REFERENCE)
    about = {"Manual": manual, **_about(job, content), "mask": mask.name}
    return Content(files, check, (mask, about))


def _data_set() -> dict[str, Any]:
    from brainseg_desktop import __version__

    return {
        "Name": "BrainSeg Desktop: masks of brain tumours",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": PROGRAM, "Version": __version__}],
    }


def nifti_holds(path: Path, job: Job) -> bool:
    """Whether nibabel finds the numbers of a job in a file, where they were meant to lie."""
    import nibabel

    image: Any = nibabel.load(path)  # type: ignore[attr-defined]
    numbers = to_native(job.scheme.encode(job.labels), job.source)
    affine = stored_affine(job.source, job.case.grid)
    return (
        np.array_equal(np.asanyarray(image.dataobj), numbers)
        and image.get_data_dtype().itemsize == (2 if job.wide else 1)
        and bool(np.allclose(image.affine, affine, rtol=1e-5, atol=1e-4))
    )


def _tiff_bytes(picture: NDArray[np.uint8], job: Job) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    x, y, z = job.case.grid.spacing_mm
    known = job.case.grid.spacing_known
    # ImageJ's way to state a spacing, which most programs for stacks understand.
    told: dict[str, Any] = {"imagej": True, "resolution": (1 / x, 1 / y), "metadata": {"unit": "mm"}}
    if picture.ndim == 3:
        told["metadata"] |= {"axes": "ZYX", "spacing": z}
    plain_tiff: dict[str, Any] = {"metadata": None, "software": False, "compression": "zlib"}
    tifffile.imwrite(buffer, picture, photometric="minisblack", **(told if known else plain_tiff))
    return buffer.getvalue()


def _about(job: Job, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    name = job.destination.name
    about = description(job.case, job.rating, job.scheme, job.labels, job.source, name, digest)
    return about | ({"audit": dict(job.audit)} if job.audit is not None else {})


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in (".tif", ".tiff")


def beside(path: Path) -> Path:
    """Where the sidecar of a mask lies, whether or not it is there yet; see `io.schemes.sidecar_path`."""
    return path.with_name("masks.json") if path.name == "masks" else sidecar_path(path)
