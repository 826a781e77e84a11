"""Opening a case: what is there is shown, what is wrong is said, and a bad mask costs no images."""

import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.reslice import value_at
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.layouts import assign, find_case
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services import opening
from brainseg_desktop.services.check import check
from brainseg_desktop.services.export import export_rating
from brainseg_desktop.services.messages import SENTENCES, words

DATA = Path(os.environ.get("BRAINSEG_DATA", Path(__file__).parents[3] / "shared" / "data"))
SHAPE = (6, 7, 5)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def make_case(
    folder: Path, name="BraTS2021_00001", sequences=("t1", "t1ce", "t2", "flair"), values=(1, 2, 4)
):
    folder = folder / name
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for sequence in sequences:
        data = random.integers(0, 900, SHAPE).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(data, LPS), folder / f"{name}_{sequence}.nii.gz")
    if values is not None:
        save_mask(folder / f"{name}_seg.nii.gz", values)
    return folder


def save_mask(path, values, shape=SHAPE, affine=LPS):
    numbers = np.zeros(shape, np.uint8)
    for i, value in enumerate(values):
        numbers[i, : i + 2] = value
    nibabel.save(nibabel.Nifti1Image(numbers, affine), path)
    return path


def opened(folder, **more):
    return opening.open_case(find_case(folder), **more)


def test_a_whole_case(tmp_path):
    folder = make_case(tmp_path)
    result = opened(folder)
    case = result.case
    assert case.name == "BraTS2021_00001"
    assert set(case.volumes) == set(Sequence)
    assert [(r.rater, r.kind, r.scheme.name) for r in case.ratings] == [
        ("Reference", RaterKind.REFERENCE, "brats2021")
    ]
    expected = nibabel.as_closest_canonical(nibabel.load(folder / "BraTS2021_00001_seg.nii.gz")).dataobj
    np.testing.assert_array_equal(
        case.ratings[0].scheme.encode(case.ratings[0].label_map.array), np.asanyarray(expected)
    )
    assert [n.code for n in result.notes] == ["scheme_by_name"]
    assert result.problems == ()


def test_missing_sequences_are_named(tmp_path):
    case = opened(make_case(tmp_path, sequences=("flair", "t1"))).case
    assert case.missing == (Sequence.T1CE, Sequence.T2)


def save_image(path, shape=SHAPE, affine=LPS, code=2):
    image = nibabel.Nifti1Image(np.random.default_rng(1).integers(0, 900, shape).astype(np.int16), affine)
    image.set_sform(affine, code)
    image.set_qform(affine if code else None, code)
    nibabel.save(image, path)


def shifted(mm, spacing=1.0):
    affine = LPS * [spacing, spacing, spacing, 1.0]
    affine[:3, 3] = mm
    return affine


OTHER_GRIDS = [
    ((6, 7, 6), LPS, "shape"),
    (SHAPE, np.diag([-1.0, -1.0, 2.0, 1.0]), "spacing"),
    (SHAPE, nibabel.affines.from_matvec(nibabel.eulerangles.euler2mat(0.2) @ LPS[:3, :3]), "orientation"),
    (SHAPE, shifted((2, 0, 0)), "position"),
]


@pytest.mark.parametrize(("shape", "affine", "reason"), OTHER_GRIDS)
def test_a_sequence_on_another_grid_is_opened_and_told(tmp_path, shape, affine, reason):
    folder = make_case(tmp_path)
    path = folder / "BraTS2021_00001_t2.nii.gz"
    save_image(path, shape, affine)
    result = opened(folder)
    case = result.case
    assert set(case.volumes) == set(Sequence)
    assert set(case.aligned) == {Sequence.T1, Sequence.T1CE, Sequence.FLAIR}
    assert [case.is_aligned(s) for s in (Sequence.T2, Sequence.T1)] == [False, True]
    assert dict(case.off_grid) == {Sequence.T2: reason}
    assert case.missing == ()
    (note,) = [n for n in result.notes if n.code == "sequence_off_grid"]
    assert note.params == {
        "path": path,
        "sequence": "T2",
        "reason": reason,
        "masks_on": ["T1", "T1CE", "FLAIR"],
    }
    for said in ("T2", reason, "T1, T1CE, FLAIR", path.name):
        assert said in words(note)
    np.testing.assert_array_equal(
        case.volumes[Sequence.T2].data, nibabel.as_closest_canonical(nibabel.load(path)).dataobj
    )


def test_a_sequence_elsewhere_in_the_world_is_refused(tmp_path):
    folder = make_case(tmp_path)
    path = folder / "BraTS2021_00001_t2.nii.gz"
    save_image(path, SHAPE, shifted((6.1, 0, 0)))
    with pytest.raises(UserError) as caught:
        opened(folder)
    assert caught.value.code == "grid_mismatch"
    assert caught.value.params == {"path": path, "sequence": "T2", "reason": "position"}


@pytest.mark.parametrize("code", [0, 3, 4])
def test_millimetres_of_different_spaces_are_not_mixed(tmp_path, code):
    """No stated position, or one in a standard brain: where the two lie to each other is not known."""
    folder = make_case(tmp_path)
    path = folder / "BraTS2021_00001_t2.nii.gz"
    save_image(path, (6, 7, 9), LPS, code)
    with pytest.raises(UserError) as caught:
        opened(folder)
    assert (caught.value.code, caught.value.params["path"]) == ("place_unknown", path)
    assert "T2" in words(caught.value)


def test_the_grid_is_that_of_most_sequences(tmp_path):
    folder = make_case(tmp_path, values=None)
    save_image(folder / "BraTS2021_00001_flair.nii.gz", (6, 7, 9))
    case = opened(folder).case
    assert case.grid.shape == SHAPE
    assert list(case.off_grid) == [Sequence.FLAIR]
    assert opening.grid_volume(case).sequence is Sequence.T1CE
    # Two and two: the pair with FLAIR.
    save_image(folder / "BraTS2021_00001_t1.nii.gz", (6, 7, 9))
    case = opened(folder).case
    assert case.grid.shape == (6, 7, 9)
    assert set(case.aligned) == {Sequence.T1, Sequence.FLAIR}
    assert opening.grid_volume(case).sequence is Sequence.FLAIR


@pytest.mark.parametrize("name", ["BraTS2021_00001", "patient"])
def test_the_grid_is_that_of_the_mask_beside(tmp_path, name):
    folder = make_case(tmp_path, name, values=None)
    save_image(folder / f"{name}_t2.nii.gz", (6, 7, 9))
    save_mask(folder / f"{name}_seg.nii.gz", (1, 2, 4), shape=(6, 7, 9))
    result = opened(folder)
    case = result.case
    assert case.grid.shape == (6, 7, 9)
    assert list(case.aligned) == [Sequence.T2]
    assert len([n for n in result.notes if n.code == "sequence_off_grid"]) == 3
    if name == "patient":
        # Nobody has said yet what its numbers mean; when they do, it must fit.
        (problem,) = result.problems
        rating, _ = opening.read_rating(case, problem.params["path"], scheme_named("brats2021"))
        assert rating.label_map.shape == (6, 7, 9)
    else:
        assert case.ratings[0].label_map.shape == (6, 7, 9)


def test_a_mask_is_written_on_the_grid_it_was_drawn_on(tmp_path):
    folder = make_case(tmp_path, values=None)
    save_image(folder / "BraTS2021_00001_flair.nii.gz", (6, 7, 9), shifted((1, 0, 0)))
    case = opened(folder).case
    rating = opening.new_rating(case, "Reader")
    with rating.history.edit("Brush") as stroke:
        stroke.replace(Box((1, 2, 3), (2, 3, 4)), np.full((1, 1, 1), Tissue.OEDEMA, np.uint8))
    written = nibabel.load(export_rating(case, rating, tmp_path / "out.nii.gz").path)
    assert written.shape == SHAPE
    np.testing.assert_array_equal(written.affine, LPS)
    (voxel,) = np.argwhere(np.asarray(written.dataobj))
    np.testing.assert_allclose(nibabel.affines.apply_affine(LPS, voxel), case.grid.world_of((1, 2, 3)))


def test_check_names_the_sequences_on_other_grids(tmp_path):
    folder = make_case(tmp_path)
    (sound,) = check(folder)
    assert sound.to_dict()["other_grids"] == {}
    save_image(folder / "BraTS2021_00001_t2.nii.gz", (6, 7, 9))
    (found,) = check(folder)
    assert found.is_sound
    assert found.to_dict()["other_grids"] == {"T2": "shape"}
    assert any("T2" in note and "grid" in note for note in found.notes)


def test_a_bad_mask_costs_no_images(tmp_path):
    folder = make_case(tmp_path, values=None)
    seg = folder / "BraTS2021_00001_seg.nii.gz"
    save_mask(seg, (1,), shape=(6, 7, 4))
    result = opened(folder)
    assert [p.code for p in result.problems] == ["mask_grid_mismatch"]
    assert result.case.ratings == []
    save_mask(seg, (1, 9))
    assert [p.code for p in opened(folder).problems] == ["label_outside_scheme"]
    seg.write_bytes(seg.read_bytes()[:40])
    assert [p.code for p in opened(folder).problems] == ["file_truncated"]


def test_an_ambiguous_mask_is_asked_and_then_read(tmp_path):
    folder = make_case(tmp_path, name="patient", values=(1, 2, 4))
    result = opened(folder)
    (problem,) = result.problems
    assert problem.code == "scheme_ambiguous"
    rating, why = opening.read_rating(result.case, problem.params["path"], scheme_named("brats2024"))
    assert (rating.rater, why.code) == ("Reference", "scheme_given")
    assert Tissue.CAVITY in rating.label_map.array
    assert result.case.ratings == []
    assert opened(folder, scheme=scheme_named("brats2021")).case.ratings[0].scheme.name == "brats2021"


def test_several_masks_keep_their_names(tmp_path):
    folder = make_case(tmp_path)
    save_mask(folder / "BraTS2021_00001_seg-Miller_dseg.nii.gz", (1, 2))
    save_mask(folder / "BraTS2021_00001_other_seg.nii.gz", (4,))
    assert {(r.rater, r.kind) for r in opened(folder).case.ratings} == {
        ("Reference", RaterKind.REFERENCE),
        ("Miller", RaterKind.HUMAN),
        ("BraTS2021_00001_other_seg", RaterKind.REFERENCE),
    }


def test_nothing_to_open(tmp_path):
    folder = make_case(tmp_path, values=None)
    nameless = folder / "scan.nii.gz"
    (folder / "BraTS2021_00001_t1.nii.gz").rename(nameless)
    with pytest.raises(UserError, match="sequences_unassigned"):
        opening.open_case(assign([nameless]))
    with pytest.raises(UserError, match="case_empty"):
        opening.open_case(assign([]))


def test_new_ratings(tmp_path):
    case = opened(make_case(tmp_path)).case
    blank = opening.new_rating(case, "Reader")
    assert blank not in case.ratings
    assert not blank.label_map.array.any()
    assert blank.scheme.name == "brats2021"
    case.ratings.append(blank)
    copy = opening.new_rating(case, "Reader", like=case.ratings[0])
    assert (copy.rater, copy.kind) == ("Reader 2", RaterKind.HUMAN)
    np.testing.assert_array_equal(copy.label_map.array, case.ratings[0].label_map.array)
    assert copy.details["started_from"]["rater"] == "Reference"


def test_default_scheme_without_masks(tmp_path):
    assert opening.default_scheme(opened(make_case(tmp_path, values=None)).case).name == "brats2021"
    assert opening.default_scheme(opened(make_case(tmp_path, "p", values=None)).case).name == "brats2023"


def test_slices(tmp_path):
    folder = tmp_path / "TCGA_A_1"
    folder.mkdir()
    for k in range(1, 21):
        picture = np.full((8, 10, 3), k, np.uint8)
        tifffile.imwrite(folder / f"TCGA_A_1_{k}.tif", picture, photometric="rgb")
        tifffile.imwrite(folder / f"TCGA_A_1_{k}_mask.tif", np.full((8, 10), 255 * (k == 3), np.uint8))
    result = opened(folder)
    assert result.case.missing == (Sequence.T2,)
    assert not result.case.grid.spacing_known
    assert sorted(n.code for n in result.notes) == ["channel_is_copy", "channel_is_copy", "scheme_by_slices"]
    assert int((result.case.ratings[0].label_map.array == Tissue.TUMOUR).sum()) == 80
    assert opening.new_rating(result.case, "Reader").scheme.name == "lgg"
    assert opening.load_mask(folder).tissues.shape == (10, 8, 20)


def test_every_code_has_a_sentence():
    package = Path(opening.__file__).parents[1]
    for module in [*package.glob("io/*.py"), *package.glob("core/*.py"), *package.glob("services/[eor]*.py")]:
        for line in module.read_text().split("UserError(")[1:]:
            code = line.lstrip().split('"')[1] if line.lstrip().startswith('"') else None
            assert code is None or code in SENTENCES, f"{module.name}: {code}"
    assert "12" in words(UserError("slice_missing", path=Path("x"), numbers=[12], what="mask"))


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real cases at {DATA}")
def test_real_images_of_several_grids():
    """Of one head on grids of 4 mm, 4 x 4 x 8 mm (another field of view): each keeps its own place."""
    folder = DATA / "geometry"
    names = {"reoriented_anat_moved.nii": Sequence.T1, "resampled_anat_moved.nii": Sequence.T2}
    files = {folder / name: sequence for name, sequence in names.items()}
    case = opening.open_case(assign(files, files)).case
    # FLAIR and T1CE are not there, so T2 comes first.
    assert list(case.aligned) == [Sequence.T2]
    assert dict(case.off_grid) == {Sequence.T1: "shape"}
    for path, sequence in files.items():
        image = nibabel.as_closest_canonical(nibabel.load(path))
        middle = np.array(image.shape) // 2
        place = nibabel.affines.apply_affine(image.affine, middle)
        volume = case.volumes[sequence]
        voxel = case.grid.voxel_of(place)
        assert value_at(volume, case.grid, voxel) == pytest.approx(float(image.dataobj[tuple(middle)]))


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real cases at {DATA}")
def test_real_cases():
    result = opened(DATA / "brats" / "BraTS2021_00006")
    assert result.case.grid.shape == (240, 240, 155)
    assert result.case.missing == ()
    assert result.problems == ()
    raters = opened(DATA / "raters" / "TCGA-DU-7294", scheme=scheme_named("brats2021")).case
    assert len(raters.ratings) == 5
    assert all(r.label_map.array.any() for r in raters.ratings)


def test_a_sidecar_of_ours_says_who_and_how(tmp_path):
    folder = make_case(tmp_path, name="p", values=None)
    path = save_mask(folder / "p_seg.nii.gz", (1, 2, 4))
    digest = opening.load_mask(path, scheme_named("brats2024")).source.sha256
    (folder / "p_seg.json").write_text(
        json.dumps(
            {
                "program": "BrainSeg Desktop",
                "sha256": digest,
                "scheme": "brats2024",
                "rater": "AI (glioma-unet)",
                "kind": "model",
                "details": {"model": "glioma-unet"},
            }
        )
    )
    (rating,) = opened(folder).case.ratings
    assert (rating.rater, rating.kind, rating.scheme.name) == (
        "AI (glioma-unet)",
        RaterKind.MODEL,
        "brats2024",
    )
    assert rating.details == {"model": "glioma-unet"}
