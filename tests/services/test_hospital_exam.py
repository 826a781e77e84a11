"""A hospital's exam from its DICOM files to the archive and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from brainseg_desktop.core.labels import WT
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.layouts import CaseKind, find_case
from brainseg_desktop.io.nifti import read_mask
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.alignment.placing import register_all
from brainseg_desktop.services.compare import compare
from brainseg_desktop.services.exporting.forms import form_named
from brainseg_desktop.services.exporting.job import job_for
from brainseg_desktop.services.exporting.run import write_form
from brainseg_desktop.services.headless import segment_cases
from brainseg_desktop.services.opening import open_case, read_rating
from brainseg_desktop.services.pacs.client import find, retrieve, send
from brainseg_desktop.services.pacs.records import Query
from tests.exams import make_exam, read_sample, write_dicom
from tests.services.alignment.test_registration import error_mm
from tests.services.pacs.conftest import orthanc  # noqa: F401 - a fixture
from tests.services.pacs.orthanc import Orthanc
from tests.services.pacs.test_round_trip import LOGIN

CASE = "BraTS2021_00006"


@pytest.mark.data
@pytest.mark.slow
def test_from_dicom_to_the_archive_and_back(
    data_dir: Path,
    orthanc: Orthanc,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    # Three sequences on oblique grids of 0.9 x 0.9 x 5 mm, the head moved between them; FLAIR as it was.
    exam = make_exam(read_sample(data_dir / "brats" / CASE, CASE + "_{}.nii.gz"), seed=11, most_mm=12)
    folder = write_dicom(exam, tmp_path / "exam")
    files = find_case(folder)
    assert files.kind is CaseKind.DICOM
    case = open_case(files).case
    assert set(case.volumes) == set(Sequence)
    assert set(case.aligned) == {Sequence.FLAIR}

    register_all(case)
    for sequence in (Sequence.T1, Sequence.T1CE, Sequence.T2):
        placed = case.placements[sequence].transform
        assert placed is not None
        mm, degrees = error_mm(exam, sequence, placed)
        assert mm < 1.0, sequence
        assert degrees < 1.0, sequence

    with segment_cases(tmp_path / "out", device="cpu") as segment:
        rating, _ = segment.predict(case, lambda _: None)
    reference = read_mask(data_dir / "brats" / CASE / f"{CASE}_seg.nii.gz", scheme_named("brats2021"))
    report = compare(
        reference.tissues, rating.label_map.array, case.grid, [WT], (), surface=False, scheme="brats2021"
    )
    dice = report.regions["WT"].overlap.dice.value
    assert dice is not None
    assert dice > 0.85

    path = tmp_path / "mask.dcm"
    write_form(form_named("dicom-seg"), job_for(case, rating, path, scheme=scheme_named("brats2021")))
    written = pydicom.dcmread(path)
    assert written.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
    sent = send(orthanc.node, [path], credentials=LOGIN)
    assert (sent.sent, sent.failed, sent.problem) == (1, 0, None)
    study = next(
        s for s in find(orthanc.node, Query(patient_id="TEST"), LOGIN) if s.uid == written.StudyInstanceUID
    )
    for node in (orthanc.node, orthanc.web):
        back = tmp_path / "back"
        assert retrieve(node, study, back, credentials=LOGIN).new == 1
        (fetched,) = (p for p in back.iterdir() if p.is_file())
        assert np.array_equal(pydicom.dcmread(fetched).pixel_array, written.pixel_array)
        came, _ = read_rating(case, fetched, scheme_named("brats2021"))
        assert np.array_equal(came.label_map.array, rating.label_map.array)
        shutil.rmtree(back)
