"""Folders of slices: orientation, defects, and masks that go back as they came."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io import tiff
from brainseg_desktop.io.schemes import scheme_named

PATIENT = "TCGA_XX_1234_20010203"


def make_folder(root: Path, slices: int = 12, shape=(8, 10), masks: bool = True) -> Path:
    folder = root / PATIENT
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    for k in range(1, slices + 1):
        tifffile.imwrite(
            folder / f"{PATIENT}_{k}.tif",
            random.integers(0, 255, (*shape, 3), dtype=np.uint8),
            photometric="rgb",
        )
        if masks:
            mask = np.zeros(shape, np.uint8)
            mask[1, 2] = 255 if k == 10 else 0
            tifffile.imwrite(folder / f"{PATIENT}_{k}_mask.tif", mask)
    return folder


def code_of(call, *args):
    with pytest.raises(UserError) as caught:
        call(*args)
    return caught.value.code


def test_rows_run_to_posterior_columns_to_the_left_slices_upwards(tmp_path):
    folder = make_folder(tmp_path)
    volumes = tiff.read_slices(folder)
    assert set(volumes) == {Sequence.T1, Sequence.FLAIR, Sequence.T1CE}
    picture = tifffile.imread(folder / f"{PATIENT}_10.tif")  # the tenth, not the second as names sort
    for channel, sequence in enumerate((Sequence.T1, Sequence.FLAIR, Sequence.T1CE)):
        data = volumes[sequence].data
        assert data.shape == (10, 8, 12)
        np.testing.assert_array_equal(data[:, :, 9], picture[::-1, ::-1, channel].T)
    grid = volumes[Sequence.FLAIR].grid
    assert not grid.spacing_known
    assert grid.axis_codes == ("R", "A", "S")
    assert grid.spacing_mm == (1.0, 1.0, 8.0)


def test_masks(tmp_path):
    mask = tiff.read_masks(make_folder(tmp_path))
    assert mask.scheme.name == "lgg"
    assert np.argwhere(mask.tissues == Tissue.TUMOUR).tolist() == [[10 - 1 - 2, 8 - 1 - 1, 9]]


def test_masks_go_back_as_they_came(tmp_path):
    folder = make_folder(tmp_path)
    source = tiff.read_slices(folder)[Sequence.FLAIR].source
    mask = tiff.read_masks(folder)
    out = tmp_path / "out"
    out.mkdir()
    tiff.write_masks(out, mask.tissues, mask.scheme, source)
    assert len(list(out.iterdir())) == 12
    for k in range(1, 13):
        name = f"{PATIENT}_{k}_mask.tif"
        with tifffile.TiffFile(out / name) as file:
            assert file.pages[0].compression == 8
            written = file.asarray()
        assert written.dtype == np.uint8
        np.testing.assert_array_equal(written, tifffile.imread(folder / name))


def test_subregions_are_written_as_one_tumour_and_a_cavity_is_refused(tmp_path):
    folder = make_folder(tmp_path)
    source = tiff.read_slices(folder)[Sequence.FLAIR].source
    tissues = np.zeros((10, 8, 12), np.uint8)
    tissues[0, 0, 0], tissues[1, 0, 0] = Tissue.OEDEMA, Tissue.ENHANCING
    written = tiff.mask_slices(tissues, scheme_named("lgg"), source)
    assert len(written) == 12
    tissues[2, 0, 0] = Tissue.CAVITY
    assert code_of(tiff.mask_slices, tissues, scheme_named("lgg"), source) == "scheme_cannot_hold"


@pytest.mark.parametrize("function", ["os.replace", "os.fsync", "pathlib.Path.open"])
def test_failing_write_leaves_all_old_masks(tmp_path, monkeypatch, function):
    folder = make_folder(tmp_path)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    source = tiff.read_slices(folder)[Sequence.FLAIR].source
    modules = {"os": os, "pathlib.Path": Path}
    owner, name = modules[function.rpartition(".")[0]], function.rpartition(".")[2]
    real, count = getattr(owner, name), 0

    def fail(*args, **kwargs):
        nonlocal count
        count += 1
        if count == 5:
            raise OSError(errno.ENOSPC, "full")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        tissues = np.full((10, 8, 12), Tissue.TUMOUR, np.uint8)
        assert code_of(tiff.write_masks, folder, tissues, scheme_named("lgg"), source) == "disk_full"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_channel_that_is_a_copy_is_told(tmp_path):
    folder = make_folder(tmp_path)
    for path in tiff.slices_in(folder)[0].values():
        picture = tifffile.imread(path)
        picture[..., 2] = picture[..., 1]
        picture[0, 0, 2] ^= 1  # another encoder
        tifffile.imwrite(path, picture, photometric="rgb")
    notes: list[UserError] = []
    assert Sequence.T1CE in tiff.read_slices(folder, notes)
    assert [(n.code, n.params["sequence"]) for n in notes] == [("channel_is_copy", "T1CE")]


def test_refusals(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert code_of(tiff.read_slices, empty) == "case_not_found"
    assert code_of(tiff.read_masks, empty) == "case_not_found"

    folder = make_folder(tmp_path / "gap")
    (folder / f"{PATIENT}_5.tif").unlink()
    assert code_of(tiff.read_slices, folder) == "slice_missing"

    folder = make_folder(tmp_path / "mask-gap")
    (folder / f"{PATIENT}_5_mask.tif").unlink()
    assert code_of(tiff.read_masks, folder) == "slice_missing"

    folder = make_folder(tmp_path / "broken")
    path = folder / f"{PATIENT}_5.tif"
    path.write_bytes(path.read_bytes()[:90])
    assert code_of(tiff.read_slices, folder) == "slice_unreadable"

    folder = make_folder(tmp_path / "shape")
    tifffile.imwrite(folder / f"{PATIENT}_5.tif", np.zeros((9, 9, 3), np.uint8), photometric="rgb")
    assert code_of(tiff.read_slices, folder) == "slice_shape"

    folder = make_folder(tmp_path / "grey")
    tifffile.imwrite(folder / f"{PATIENT}_5.tif", np.zeros((8, 10), np.uint8))
    assert code_of(tiff.read_slices, folder) == "slice_channels"

    folder = make_folder(tmp_path / "not-binary")
    tifffile.imwrite(folder / f"{PATIENT}_5_mask.tif", np.arange(80, dtype=np.uint8).reshape(8, 10))
    assert code_of(tiff.read_masks, folder) == "slice_not_binary"
