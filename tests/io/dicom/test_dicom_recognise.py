"""Which sequence a series is, as protocols call them, as scanners time them, and as the head looks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.io.dicom.exams import find_exams
from brainseg_desktop.io.dicom.instances import Technique
from brainseg_desktop.io.dicom.recognise import by_headers, recognise
from brainseg_desktop.io.dicom.series import DicomSeries
from brainseg_desktop.io.nifti import read_volume
from tests.dicom_making import Making, blocks, save_series

NAMES = ("t1", "t1ce", "t2", "flair")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> DicomSeries:
    folder = tmp_path_factory.mktemp("plain")
    save_series(folder, Making(blocks(12), description=""))
    return find_exams(folder, by_values=False)[0].series[0]


def told(plain: DicomSeries, description: str = "", **technique: Any) -> tuple[str | None, str]:
    series = replace(plain, description=description, technique=Technique(**technique))
    found = by_headers(series)
    return (found.sequence.value if found.sequence else None, found.why.code)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("t1_mpr_sag", "T1"),
        ("AX T1 PRE", "T1"),
        ("SAG T1 FLAIR", "T1"),
        ("MPRAGE", "T1"),
        ("Ax T1 FSE +C", "T1CE"),
        ("t1_tse_tra_KM", "T1CE"),
        ("T1W_3D_TFE_GD", "T1CE"),
        ("t1 post contrast", "T1CE"),
        ("T1 +GAD SAG", "T1CE"),
        ("t1ce", "T1CE"),
        ("BRAVO POST", "T1CE"),
        ("t2_tse_tra", "T2"),
        ("AX T2 PROPELLER", "T2"),
        ("t2_tirm_tra_dark-fluid", "FLAIR"),
        ("Ax T2 FLAIR", "FLAIR"),
        ("3D_Brain_VIEW_FLAIR", "FLAIR"),
        ("t2_space_dark-fluid_sag", "FLAIR"),
        ("ep2d_diff_3scan_trace_ADC", None),
        ("t2*_gre", None),
        ("SWI_mIP", None),
        ("TOF_3D", None),
        ("perf_dsc_t2star", None),
        ("STIR cor t1", None),
    ],
)
def test_descriptions(plain: DicomSeries, description: str, expected: str | None) -> None:
    sequence, why = told(plain, description)
    assert sequence == expected
    assert why == ("sequence_by_words" if expected else "sequence_is_other")


def test_an_agent_makes_it_t1ce(plain: DicomSeries) -> None:
    assert told(plain, "t1_tse", agent="Gadovist") == ("T1CE", "sequence_by_agent")
    assert told(plain, "t1_tse", agent="NONE") == ("T1", "sequence_by_words")
    assert told(plain, "t1_tse native", agent="Gadovist") == ("T1", "sequence_by_words")
    assert told(plain, "t2_tse", agent="Gadovist") == ("T2", "sequence_by_words")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"tr_ms": 9000, "te_ms": 120, "ti_ms": 2500}, "FLAIR"),
        ({"tr_ms": 4800, "te_ms": 340, "ti_ms": 1650}, "FLAIR"),
        ({"tr_ms": 550, "te_ms": 9}, "T1"),
        ({"tr_ms": 1900, "te_ms": 2.9, "ti_ms": 900}, "T1"),
        ({"tr_ms": 4500, "te_ms": 98}, "T2"),
        ({"tr_ms": 2500, "te_ms": 15}, None),
        ({"tr_ms": 30, "te_ms": 20, "ti_ms": None, "codes": frozenset({"EP"})}, None),
        ({"te_ms": 90}, None),
        ({}, None),
    ],
)
def test_times(plain: DicomSeries, times: dict[str, Any], expected: str | None) -> None:
    assert told(plain, **times)[0] == expected


def test_the_contrast_of_enhanced_objects(plain: DicomSeries) -> None:
    assert told(plain, contrast="FLUID_ATTENUATED")[0] == "FLAIR"
    assert told(plain, contrast="T1", agent="Dotarem")[0] == "T1CE"
    assert told(plain, contrast="DIFFUSION") == (None, "sequence_is_other")


def test_each_sequence_once_and_the_better_one(plain: DicomSeries) -> None:
    coarse = replace(plain, name="coarse", description="t2_tse")
    fine = replace(coarse, name="fine", affine=np.diag([0.5, 0.5, 0.5, 1.0]))
    made = replace(fine, name="made", image_type=("DERIVED", "SECONDARY"))
    found = recognise([coarse, fine, made])
    assert [f.sequence for f in found] == [None, Sequence.T2, None]
    assert [f.why.code for f in found] == ["sequence_taken", "sequence_by_words", "sequence_taken"]
    assert found[0].why.params["other"] == "fine"
    assert not found[1].is_clear


def by_look(plain: DicomSeries, images: dict[str, Volume], **descriptions: str) -> dict[str, Any]:
    """What is made of series whose values are these images."""
    series = [replace(plain, name=n, description=descriptions.get(n, "")) for n in images]
    found = recognise(series, lambda one: images[one.name])
    return {
        n: (f.sequence.value if f.sequence else None, f.why.code) for n, f in zip(images, found, strict=True)
    }


def check_look(plain: DicomSeries, images: dict[str, Volume]) -> None:
    found = by_look(plain, images)
    assert {n: s for n, (s, _) in found.items()} == {n: n.upper() for n in NAMES}
    assert {n: c for n, (_, c) in found.items()} == {
        "t1": "sequence_against_t2",
        "t1ce": "sequence_enhances",
        "t2": "sequence_by_bright_fluid",
        "flair": "sequence_follows_t2",
    }
    pair = {n: images[n] for n in ("t1", "t1ce")}
    assert by_look(plain, pair, t1="t1_tse", t1ce="t1_tse")["t1ce"] == ("T1CE", "sequence_enhances")
    # One image alone tells nothing but whether its fluid is bright.
    assert by_look(plain, {"flair": images["flair"]})["flair"] == (None, "sequence_unclear")


def test_silent_headers_of_the_sample(plain: DicomSeries, sample_dir: Path) -> None:
    check_look(plain, {n: read_volume(sample_dir / f"sample_{n}.nii.gz") for n in NAMES})


@pytest.mark.data
def test_silent_headers_of_a_real_case(plain: DicomSeries, data_dir: Path) -> None:
    folder = data_dir / "brats" / "BraTS2021_00006"
    check_look(plain, {n: read_volume(folder / f"{folder.name}_{n}.nii.gz") for n in NAMES})


def test_two_equal_t1_are_told_nothing_of(plain: DicomSeries, sample_dir: Path) -> None:
    image = read_volume(sample_dir / "sample_t1.nii.gz")
    found = by_look(plain, {"one": image, "two": image}, one="t1_tse", two="t1_tse")
    assert set(found.values()) == {(None, "sequence_taken"), ("T1", "sequence_by_words")}


def test_a_series_that_cannot_be_read_has_no_say(plain: DicomSeries) -> None:
    def fail(one: DicomSeries) -> Volume:
        raise UserError("file_truncated", path=one.path)

    (found,) = recognise([plain], fail)
    assert (found.sequence, found.why.code) == (None, "sequence_unclear")


def test_values_are_not_asked_where_headers_speak(plain: DicomSeries) -> None:
    def fail(one: DicomSeries) -> Volume:
        raise AssertionError(one.name)

    (found,) = recognise([replace(plain, description="t2_tse")], fail)
    assert found.sequence is Sequence.T2
