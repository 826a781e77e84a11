"""Where voxels lie: against what was written, and against SimpleITK's reader of series (GDCM)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Volume, to_native
from brainseg_desktop.io.dicom.exams import find_exams
from brainseg_desktop.io.dicom.header import DicomHeader
from brainseg_desktop.io.dicom.read import read_series
from brainseg_desktop.io.dicom.series import DicomSeries
from tests.dicom_making import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    Making,
    blocks,
    one_slice,
    save,
    save_enhanced,
    save_series,
    turned,
)

FRAMES = {
    "axial": AXIAL,
    "sagittal": SAGITTAL,
    "coronal": CORONAL,
    "oblique axial": turned(AXIAL, 17, -8),
    "oblique sagittal": turned(SAGITTAL, 12, 20),
    "oblique coronal": turned(CORONAL, -25, 9),
    "prone": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
}


def series_in(folder: Path) -> tuple[DicomSeries, ...]:
    (exam,) = find_exams(folder)
    return exam.series


def only(folder: Path) -> Volume:
    (series,) = series_in(folder)
    return read_series(series)


def value_at(volume: Volume, world: np.ndarray) -> int:
    voxel = np.rint(volume.grid.voxel_of(world)).astype(int)
    assert np.abs(volume.grid.voxel_of(world) - voxel).max() < 1e-3
    return int(volume.data[tuple(voxel)])


@pytest.mark.parametrize("down", [False, True], ids=["head first", "feet first"])
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_every_voxel_lies_where_it_was_written(tmp_path: Path, frame: tuple, down: bool) -> None:
    making = Making(blocks(), frame, (1.25, 0.75, 3.0), down=down)
    save_series(tmp_path, making)
    volume = only(tmp_path)
    assert volume.grid.axis_codes == ("R", "A", "S")
    for index, row, column in np.ndindex(2, 2, 2):  # a marked voxel in each octant
        k, j, i = index * 4 + 1, row * 6 + 2, column * 5 + 1
        assert value_at(volume, making.world(i, j, k)) == making.data[k, j, i]


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_simpleitk_sees_the_same(tmp_path: Path, frame: tuple) -> None:
    save_series(tmp_path, Making(blocks(), frame, (1.25, 0.75, 3.0)))
    (series,) = series_in(tmp_path)
    volume = read_series(series)
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path)))
    array = sitk.GetArrayFromImage(image)
    for k, j, i in np.ndindex(*array.shape):
        lps = np.array(image.TransformIndexToPhysicalPoint((i, j, k)))
        assert value_at(volume, lps * (-1, -1, 1)) == array[k, j, i]
    assert np.allclose(series.spacing_mm or (), image.GetSpacing(), atol=1e-4)


def test_the_source_leads_back_to_the_stored_order(tmp_path: Path) -> None:
    making = Making(blocks(), turned(SAGITTAL, 12, 20), down=True)
    files = save_series(tmp_path, making)
    volume = only(tmp_path)
    source = volume.source
    assert isinstance(source.header, DicomHeader)
    assert source.files == ()
    assert source.native_shape == (8, 10, 6)
    assert source.header.frames == ()
    native = to_native(volume.data, source)
    for index, path in enumerate(source.header.files):
        written = making.data[files.index(path)]
        assert np.array_equal(native[:, :, index], written.T)
        world = source.header.affine @ (3, 4, index, 1)
        assert np.allclose(world[:3], making.world(3, 4, files.index(path)), atol=1e-4)
    import hashlib

    joined = b"".join(path.read_bytes() for path in source.header.files)
    assert source.sha256 == hashlib.sha256(joined).hexdigest()


def test_an_enhanced_object_is_the_same_volume(tmp_path: Path) -> None:
    making = Making(blocks(), turned(AXIAL, 17, -8))
    save_series(tmp_path / "single", making)
    path = save_enhanced(tmp_path / "multi" / "object", making, [3, 0, 5, 1, 4, 2])
    one, other = only(tmp_path / "single"), only(tmp_path / "multi")
    assert np.array_equal(one.data, other.data)
    assert one.grid.mismatch(other.grid) is None
    assert other.source.header.files == (path,)
    assert other.source.header.frames == (2, 4, 6, 1, 5, 3)


def test_two_echoes_in_one_object_are_two_series(tmp_path: Path) -> None:
    save_enhanced(tmp_path / "object", Making(blocks()), range(6), echoes=(90.0, 20.0))
    first, second = series_in(tmp_path)
    assert (first.name, second.name) == ("series 1, echo 1", "series 1, echo 2")
    assert (first.technique.te_ms, second.technique.te_ms) == (20.0, 90.0)
    assert int((read_series(second).data - read_series(first).data).max()) == 70


def change_position(move: Callable[[np.ndarray, int], np.ndarray]) -> Callable:
    def change(data, index):  # type: ignore[no-untyped-def]
        moved = move(np.array([float(v) for v in data.ImagePositionPatient]), index)
        data.ImagePositionPatient = [round(float(v), 6) for v in moved]

    return change


def refused(folder: Path) -> UserError:
    (series,) = series_in(folder)
    with pytest.raises(UserError) as raised:
        read_series(series)
    return raised.value


def test_a_missing_slice_is_named(tmp_path: Path) -> None:
    save_series(tmp_path, Making(blocks()), [0, 1, 2, 4, 5])
    error = refused(tmp_path)
    assert (error.code, error.params["count"], error.params["after"]) == ("series_slices_missing", 1, 3)


def test_uneven_distances_are_refused(tmp_path: Path) -> None:
    making = Making(blocks(), change=change_position(lambda p, i: p + np.array([0, 0, 0.4 * (i == 3)])))
    save_series(tmp_path, making)
    assert refused(tmp_path).code == "series_uneven"


def test_rounded_positions_are_not(tmp_path: Path) -> None:
    making = Making(blocks(), turned(AXIAL, 17, -8), change=change_position(lambda p, i: p.round(2)))
    save_series(tmp_path, making)
    assert value_at(only(tmp_path), making.world(0, 0, 0)) == 0


def test_a_tilted_gantry_is_refused(tmp_path: Path) -> None:
    making = Making(blocks(), change=change_position(lambda p, i: p + np.array([0, 0.5 * i, 0])))
    save_series(tmp_path, making)
    error = refused(tmp_path)
    assert error.code == "series_sheared"
    assert error.params["degrees"] == pytest.approx(np.degrees(np.arctan(0.25)), abs=0.1)


def test_copies_are_left_out_and_told(tmp_path: Path) -> None:
    making = Making(blocks())
    files = save_series(tmp_path, making)
    (tmp_path / "again").mkdir()
    for path in files[2:4]:
        (tmp_path / "again" / path.name).write_bytes(path.read_bytes())
    (series,) = series_in(tmp_path)
    notes: list[UserError] = []
    volume = read_series(series, notes=notes)
    assert volume.data.shape == (8, 10, 6)
    assert [(n.code, n.params["count"]) for n in notes] == [("series_copies", 2)]


def test_repeats_at_all_places_are_stacks_of_their_own(tmp_path: Path) -> None:
    for time, offset in ((1, 0), (2, 500)):
        making = Making(blocks() + np.int16(offset), series="1.2.3", study="1.2", place="1.4")
        for index in range(6):
            data = one_slice(making, index)
            data.TemporalPositionIdentifier = time
            save(data, tmp_path / f"{time}{index}")
    first, second = series_in(tmp_path)
    assert (first.name, second.name) == ("series 1, time 1", "series 1, time 2")
    assert int(read_series(first).data.min()) == 0
    assert int(read_series(second).data.min()) == 500


def test_a_scan_in_two_packets_is_one_stack(tmp_path: Path) -> None:
    making = Making(blocks(), change=lambda d, i: setattr(d, "AcquisitionNumber", 1 + i % 2))
    save_series(tmp_path, making)
    assert only(tmp_path).data.shape == (8, 10, 6)


def test_two_directions_in_one_series_are_two(tmp_path: Path) -> None:
    for number, frame in enumerate((AXIAL, SAGITTAL)):
        making = Making(blocks(16), frame, series="1.2.3", study="1.2", place="1.4")
        for index in range(16):
            save(one_slice(making, index), tmp_path / f"{number}{index:02d}")
    found = series_in(tmp_path)
    assert [(s.plane, s.shape, s.is_offered) for s in found] == [
        ("axial", (8, 10, 16), True),
        ("sagittal", (8, 10, 16), True),
    ]


def test_a_lone_slice_is_read_with_its_thickness(tmp_path: Path) -> None:
    save_series(tmp_path, Making(blocks(1), spacing=(1.0, 1.0, 5.0)))
    (series,) = series_in(tmp_path)
    assert series.aside is not None
    assert series.aside.code == "series_few_slices"
    assert read_series(series).grid.spacing_mm == pytest.approx((1.0, 1.0, 5.0))


@pytest.mark.parametrize(
    "values", [[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [1, 0, 0]], ids=["parallel", "zero", "short"]
)
def test_a_senseless_orientation_is_refused(tmp_path: Path, values: list[float]) -> None:
    save_series(tmp_path, Making(blocks(), tags={"ImageOrientationPatient": values}))
    assert refused(tmp_path).code == "series_no_place"


@pytest.mark.data
def test_the_ct_series_is_where_simpleitk_has_it(data_dir: Path) -> None:
    folder = data_dir / "dicom" / "ct-series-17"
    volume = only(folder)
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    array = sitk.GetArrayFromImage(image)
    rng = np.random.default_rng(3)
    for k, j, i in rng.integers(0, array.shape, (200, 3)):
        lps = np.array(image.TransformIndexToPhysicalPoint((int(i), int(j), int(k))))
        assert value_at(volume, lps * (-1, -1, 1)) == array[k, j, i]


def test_steps_that_differ_by_less_than_a_whole_one_are_uneven_and_not_missing() -> None:
    """Found by a fuzzer: the usual step is larger than the smallest one, yet no step is twice as large."""
    from brainseg_desktop.io.dicom.stacks import _unevenness

    told = _unevenness(np.array([0.0, 1.0, 2.0, 3.45, 4.9, 6.35]), "series 1")
    assert told is not None
    assert told.code == "series_uneven"
