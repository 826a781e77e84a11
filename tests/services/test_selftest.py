"""The self-test passes here, and a broken installation fails it in words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from brainseg_desktop.cli.programs import selftest_command
from brainseg_desktop.core.volume import Volume
from brainseg_desktop.io.dicom import pixels
from brainseg_desktop.io.journal import Journal
from brainseg_desktop.services import selftest
from brainseg_desktop.services.alignment import itk
from brainseg_desktop.services.exporting import forms
from brainseg_desktop.services.selftests import exam, exports, libraries, sample
from brainseg_desktop.services.selftests.exports import ExportChecks
from brainseg_desktop.services.selftests.sample import SampleChecks

Damage = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.slow
def test_this_installation_is_whole() -> None:
    steps = selftest.run_selftest()
    assert [s for s in steps if not s.ok] == []
    names = {s.name for s in steps}
    assert names >= {"Networks", "Open the sample", "Segment it", "Edit it", "Compare", "Register", "Window"}
    assert names >= {f"Export, {form.title}" for form in forms.FORMS}
    assert names >= {f"DICOM, {encoding.name}" for encoding in exam.ENCODINGS}


def test_a_missing_network_is_one_failed_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "models_dir", lambda: tmp_path)
    step = selftest._attempt("Networks", selftest._check_models)
    assert not step.ok
    assert str(tmp_path) in step.detail


def test_a_bug_in_one_check_is_told_and_not_raised() -> None:
    def fail() -> str:
        raise ZeroDivisionError("oops")

    assert selftest._attempt("x", fail).detail == "ZeroDivisionError: oops"


# Damage: each kind fails the check that it concerns, in words, and no other of its group --------------------


def failed(steps: list[selftest.Step]) -> dict[str, str]:
    return {step.name: step.detail for step in steps if not step.ok}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> SampleChecks:
    """The sample, read once for all tests."""
    checks = SampleChecks(tmp_path_factory.mktemp("selftest"))
    assert checks.case.ratings
    return checks


@pytest.fixture
def tested(opened: SampleChecks, tmp_path: Path) -> ExportChecks:
    return ExportChecks(tmp_path, opened)


def attempted(checks: selftest.Checks) -> dict[str, str]:
    return failed([selftest._attempt(name, check) for name, check in checks])


@pytest.mark.parametrize("encoding", [e for e in exam.ENCODINGS if e.encode], ids=lambda e: e.name)
def test_a_decoder_that_was_left_out(
    tested: ExportChecks, monkeypatch: pytest.MonkeyPatch, encoding: exam.Encoding
) -> None:
    from pydicom.pixels.decoders import base
    from pydicom.uid import UID

    whole = base.get_decoder

    def without(uid: UID) -> Any:
        if uid == encoding.syntax:
            raise NotImplementedError
        return whole(uid)

    monkeypatch.setattr(base, "get_decoder", without)
    found = attempted(tested.encodings())
    assert set(found) == {f"DICOM, {encoding.name}"}
    assert UID(encoding.syntax).name in found[f"DICOM, {encoding.name}"]


def test_a_decoder_that_gives_wrong_values(tested: ExportChecks, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pixels._meant
    monkeypatch.setattr(pixels, "_meant", lambda data, stored, frame: whole(data, np.roll(stored, 1), frame))
    found = attempted(tested.encodings())
    assert len(found) == len(exam.ENCODINGS)
    assert all("values of the exam are wrong" in detail for detail in found.values())


@pytest.mark.parametrize("form", forms.FORMS, ids=lambda form: form.key)
def test_a_form_whose_library_was_left_out(
    tested: ExportChecks, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    def fail(job: Any) -> Any:
        raise ModuleNotFoundError("No module named 'left_out'")

    broken = [replace(one, make=fail) if one is form else one for one in forms.FORMS]
    monkeypatch.setattr(exports, "FORMS", broken)
    found = attempted(tested.exports())
    assert set(found) == {f"Export, {form.title}"}
    assert "left_out" in found[f"Export, {form.title}"]


@pytest.mark.parametrize(
    "key", ["nifti", "dicom-seg", "nrrd", "itksnap", "tif", "coco", "stl", "ply", "bids"]
)
def test_left_and_right_swapped_in_a_form(
    tested: ExportChecks, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Also where the export's own check would not see it, because writing and checking turn alike."""

    def swapped(form: Any) -> Any:
        return replace(
            form, make=lambda job: form.make(replace(job, labels=np.ascontiguousarray(job.labels[::-1])))
        )

    broken = [swapped(one) if one.key == key else one for one in forms.FORMS]
    monkeypatch.setattr(exports, "FORMS", broken)
    title = next(one.title for one in forms.FORMS if one.key == key)
    found = attempted(tested.exports())
    assert set(found) == {f"Export, {title}"}
    assert "do not hold the labels" in found[f"Export, {title}"]


def test_a_journal_that_loses_strokes(
    opened: SampleChecks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = SampleChecks(tmp_path)
    checks.__dict__["case"] = opened.case
    assert "painted" in checks.edit()
    monkeypatch.setattr(Journal, "attach", lambda self, history: None)
    lost = SampleChecks(tmp_path / "again")
    lost.__dict__["case"] = opened.case
    step = selftest._attempt("Edit it", lost.edit)
    assert not step.ok
    assert "journal" in step.detail


def test_a_sample_without_a_sequence(opened: SampleChecks, tmp_path: Path) -> None:
    checks, case = SampleChecks(tmp_path), opened.case
    first = next(iter(case.volumes))
    empty = Volume(np.zeros_like(case.volumes[first].data), case.grid, case.volumes[first].source, first)
    checks.__dict__["case"] = replace(case, volumes={**case.volumes, first: empty})
    step = selftest._attempt("Open the sample", checks.open_sample)
    assert step.detail == f"RuntimeError: the sample case lacks {first.value}"


def test_measures_that_are_wrong(opened: SampleChecks, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sample.compare
    monkeypatch.setattr(sample, "compare", lambda a, b, *rest, **more: whole(a, a, *rest, **more))
    step = selftest._attempt("Compare", opened.compare)
    assert "two cubes shifted by half gave Dice 1.0" in step.detail


@pytest.mark.parametrize(
    ("module", "check"),
    [
        ("reportlab", "Report"),
        ("SimpleITK", "Register"),
        ("keyring", "Keyring"),
        ("keyring.backend", "Keyring"),
        ("pynetdicom", "Archives"),
        ("dicomweb_client.api", "Archives"),
        ("tifffile", "Pictures"),
    ],
)
def test_a_library_that_was_left_out(
    tested: ExportChecks, opened: SampleChecks, monkeypatch: pytest.MonkeyPatch, module: str, check: str
) -> None:
    # What was loaded before the damage would hide it.
    itk.sitk.cache_clear()
    monkeypatch.delitem(sys.modules, "brainseg_desktop.services.report.pdf", raising=False)
    for name in [n for n in sys.modules if n == module or n.startswith(f"{module}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    checks = {
        "Report": tested.report,
        "Register": opened.register,
        "Keyring": libraries.find_keyring,
        "Archives": libraries.associate,
        "Pictures": libraries.read_pictures,
    }
    step = selftest._attempt(check, checks[check])
    assert not step.ok
    assert module.split(".")[0] in step.detail


def test_a_codec_of_tiff_that_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import imagecodecs
    import tifffile

    def fail(*arguments: Any, **options: Any) -> Any:
        raise imagecodecs.DelayedImportError("jpegxl_decode")

    monkeypatch.setattr(imagecodecs, "jpegxl_decode", fail)
    # What was loaded before the damage would hide it.
    monkeypatch.setattr(tifffile.TIFF.DECOMPRESSORS, "_codecs", {})
    step = selftest._attempt("Pictures", libraries.read_pictures)
    assert "jpegxl" in step.detail
    assert not step.ok


def test_no_backend_of_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    from keyring import backend

    monkeypatch.setattr(backend, "get_all_keyring", list)
    step = selftest._attempt("Keyring", libraries.find_keyring)
    assert "none of its backends" in step.detail


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_says_what_failed_and_ends_with_2(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    """A whole part that cannot be loaded is one failed line, and the rest is still checked."""
    monkeypatch.setitem(sys.modules, "brainseg_desktop.services.selftests.exports", None)
    monkeypatch.setattr(selftest, "_check_window", lambda: "not opened here")
    outcome = CliRunner().invoke(selftest_command, ["--json"] if as_json else [], standalone_mode=False)
    assert outcome.return_value == 2
    assert "Whole way" in outcome.output
    assert "selftests.exports" in outcome.output
    assert "Archives" in outcome.output
    assert ('"ok": false' in outcome.output) if as_json else ("FAILED" in outcome.output)
