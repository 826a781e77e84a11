"""Choices made without a window: is there a display, which scheme, which network."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.headless import Segmenting, has_display, volumes_ml, written_scheme
from brainseg_desktop.services.models import default_model_dir
from brainseg_desktop.services.worker_messages import Segmentation

SHAPE = (4, 4, 4)


def rating(*regions: str, tissue: int = 0) -> Rating:
    labels = np.full(SHAPE, tissue, np.uint8)
    scheme = scheme_named("brats2023" if len(regions) > 1 else "lgg")
    return Rating("AI", RaterKind.MODEL, LabelMap(labels), scheme, details={"regions": list(regions)})


def case_with(reference: str | None, spacing_known: bool = True) -> Case:
    grid = Grid(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0]), spacing_known)
    volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("a"), ""), Sequence.FLAIR)
    ratings = []
    if reference is not None:
        blank = LabelMap(np.zeros(SHAPE, np.uint8))
        ratings.append(Rating("Reference", RaterKind.REFERENCE, blank, scheme_named(reference)))
    return Case("case", grid, {Sequence.FLAIR: volume}, ratings)


@pytest.mark.parametrize(
    ("reference", "regions", "scheme"),
    [
        ("brats2021", ("WT", "TC", "ET"), "brats2021"),
        (None, ("WT", "TC", "ET"), "brats2023"),
        ("lgg", ("WT", "TC", "ET"), "brats2023"),
        ("brats2021", ("WT",), "lgg"),
        (None, ("WT",), "lgg"),
    ],
)
def test_the_written_scheme_is_the_reference_s_if_it_can_hold_the_mask(
    reference: str | None, regions: tuple[str, ...], scheme: str
) -> None:
    assert written_scheme(case_with(reference), rating(*regions)).name == scheme


def test_volumes_are_told_for_what_the_network_knows_and_the_files_allow() -> None:
    assert volumes_ml(case_with(None), rating("WT", tissue=6)) == {"WT": 0.128}
    assert volumes_ml(case_with(None), rating("WT", "TC", "ET", tissue=2)) == {"WT": 0.128, "TC": 0, "ET": 0}
    assert volumes_ml(case_with(None, spacing_known=False), rating("WT", tissue=6)) == {}


class Client:
    """Outlines nothing, and says what it was given."""

    def segment(self, folder: Path, inputs: Mapping[Sequence, NDArray[Any]], *_: object, **__: object) -> Any:
        labels = np.zeros(next(iter(inputs.values())).shape, np.uint8)
        present = tuple(s.value for s in inputs)
        return Segmentation(
            labels, labels[None], labels, ("WT",), "stripped", present, "net", "1", "cpu", 0.1
        )


def test_a_sequence_that_the_network_did_not_get_is_told(small_case: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segmenting = Segmenting(Client(), default_model_dir(), "cpu", out, None, False)  # type: ignore[arg-type]
    told = segmenting(small_case, lambda _: None).to_dict()
    assert (told["error"], told["notes"]) == (None, [])
    path = small_case / f"{small_case.name}_t2.nii.gz"
    image = nibabel.load(path)
    moved = image.affine + np.eye(4, k=3) * [[3.0], [0], [0], [0]]
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), moved), path)
    segmenting = Segmenting(Client(), default_model_dir(), "cpu", out, None, False, "off")  # type: ignore[arg-type]
    told = segmenting(small_case, lambda _: None).to_dict()
    (note,) = told["notes"]
    assert told["error"] is None
    assert "T2" in note
    assert "position" in note
    assert told["alignment"] == {}
    details = json.loads((out / f"{small_case.name}_seg.json").read_text())["details"]
    assert details["sequences_used"] == ["T1", "T1CE", "FLAIR"]
    assert details["sequences_off_grid"] == {"T2": "position"}


def test_a_sequence_on_another_grid_is_resampled_where_its_header_puts_it(
    small_case: Path, tmp_path: Path
) -> None:
    path = small_case / f"{small_case.name}_t2.nii.gz"
    image = nibabel.load(path)
    moved = image.affine + np.eye(4, k=3) * [[3.0], [0], [0], [0]]
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), moved), path)
    segmenting = Segmenting(Client(), default_model_dir(), "cpu", tmp_path / "out", None, False)  # type: ignore[arg-type]
    told = segmenting(small_case, lambda _: None).to_dict()
    (note,) = told["notes"]
    assert "resampled" in note
    assert told["alignment"]["T2"]["how"] == "headers"
    assert told["alignment"]["T2"]["reference"] == "FLAIR"
    sidecar = json.loads((tmp_path / "out" / f"{small_case.name}_seg.json").read_text())
    assert sidecar["alignment"] == told["alignment"]
    assert sidecar["details"]["sequences_used"] == ["T1", "T1CE", "FLAIR", "T2"]
    assert sidecar["details"]["sequences_off_grid"] == {}


@pytest.mark.skipif(sys.platform != "linux", reason="X servers")
def test_a_display_counts_only_if_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    number = 4000 + os.getpid() % 10000
    monkeypatch.setenv("DISPLAY", f":{number}")
    assert not has_display()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0/tmp/.X11-unix/X{number}")
        server.listen()
        assert has_display()
    monkeypatch.setenv("DISPLAY", "nonsense")
    assert not has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_display()
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert not has_display()
