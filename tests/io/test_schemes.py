"""Which scheme a mask is in: said and never guessed."""

import json
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.resources import models_dir, resources_dir
from brainseg_desktop.io.schemes import (
    PROGRAM,
    load_schemes,
    read_sidecar,
    recognise_scheme,
    scheme_named,
    sidecar_path,
)


def recognised(values, path="case/seg.nii.gz", **more):
    found = recognise_scheme(values, Path(path), **more)
    return found.scheme.name, found.why.code


def test_schemes_lie_in_the_resources():
    assert list(load_schemes()) == ["brats2023", "brats2021", "brats2024", "brats2015", "lgg"]
    assert resources_dir().name == "resources"
    assert models_dir().name == "models"
    with pytest.raises(UserError, match="scheme_unknown"):
        scheme_named("brats1999")


@pytest.mark.parametrize(
    ("values", "path", "scheme"),
    [
        ({0, 1, 2, 4}, "BraTS2021_00006/BraTS2021_00006_seg.nii.gz", "brats2021"),
        ({0, 4}, "x/BraTS20_Training_001_seg.nii", "brats2021"),
        ({0, 4}, "x/BraTS19_CBICA_AAB_1_seg.nii", "brats2021"),
        ({1, 2, 4}, "BraTS2021_Training_Data/case7/seg.nii.gz", "brats2021"),
        ({1, 2, 3}, "x/BraTS-GLI-00000-000-seg.nii.gz", "brats2023"),
        ({1}, "x/BraTS-GLI-00000-000-seg.nii.gz", "brats2023"),
        ({1, 2, 3, 4}, "x/BraTS-GLI-00000-000-seg.nii.gz", "brats2024"),
        ({2, 4}, "x/BraTS-GLI-02405-100-seg.nii.gz", "brats2024"),
        ({1, 2, 3, 4}, "brats_2013_pat0003_1/seg.nii.gz", "brats2015"),
    ],
)
def test_names_are_evidence(values, path, scheme):
    assert recognised(values, path) == (scheme, "scheme_by_name")


def test_names_of_the_images_beside_it_count_too():
    assert recognised({1, 2, 4}, hints=["BraTS2021_00006_flair.nii.gz"]) == ("brats2021", "scheme_by_name")


@pytest.mark.parametrize(
    ("values", "scheme", "why"),
    [
        ({0, 1, 2, 3}, "brats2023", "scheme_by_values"),
        ({3}, "brats2023", "scheme_by_values"),
        ({2}, "brats2023", "scheme_by_values"),
        ({1, 2}, "brats2023", "scheme_by_values"),
        ({0}, "brats2023", "scheme_empty_mask"),
        (set(), "brats2023", "scheme_empty_mask"),
    ],
)
def test_numbers_that_tell(values, scheme, why):
    assert recognised(values) == (scheme, why)


@pytest.mark.parametrize(
    ("values", "path", "candidates"),
    [
        ({1, 2, 4}, "case/seg.nii.gz", {"brats2021", "brats2024"}),
        ({4}, "case/seg.nii.gz", {"brats2021", "brats2024"}),
        ({1, 2, 3, 4}, "case/seg.nii.gz", {"brats2024", "brats2015"}),
        ({1}, "case/seg.nii.gz", {"brats2023", "lgg"}),
        ({1, 2, 4}, "x/BraTS-GLI-00000-000-seg.nii.gz", {"brats2021", "brats2024"}),
        ({1, 2, 3}, "x/BraTS-PED-00001-000-seg.nii.gz", {"brats2023", "brats2015"}),
    ],
)
def test_what_does_not_tell_is_asked(values, path, candidates):
    with pytest.raises(UserError) as caught:
        recognise_scheme(values, Path(path))
    assert caught.value.code == "scheme_ambiguous"
    assert candidates <= set(caught.value.params["candidates"])


def test_labels_of_no_scheme():
    with pytest.raises(UserError, match="label_outside_scheme"):
        recognise_scheme({1, 7}, Path("a.nii"))


def test_a_name_does_not_overrule_the_numbers():
    assert recognised({1, 2, 3}, "x/BraTS2021_00006_seg.nii.gz") == ("brats2023", "scheme_by_values")


def test_sidecar_of_these_very_bytes_is_certain(tmp_path):
    mask = tmp_path / "m.nii.gz"
    sidecar_path(mask).write_text(json.dumps({"program": PROGRAM, "sha256": "abc", "scheme": "brats2024"}))
    sidecar = read_sidecar(mask, "abc")
    assert recognised({1, 2, 4}, sidecar=sidecar) == ("brats2024", "scheme_by_sidecar")
    assert read_sidecar(mask, "other bytes") is None
    sidecar_path(mask).write_text("{")
    assert read_sidecar(mask, "abc") is None
    # A sidecar whose scheme cannot be: the rest of the evidence decides.
    assert recognised({1, 2, 3}, sidecar={"scheme": "lgg"}) == ("brats2023", "scheme_by_values")


def test_frozen_app_finds_its_resources(tmp_path, monkeypatch):
    (tmp_path / "resources").mkdir()
    monkeypatch.setattr("sys._MEIPASS", str(tmp_path), raising=False)
    assert resources_dir() == tmp_path / "resources"
