"""The command line as another program sees it: JSON on stdout, one sentence on stderr, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from brainseg_desktop import __version__
from brainseg_desktop.cli import Front, run
from brainseg_desktop.services.exporting.forms import form_named
from brainseg_desktop.services.exporting.job import job_for
from brainseg_desktop.services.exporting.run import write_form
from brainseg_desktop.services.paths import user_models_dir
from tests.dicom_example import example, oblique
from tests.exporting_example import octants
from tests.inference.tiny import network_table, onnx_bytes, random_layers, write_card, write_tiny

SCORES = {"dice", "iou", "precision", "sensitivity", "specificity", "hd95_mm", "assd_mm", "surface_dice"}


def _no_window(*_: object) -> int:
    raise AssertionError("no window is wanted here")


FRONT = Front(open_window=_no_window, measure_window=_no_window)


def call(*arguments: object) -> int:
    return run([str(a) for a in arguments], FRONT)


def call_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert call(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def mended(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line said about something the user can mend."""
    assert call(*arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from brainseg_desktop.cli import run; run(['--help'], None);"
        "print([m for m in ('numpy', 'torch', 'PySide6', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in (
        "open",
        "segment",
        "compare",
        "export",
        "check",
        "train",
        "evaluate",
        "models",
        "bench",
        "selftest",
    ):
        assert f"\n  {command} " in done.stdout
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_entry_point_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "brainseg_desktop", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("brainseg, version ")


def test_no_arguments_open_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    from brainseg_desktop import __main__ as door

    opened: list[tuple[Path, ...]] = []
    monkeypatch.setattr(sys, "argv", ["brainseg"])
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr(door, "_open_window", lambda paths: opened.append(paths) or 0)
    with pytest.raises(SystemExit) as ended:
        door.main()
    assert (ended.value.code, opened) == (0, [()])


@pytest.mark.parametrize("program", ["brainseg-desktop", "brainseg open"])
def test_files_are_handed_to_the_window(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    """As desktops pass them: several, as addresses, from a folder with spaces and umlauts; and relative."""
    from brainseg_desktop import __main__ as door

    opened: list[tuple[Path, ...]] = []
    folder = tmp_path / "Bürger, Ä 100%"
    folder.mkdir()
    monkeypatch.chdir(folder)
    name, *command = program.split()
    files = [(folder / "t1 x.nii.gz").as_uri(), str(folder / "gone.nii"), "flair.nii", ""]
    monkeypatch.setattr(sys, "argv", [name, *command, *files])
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr(door, "_open_window", lambda paths: opened.append(paths) or 0)
    with pytest.raises(SystemExit) as ended:
        (door.main if command else door.main_windowed)()
    assert ended.value.code == 0
    assert opened == [(folder / "t1 x.nii.gz", folder / "gone.nii", folder / "flair.nii")]


@pytest.mark.parametrize(("option", "said"), [("--version", __version__), ("--help", "[FILE]...")])
def test_the_windowed_program_tells_of_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str, said: str
) -> None:
    from brainseg_desktop import __main__ as door

    monkeypatch.setattr(sys, "argv", ["brainseg-desktop", option])
    monkeypatch.setattr(door, "_open_window", lambda paths: pytest.fail("a window was opened"))
    with pytest.raises(SystemExit) as ended:
        door.main_windowed()
    assert ended.value.code == 0
    assert said in capsys.readouterr().out


def test_the_windowed_program_passes_over_what_macos_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    from brainseg_desktop.cli import run_windowed

    opened: list[tuple[Path, ...]] = []
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    front = Front(lambda paths: opened.append(paths) or 0, _no_window)
    assert run_windowed(["-psn_0_98325"], front) == 0
    assert opened == [()]


def test_open_without_a_display_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sample_dir: Path
) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform == "linux":
        assert "no display" in mended(capsys, "open", sample_dir)


def test_segment_writes_the_mask_on_the_native_grid(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    [entry] = call_json(capsys, "segment", small_case, "-o", tmp_path / "out")["cases"]
    assert set(entry) == {
        "case",
        "model",
        "device",
        "seconds",
        "scheme",
        "volumes_ml",
        "output",
        "uncertainty",
        "notes",
        "alignment",
        "outside",
        "error",
        "status",
    }
    assert entry["status"] == "done"
    assert entry["uncertainty"] is None
    assert (entry["case"], entry["model"], entry["error"]) == ("BraTS2021_77777", "glioma-unet", None)
    assert entry["scheme"] == "brats2021"
    assert entry["volumes_ml"]["WT"] >= entry["volumes_ml"]["TC"] >= entry["volumes_ml"]["ET"] > 0
    output = Path(entry["output"])
    assert output == tmp_path / "out" / "BraTS2021_77777_seg.nii.gz"
    mask, image = nibabel.load(output), nibabel.load(small_case / "BraTS2021_77777_flair.nii.gz")
    assert mask.shape == image.shape
    assert np.array_equal(mask.affine, image.affine)
    values = np.asarray(mask.dataobj)
    assert set(np.unique(values)) <= {0, 1, 2, 4}
    whole_ml = np.count_nonzero(values) * abs(np.linalg.det(image.affine[:3, :3])) / 1000
    assert whole_ml == pytest.approx(entry["volumes_ml"]["WT"], abs=0.01)
    sidecar = json.loads(output.with_name("BraTS2021_77777_seg.json").read_text())
    assert sidecar["details"]["model"] == "glioma-unet"


def test_segment_finds_the_tumour(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    assert call("segment", small_case, "-o", tmp_path) == 0
    capsys.readouterr()
    reference = small_case / "BraTS2021_77777_seg.nii.gz"
    report = call_json(capsys, "compare", reference, tmp_path / "BraTS2021_77777_seg.nii.gz")
    assert report["regions"]["WT"]["dice"]["value"] > 0.5


def test_segment_writes_the_scheme_asked_for(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    (small_case / "BraTS2021_77777_seg.nii.gz").unlink()
    [entry] = call_json(capsys, "segment", small_case, "-o", tmp_path / "out")["cases"]
    assert entry["scheme"] == "brats2023"
    [entry] = call_json(capsys, "segment", small_case, "-o", tmp_path / "out", "--scheme", "lgg")["cases"]
    assert set(np.unique(np.asarray(nibabel.load(entry["output"]).dataobj))) == {0, 1}


def test_segment_takes_single_files_and_names_the_mask_after_flair(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    flair, t1 = (small_case / f"BraTS2021_77777_{name}.nii.gz" for name in ("flair", "t1"))
    flair = flair.rename(small_case / "scan7.nii.gz")
    [entry] = call_json(capsys, "segment", "--flair", flair, "--t1", t1, "-o", tmp_path / "out")["cases"]
    assert Path(entry["output"]).name == "scan7_seg.nii.gz"


def test_one_bad_case_does_not_stop_the_rest(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert call("segment", empty, small_case, "-o", tmp_path / "out", "--json") == 2
    said = capsys.readouterr()
    bad, good = json.loads(said.out)["cases"]
    assert str(empty) in bad["error"]
    assert bad["output"] is None
    assert (good["error"], Path(good["output"]).exists()) == (None, True)
    assert len([line for line in said.err.splitlines() if line.startswith("brainseg: ")]) == 1


def test_two_cases_of_one_name_do_not_overwrite_each_other(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    assert call("segment", small_case, small_case, "-o", tmp_path / "out", "--json") == 2
    first, second = json.loads(capsys.readouterr().out)["cases"]
    assert first["error"] is None
    assert "already written" in second["error"]


def test_faults_of_a_case_are_one_sentence(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    flair = small_case / "BraTS2021_77777_flair.nii.gz"
    flair.write_bytes(flair.read_bytes()[:3000])
    assert call("segment", small_case, "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert str(flair) in error
    assert "cut short" in error
    assert not list((tmp_path / "out").iterdir())


def test_segment_refuses_an_output_that_is_a_file(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "out"
    taken.write_text("mine")
    assert str(taken) in mended(capsys, "segment", small_case, "-o", taken)
    assert str(taken) in mended(capsys, "segment", small_case, "-o", taken / "below")
    assert taken.read_text() == "mine"


def test_segment_never_overwrites_the_reference(capsys: pytest.CaptureFixture[str], small_case: Path) -> None:
    reference = small_case / "BraTS2021_77777_seg.nii.gz"
    before = reference.read_bytes()
    assert call("segment", small_case, "-o", small_case) == 2
    assert str(reference) in capsys.readouterr().err
    assert reference.read_bytes() == before


def test_segment_without_a_sound_network_says_so(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    assert "glioma-unet" in mended(capsys, "segment", small_case, "-o", tmp_path, "--model", "other")
    bundled = Path(__file__).parents[1] / "models" / "glioma-unet"
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.toml").write_bytes((bundled / "model.toml").read_bytes())
    [first, *_] = sorted(p.name for p in bundled.glob("*.onnx"))
    assert ".onnx is missing" in mended(capsys, "segment", small_case, "-o", tmp_path, "--model", broken)
    for weights in bundled.glob("*.onnx"):
        (broken / weights.name).write_bytes(weights.read_bytes())
    (broken / first).write_bytes((bundled / first).read_bytes()[:-1] + b"?")
    assert "sha256" in mended(capsys, "segment", small_case, "-o", tmp_path, "--model", broken)


def test_a_network_of_the_user_s_own_outlines_by_its_name(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    write_tiny(user_models_dir() / "mine", name="mine")
    [entry] = call_json(capsys, "segment", small_case, "-o", tmp_path, "--model", "mine")["cases"]
    assert (entry["model"], entry["error"]) == ("mine", None)


def test_a_network_for_another_kind_of_exam_is_refused_in_words(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "heads"
    folder.mkdir()
    (folder / "h.onnx").write_bytes(onnx_bytes(random_layers(4, 1, seed=1)))
    write_card(folder, network_table(folder, "h.onnx", ["whole_head"], ["WT"]), name="heads")
    assert call("segment", small_case, "-o", tmp_path / "out", "--model", folder) == 2
    assert "The network heads knows only whole heads" in capsys.readouterr().err


def test_uncertainty_is_written_on_the_native_grid(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    [entry] = call_json(capsys, "segment", small_case, "-o", tmp_path / "out", "--uncertainty")["cases"]
    path = Path(entry["uncertainty"])
    assert path == tmp_path / "out" / "BraTS2021_77777_uncertainty.nii.gz"
    image, flair = nibabel.load(path), nibabel.load(small_case / "BraTS2021_77777_flair.nii.gz")
    assert np.array_equal(image.affine, flair.affine)
    bits = image.get_fdata()
    assert bits.shape == flair.shape
    assert bits.min() == 0
    assert 0.5 < bits.max() <= 1 + 1e-6  # 255 times a slope in single precision
    # Doubt is at the edge of the mask, none is in the corners.
    mask = np.asarray(nibabel.load(entry["output"]).dataobj) > 0
    edge = mask & ~ndimage.binary_erosion(mask)
    assert bits[edge].mean() > bits[~mask].mean() + 0.1
    assert not bits[:10, :10].any()
    sidecar = json.loads(Path(entry["output"]).with_name("BraTS2021_77777_seg.json").read_text())
    assert sidecar["details"]["mean_uncertainty_bits"] == pytest.approx(bits[mask].mean(), abs=0.01)


def test_models_are_listed_with_figures_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    write_tiny(user_models_dir() / "mine")
    (user_models_dir() / "wrong.pt").write_bytes(b"")
    told = call_json(capsys, "models")
    assert told["own_folder"] == str(user_models_dir())
    bundled, mine, wrong = told["models"]
    assert (bundled["name"], bundled["own"], bundled["problem"]) == ("glioma-unet", False, None)
    assert {kind for n in bundled["networks"] for kind in n["kinds"]} == {"whole_head", "skull_stripped"}
    assert all({"n", "dice", "low", "high"} <= set(f) for n in bundled["networks"] for f in n["figures"])
    assert (mine["name"], mine["own"], mine["version"]) == ("mine", True, "0.0.1")
    assert "pickled" in wrong["problem"]
    assert call("models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["Name", "Version", "Exams"]
    assert sum(line.startswith("glioma-unet") for line in lines) == 2
    assert any(line.startswith("Not usable: wrong.pt.") for line in lines)
    assert str(user_models_dir()) in lines[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment", "-o", "out"),
        ("segment", "a", "--t1", "b", "-o", "out"),
        ("compare", "missing.nii.gz", "missing.nii.gz"),
        ("export", "missing.nii.gz", "--like", "missing.nii.gz", "--to", "nifti", "-o", "x.nii.gz"),
        ("export", "missing.nii.gz", "--like", "missing.nii.gz", "--to", "stl", "-o", "x.stl"),
        ("train", "missing.toml"),
        ("evaluate", "glioma-unet", "missing"),
    ],
)
def test_what_the_user_can_mend_is_one_line(
    arguments: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    mended(capsys, *arguments)


def test_wrong_usage_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("segment") == 2
    assert call("no-such-command") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_exits_with_one_and_a_traceback_only_with_debug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sample_dir: Path
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("brainseg_desktop.services.check.check", fail)
    assert call("check", sample_dir) == 1
    assert "oops" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        call("check", sample_dir, "--debug")


def test_compare_gives_every_score_with_state_and_unit(
    capsys: pytest.CaptureFixture[str], sample_dir: Path
) -> None:
    masks = (sample_dir / "sample_seg.nii.gz", sample_dir / "sample_seg-reader2.nii.gz")
    report = call_json(capsys, "compare", *masks)
    assert report["scheme"] == "brats2021"
    assert set(report["regions"]) == {"WT", "TC", "ET"} == set(report["lesion_wise"])
    for scores in report["regions"].values():
        assert set(scores) >= SCORES
        assert all(set(scores[name]) == {"value", "state", "unit"} for name in SCORES)
        assert len(scores["volume_ml"]) == 2
    assert 0.75 < report["regions"]["WT"]["dice"]["value"] < 0.9
    assert call("compare", *masks) == 0
    assert "Dice" in capsys.readouterr().out.splitlines()[0]


def test_compare_refuses_masks_of_two_images(
    capsys: pytest.CaptureFixture[str], sample_dir: Path, small_case: Path
) -> None:
    line = mended(
        capsys, "compare", sample_dir / "sample_seg.nii.gz", small_case / "BraTS2021_77777_seg.nii.gz"
    )
    assert "BraTS2021_77777_seg.nii.gz" in line


def test_a_mask_that_could_mean_two_things_is_asked_about(
    capsys: pytest.CaptureFixture[str], sample_dir: Path, tmp_path: Path
) -> None:
    lonely = tmp_path / "mask.nii.gz"
    lonely.write_bytes((sample_dir / "sample_seg.nii.gz").read_bytes())
    line = mended(capsys, "compare", lonely, lonely)
    assert "--scheme" in line
    assert call("compare", lonely, lonely, "--scheme", "brats2021") == 0
    # Beside a mask whose scheme is known there is nothing to ask.
    assert call("compare", sample_dir / "sample_seg.nii.gz", lonely) == 0


def test_check_tells_what_is_there(
    capsys: pytest.CaptureFixture[str], sample_dir: Path, small_case: Path, tmp_path: Path
) -> None:
    [result] = call_json(capsys, "check", sample_dir)["results"]
    assert result["opens"]
    assert result["sequences"] == ["T1", "T1CE", "T2", "FLAIR"]
    assert result["masks"] == {"Reference": "brats2021", "Reader 2": "brats2021"}
    assert result["spacing_mm"] == [1.0, 1.0, 1.5]
    (small_case / "BraTS2021_77777_t2.nii.gz").unlink()
    [result] = call_json(capsys, "check", small_case)["results"]
    assert result["missing"] == ["T2"]
    assert call("check", tmp_path / "nowhere") == 2
    assert "does not exist" in capsys.readouterr().out


def test_export_writes_what_was_read(
    capsys: pytest.CaptureFixture[str], sample_dir: Path, tmp_path: Path
) -> None:
    mask, image = sample_dir / "sample_seg.nii.gz", sample_dir / "sample_flair.nii.gz"
    target = tmp_path / "copy.nii.gz"
    assert call("export", mask, "--like", image, "--to", "nifti", "-o", target) == 0
    assert str(target) in capsys.readouterr().out
    written, original = nibabel.load(target), nibabel.load(mask)
    assert np.array_equal(np.asarray(written.dataobj), np.asarray(original.dataobj))
    assert np.array_equal(written.affine, nibabel.load(image).affine)
    picture = tmp_path / "mask.png"
    assert call("export", mask, "--like", image, "--to", "png", "-o", picture) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    told = mended(capsys, "export", mask, "--like", image, "--to", "dicom-seg", "-o", tmp_path / "m.dcm")
    assert "Open the DICOM exam" in told
    assert ".stl" in mended(capsys, "export", mask, "--like", image, "--to", "stl", "-o", tmp_path / "m.obj")


def test_export_of_several_masks_goes_on_after_a_bad_one(
    capsys: pytest.CaptureFixture[str], small_case: Path, tmp_path: Path
) -> None:
    out, empty = tmp_path / "out", tmp_path / "no case"
    empty.mkdir()
    assert call("export", empty, small_case, "--to", "nrrd", "-o", out) == 2
    told = capsys.readouterr()
    path = out / "BraTS2021_77777_seg-reference.seg.nrrd"
    assert told.out.splitlines() == [str(path)]
    assert told.err.startswith("no case: ")
    mask = small_case / "BraTS2021_77777_seg.nii.gz"
    image = small_case / "BraTS2021_77777_flair.nii.gz"
    again = tmp_path / "again"
    assert call("export", path, mask, "--like", image, "--to", "itksnap", "-o", again) == 0
    assert len(list(again.glob("*.nii.gz"))) == len(list(again.glob("*.txt"))) == 2
    capsys.readouterr()
    assert call_json(capsys, "compare", mask, path)["regions"]["WT"]["dice"]["value"] == 1.0
    [found] = call_json(capsys, "check", path)["results"]
    assert (found["what"], found["kind"], found["opens"]) == ("mask", "nrrd", True)


def test_a_dicom_exam_by_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    exam = example(tmp_path / "exam", oblique((12, -20, 33), (0.9, 0.9, 5.0)), (8, 9, 7))
    rating = octants(exam)
    mask, made = tmp_path / "reader_seg.nii.gz", tmp_path / "out" / "m.dcm"
    write_form(form_named("nifti"), job_for(exam, rating, mask))
    assert call("export", mask, "--like", tmp_path / "exam", "--to", "dicom-seg", "-o", made) == 0
    capsys.readouterr()
    regions = call_json(capsys, "compare", mask, made)["regions"]
    assert [regions[name]["dice"]["value"] for name in ("WT", "TC", "ET")] == [1.0, 1.0, 1.0]
    [found] = call_json(capsys, "check", made)["results"]
    assert (found["what"], found["kind"], found["opens"]) == ("mask", "dicom-seg", True)
    assert call_json(capsys, "agreement", mask, made)["readers"] is not None


def test_evaluate_scores_cases_against_their_references(
    capsys: pytest.CaptureFixture[str], small_case: Path
) -> None:
    result = call_json(capsys, "evaluate", "glioma-unet", small_case.parent)
    assert set(result["cases"]) == {"BraTS2021_77777"}
    mean = result["mean_dice"]["WT"]
    assert mean == {"value": pytest.approx(mean["value"]), "cases": 1, "left_out": 0}
    assert mean["value"] > 0.5


def test_the_whole_job_without_a_display(small_case: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-m", "brainseg_desktop", "open", str(small_case), "--if-no-display", str(out)],
        env={**environment, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "There is no display" in done.stdout
    assert done.stderr == ""
    for name in ("BraTS2021_77777_seg.nii.gz", "BraTS2021_77777_scores.json", "BraTS2021_77777.png"):
        assert (out / name).is_file()
        assert name in done.stdout
