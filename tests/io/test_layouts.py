"""Which files make a case; nothing is guessed silently, and no file is read."""

from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.layouts import CaseKind, assign, find_case, find_cases
from brainseg_desktop.io.names import NameKind, read_name

FOUR = {Sequence.T1, Sequence.T1CE, Sequence.T2, Sequence.FLAIR}


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def code_of(path):
    with pytest.raises(UserError) as caught:
        find_case(path)
    return caught.value


@pytest.mark.parametrize(
    ("stem", "sequence"),
    [
        ("BraTS2021_00006_t1", "T1"),
        ("BraTS2021_00006_t1ce", "T1CE"),
        ("BraTS-GLI-00000-000-t1c", "T1CE"),
        ("BraTS-GLI-00000-000-t1n", "T1"),
        ("BraTS-GLI-00000-000-t2f", "FLAIR"),
        ("BraTS-GLI-00000-000-t2w", "T2"),
        ("p_t2W", "T2"),
        ("p_T1Gd", "T1CE"),
        ("p_T1post", "T1CE"),
        ("p_t1-ce", "T1CE"),
        ("p_T1_contrast", "T1CE"),
        ("p_t1_gd", "T1CE"),
        ("p_T1KM", "T1CE"),
        ("p_T2_FLAIR", "FLAIR"),
        ("sub-01_ce-gadolinium_T1w", "T1CE"),
        ("sub-01_ses-1_T1w", "T1"),
        ("sub-01_FLAIR", "FLAIR"),
        ("00000057_brain_t1", "T1"),
        ("CE-001_t1", "T1"),
        ("t1", "T1"),
        ("5_t1_mprage_sag", "T1"),
        ("TCGA.AB.t1Gd", "T1CE"),
        ("UCSF-PDGM-0004_T1c_bias", "T1CE"),
        ("UPENN-GBM-00001_11_T1GD", "T1CE"),
        ("p_T1+C", "T1CE"),
        ("p T1 (post contrast)", "T1CE"),
        ("p-postT1", "T1CE"),
        ("p_T1_pre_contrast", "T1"),
        ("p_t1_nativ", "T1"),
        ("ασθενής_7_T1w", "T1"),
        ("ΑΣΘΕΝΗΣ 7 FLAIR", "FLAIR"),
        ("7_t2_tirm_tra_dark-fluid", "FLAIR"),
        ("T2W_TSE", "T2"),
    ],
)
def test_names_of_images(stem, sequence):
    said = read_name(stem)
    assert said.kind is NameKind.IMAGE
    assert said.sequence is Sequence[sequence]


@pytest.mark.parametrize(
    ("stem", "kind"),
    [
        ("BraTS2021_00006_seg", NameKind.MASK),
        ("BraTS-GLI-00000-000-seg", NameKind.MASK),
        ("W39_1998.09.19_Segm", NameKind.MASK),
        ("p_tumor_mask", NameKind.MASK),
        ("p_labels", NameKind.MASK),
        ("p_flair_seg", NameKind.MASK),
        ("sub-01_seg-AI_dseg", NameKind.MASK),
        ("p_brain_mask", NameKind.UNKNOWN),
        ("scan0001", NameKind.UNKNOWN),
        ("p_t1_in_t2", NameKind.UNKNOWN),
        ("p_t2_star", NameKind.UNKNOWN),
        ("p_T1_map", NameKind.UNKNOWN),
        ("case_0000", NameKind.UNKNOWN),
        ("UCSF-PDGM-0004_tumor_segmentation", NameKind.MASK),
    ],
)
def test_other_names(stem, kind):
    assert read_name(stem).kind is kind


def test_masks_that_name_their_reader():
    assert read_name("rater-isen-20").rater == "isen-20"
    assert read_name("case_seg-Miller_dseg").rater == "Miller"
    assert read_name("BraTS2021_00006_seg").rater is None


@pytest.mark.parametrize(
    ("name", "suffixes"),
    [
        ("BraTS20_Training_001", ("_t1.nii", "_t1ce.nii", "_t2.nii", "_flair.nii", "_seg.nii")),
        (
            "BraTS2021_00006",
            ("_t1.nii.gz", "_t1ce.nii.gz", "_t2.nii.gz", "_flair.nii.gz", "_seg.nii.gz"),
        ),
        (
            "BraTS-GLI-00000-000",
            ("-t1n.nii.gz", "-t1c.nii.gz", "-t2w.nii.gz", "-t2f.nii.gz", "-seg.nii.gz"),
        ),
        ("patient", ("_T1.NII.GZ", "_T1Gd.nii.gz", "_t2W.nii.gz", "_FLAIR.nii", "_Seg.nii.gz")),
    ],
)
def test_brats_folders(tmp_path, name, suffixes):
    folder = touch(tmp_path / name, *[name + s for s in suffixes])
    case = find_case(folder)
    assert case.name == name
    assert set(case.images) == FOUR
    assert [p.name for p in case.masks] == [name + suffixes[-1]]
    assert case.unassigned == ()
    assert case.notes == ()
    # The folder around it, and one more around that, hold exactly this case.
    assert find_case(tmp_path) == case


def test_bids(tmp_path):
    touch(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_ce-gadolinium_T1w.nii.gz",
        "sub-01/anat/sub-01_FLAIR.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_T2w.nii.gz",
        "dataset_description.json",
    )
    cases = find_cases(tmp_path)
    assert [c.name for c in cases] == ["sub-01", "sub-02_ses-1_T2w"]
    assert set(cases[0].images) == {Sequence.T1, Sequence.T1CE, Sequence.FLAIR}


def test_missing_sequences_are_allowed_and_readers_come_after_the_reference(tmp_path):
    touch(
        tmp_path / "c",
        "c_flair.nii.gz",
        "c_seg-Miller_dseg.nii.gz",
        "c_seg.nii.gz",
        "c_seg.json",
        ".x_t1.nii",
    )
    case = find_case(tmp_path / "c")
    assert set(case.images) == {Sequence.FLAIR}
    assert [p.name for p in case.masks] == ["c_seg.nii.gz", "c_seg-Miller_dseg.nii.gz"]


def test_two_files_for_one_sequence_are_left_to_the_user(tmp_path):
    touch(tmp_path / "c", "c_t1.nii.gz", "c_t1.nii", "c_flair.nii.gz")
    case = find_case(tmp_path / "c")
    assert set(case.images) == {Sequence.FLAIR}
    assert len(case.unassigned) == 2
    assert [n.code for n in case.notes] == ["sequence_claimed_twice"]
    by_hand = assign(
        [tmp_path / "c" / n for n in ("c_t1.nii.gz", "c_t1.nii")], {tmp_path / "c/c_t1.nii": Sequence.T1}
    )
    assert by_hand.images == {Sequence.T1: tmp_path / "c/c_t1.nii"}
    assert by_hand.unassigned == (tmp_path / "c/c_t1.nii.gz",)


def test_by_hand(tmp_path):
    touch(tmp_path, "a.nii", "b.nii", "x_t1.nii")
    a, b, x = (tmp_path / n for n in ("a.nii", "b.nii", "x_t1.nii"))
    assert assign([a, b, x]).unassigned == (a, b)
    case = assign([a, b, x], {a: Sequence.FLAIR, b: None, x: Sequence.T2})
    assert dict(case.images) == {Sequence.FLAIR: a, Sequence.T2: x}
    assert case.masks == (b,)


def test_a_single_file_stands_alone(tmp_path):
    touch(tmp_path, "p_t1.nii.gz", "p_t2.nii.gz", "p_seg.nii.gz")
    case = find_case(tmp_path / "p_t1.nii.gz")
    assert dict(case.images) == {Sequence.T1: tmp_path / "p_t1.nii.gz"}
    assert case.masks == ()
    assert case.name == "p_t1"


def test_several_cases(tmp_path):
    for name in ("case_b", "case_a"):
        touch(tmp_path / "train" / name, f"{name}_t1.nii.gz", f"{name}_flair.nii.gz")
    touch(tmp_path / "masks", "x_seg.nii.gz", "y_seg.nii.gz")
    error = code_of(tmp_path)
    assert error.code == "folder_of_cases"
    assert error.params["cases"] == ["case_a", "case_b"]
    assert [c.name for c in find_cases(tmp_path)] == ["case_a", "case_b"]


def test_several_cases_in_one_flat_folder(tmp_path):
    for name in ("p1", "p10"):
        touch(tmp_path, *[f"{name}_{s}.nii.gz" for s in ("t1", "flair", "seg")])
    cases = find_cases(tmp_path)
    assert [c.name for c in cases] == ["p1", "p10"]
    assert [len(c.masks) for c in cases] == [1, 1]


def test_slices(tmp_path):
    folder = touch(
        tmp_path / "TCGA_A_1", *[f"TCGA_A_1_{k}{m}.tif" for k in (1, 2, 10) for m in ("", "_mask")]
    )
    case = find_case(folder)
    assert case.kind is CaseKind.SLICES
    assert case.name == "TCGA_A_1"
    assert set(case.images) == {Sequence.T1, Sequence.FLAIR, Sequence.T1CE}
    assert case.masks == (folder,)
    one = find_case(folder / "TCGA_A_1_2.tif")
    assert one.images == case.images
    assert [n.code for n in one.notes] == ["whole_folder_taken"]


def test_nothing_there(tmp_path):
    assert code_of(tmp_path).code == "case_not_found"
    assert code_of(tmp_path / "none").code == "file_missing"
    touch(tmp_path, "notes.txt")
    assert code_of(tmp_path).code == "case_not_found"
    assert code_of(tmp_path / "notes.txt").code == "not_nifti"
    touch(tmp_path / "out", "p_seg.nii.gz")
    assert code_of(tmp_path / "out").code == "case_not_found"


def test_a_deep_tree_with_links_in_circles_and_folders_of_systems(tmp_path):
    touch(
        tmp_path,
        "a/b/c/d/e/one/one_t1.nii",
        "two/two_flair.nrrd",
        ".hidden/x_t1.nii",
        "$RECYCLE.BIN/x_t1.nii",
    )
    (tmp_path / "a" / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "two", target_is_directory=True)
    notes = []
    assert sorted(c.name for c in find_cases(tmp_path, notes)) in (["one", "two"], ["again", "one"])
    assert notes == []
    assert {c.kind for c in find_cases(tmp_path)} == {CaseKind.NIFTI, CaseKind.NRRD}


def test_images_without_names_do_not_hide_the_cases_below(tmp_path):
    touch(tmp_path, "scan.nii", "one/one_t1.nii", "two/two_t1.nii")
    assert [c.name for c in find_cases(tmp_path)] == ["one", "two"]


def test_channels_are_named_by_the_data_set(tmp_path):
    touch(tmp_path, "imagesTr/p_1_0000.nii.gz", "imagesTr/p_1_0001.nii.gz")
    touch(tmp_path, "imagesTr/p_2_0000.nii.gz", "imagesTr/p_2_0001.nii.gz")
    assert all(not c.images for c in find_cases(tmp_path))
    (tmp_path / "dataset.json").write_text('{"channel_names": {"0": "FLAIR", "1": "t1gd"}}')
    cases = find_cases(tmp_path)
    assert [c.name for c in cases] == ["p_1", "p_2"]
    assert cases[0].images[Sequence.T1CE].name == "p_1_0001.nii.gz"


def test_copies_with_the_bias_removed_claim_nothing(tmp_path):
    touch(
        tmp_path / "c",
        "c_T1.nii.gz",
        "c_T1_bias.nii.gz",
        "c_FLAIR_bias.nii.gz",
        "c_T2_bias.nii.gz",
        "c_T2.nii.gz",
    )
    case = find_case(tmp_path / "c")
    assert {p.name for p in case.images.values()} == {"c_T1.nii.gz", "c_FLAIR_bias.nii.gz", "c_T2.nii.gz"}
    assert case.notes == ()
