"""Make the kept files of a version: everything the program writes for itself, by running that version.

Run by hand at each release, with the checkout of the release on the path and nothing else of the project::

    PYTHONPATH=<checkout> QT_QPA_PLATFORM=offscreen python tests/kept/make_kept.py

It works below one neutral folder, so that no path of anyone's machine gets into a journal, and copies the
result to ``tests/kept/<version>``. It runs with version 0.1.0 and all that came later: what a version does
not know yet is left out.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

import brainseg_desktop
from brainseg_desktop.core.brush import capsule
from brainseg_desktop.core.case import RaterKind, Rating
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.services import settings as settings_module
from brainseg_desktop.services.export import export_rating
from brainseg_desktop.services.opening import open_case
from brainseg_desktop.services.paths import state_dir
from brainseg_desktop.services.session import Session

PLACE = Path("/tmp/brainseg-kept")
CASE = "BraTS2021_00000"  # names say how labels are numbered
HERE = Path(__file__).resolve().parent

# Values that are nobody's default; a version takes those of its fields.
SETTINGS = {
    "recent_cases": (str(PLACE / CASE),),
    "theme": "light",
    "opacity": 0.35,
    "outline_only": True,
    "mask_style": "outline",
    "smooth": True,
    "radiological": False,
    "nose_left": False,
    "palette": "own",
    "own_colours": {"OEDEMA": "#12ab34"},
    "layout_kind": "planes",
    "brush": {"diameter_mm": 4.5, "shape": "ball", "keep_others": True},
    "window_presets": [{"name": "Narrow", "low": 10.0, "high": 90.0, "sequence": "FLAIR", "unit": "percent"}],
    "model": "glioma-unet",
    "device": "cpu",
    "reference": "T1CE",
    "rater": "Second reader",
    "last_study": str(PLACE / "study"),
    "study_reader": "first-reader",
    "last_open_dir": str(PLACE),
    "last_export_dir": str(PLACE / "exported"),
    "cases_dir": str(PLACE),
    "exports_dir": str(PLACE / "exported"),
    "keys": {"undo": ["Ctrl+Z", "Ctrl+U"]},
    "device_times": [
        {"device": "cpu", "network": "glioma-unet", "seconds": 7.5, "start_seconds": 1.5, "day": "2026-11-27"}
    ],
}


def optional(name: str) -> Any:
    """A module that older versions do not have."""
    try:
        return importlib.import_module(f"brainseg_desktop.{name}")
    except ModuleNotFoundError:
        return None


def make_case(folder: Path, start: tuple[int, int, int], sequences: tuple[str, ...]) -> Path:
    """A few voxels of the shipped sample, around its tumour."""
    from brainseg_desktop.io.resources import resources_dir

    folder.mkdir(parents=True)
    for name in (*sequences, "seg"):
        image: Any = nibabel.load(resources_dir() / "sample" / f"sample_{name}.nii.gz")
        box = tuple(slice(s, s + n) for s, n in zip(start, (24, 24, 6), strict=True))
        part = image.slicer[box]
        nibabel.save(part, folder / f"{folder.name}_{name}.nii.gz")
    return folder


def tumour_at() -> tuple[int, int, int]:
    """A corner from which both marked and unmarked voxels are in reach."""
    from brainseg_desktop.io.resources import resources_dir

    image: Any = nibabel.load(resources_dir() / "sample" / "sample_seg.nii.gz")
    labels = np.asanyarray(image.dataobj)
    middle = np.argwhere(labels).mean(axis=0).round().astype(int)
    return (int(middle[0]) - 16, int(middle[1]) - 12, int(middle[2]) - 3)


def keep_settings() -> None:
    import msgspec

    known = {f.name for f in msgspec.structs.fields(settings_module.Settings)}
    if "mask_style" in known:
        known.discard("outline_only")  # only still read there
    values = {name: value for name, value in SETTINGS.items() if name in known}
    settings_module.save_settings(msgspec.convert(values, settings_module.Settings, strict=False))
    nodes = optional("services.pacs.nodes")
    if nodes is not None:
        node = nodes.PacsNode(key="a1b2", title="Archive", host="192.0.2.7", ae_title="ARCHIVE", port=11113)
        inbox = nodes.InboxSettings(port=11114, callers=("MR1",))
        nodes.save_pacs(nodes.PacsSettings(nodes=(node,), inbox=inbox))


def paint(rating: Rating, grid: Any, number: int, tissue: Tissue) -> None:
    spacing, shape = grid.spacing_mm, grid.shape
    dab = capsule((4.0 + 3 * number, 5.0, 2.0), (14.0, 6.0 + 4 * number, 2.0), 4.0, spacing, shape, 2)
    with rating.history.edit(f"Brush {number}") as stroke:
        stroke.paint(dab.box, dab.mask, tissue)


def keep_exported(case_folder: Path) -> None:
    """A mask that was exported, with its sidecar; the journal that a version leaves behind then."""
    session = Session(state_dir(), "First reader")
    opened = open_case(find_case(case_folder))
    session.open(opened.case)
    own = session.start_from(next(r for r in opened.case.ratings if r.kind is RaterKind.REFERENCE))
    paint(own, opened.case.grid, 3, Tissue.ENHANCING)
    (PLACE / "exported").mkdir()
    told: dict[str, Any] = {}
    if hasattr(session, "audit"):
        import msgspec

        audit = session.audit(own)
        told["audit"] = msgspec.to_builtins(audit.record()) if audit is not None else None
        if not isinstance(told["audit"], dict):
            told = {}
    export_rating(opened.case, own, PLACE / "exported" / "mask.nii.gz", **told)
    session.mark_exported(own)
    forms, jobs, run = (optional(f"services.exporting.{n}") for n in ("forms", "job", "run"))
    if run is not None:
        for key, name in (("nrrd", "mask.seg.nrrd"), ("tif", "mask.tif"), ("bids", "bids")):
            path = PLACE / "exported" / name
            run.write_form(forms.form_named(key), jobs.job_for(opened.case, own, path))
    np.savez_compressed(PLACE / "exported" / "expected.npz", labels=own.label_map.array)
    session.close()


def keep_display(case_folder: Path) -> None:
    display = optional("services.case_display")
    if display is None:
        return
    case = open_case(find_case(case_folder)).case
    kept = display.CaseDisplay(windows={"FLAIR": (12.0, 180.0)}, colour_maps={"T2": "hot"})
    display.save_display(case, kept)


def study_labels(shape: tuple[int, int, int], shift: int) -> np.ndarray:
    """What a reader draws in the study."""
    labels = np.zeros(shape, np.uint8)
    low = 3 + shift
    labels[low : low + 10, 4:18, 1:5] = Tissue.OEDEMA
    labels[low + 2 : low + 7, 6:14, 2:4] = Tissue.ENHANCING
    return np.ascontiguousarray(labels[::-1, ::-1])


def keep_study(start: tuple[int, int, int]) -> None:
    """A study: one reader has locked, left a draft and flagged; the other has locked everything."""
    studies, reading = optional("services.studies.study"), optional("services.studies.reading")
    if studies is None:
        return
    import msgspec

    folder = PLACE / "study"
    for number in range(3):
        shift = (start[0], start[1], start[2] + 2 * number - 2)
        make_case(folder / "cases" / f"BraTS2021_{number + 1:05d}", shift, ("flair", "t1ce"))
    readers = ("First reader", "Other reader")
    cases = studies.cases_in(folder / "cases")
    study = studies.create_study(folder, "Kept", cases, readers, scheme="brats2021", seed=3)
    for reader in study.design.readers:
        study = studies.Study.open(folder, reader.key)
        for number, one in enumerate(study.readings[reader.key]):
            opened = reading.open_reading(study, one, state_dir())
            labels = study_labels(opened.case.grid.shape, number + 2 * (reader.name == readers[1]))
            record = msgspec.structs.replace(opened.record, active_s=61.5 + number)
            flagged = number == 2 and reader.name == readers[0]
            if flagged:
                record = msgspec.structs.replace(record, flags=("poor_quality",), remark="Motion.")
            lock = number == 0 or reader.name == readers[1]
            reading.save_reading(study, opened, LabelMap(labels), record, lock=lock)
        study.close()
    # The numbers that this version finds.
    study = studies.Study(folder, study.design)
    study.unblind(by="First reader", early=True)
    material, measuring = optional("services.studies.material"), optional("services.studies.measuring")
    record = optional("services.studies.record")
    report = measuring.measure_study(material.material_of(folder), workers=0, cache=PLACE / "cache")
    numbers = json.loads(msgspec.json.encode(record.study_to_dict(report), enc_hook=float))
    told = {
        name: {"dice": found["measures"]["dice"], "volume_ml": found["volume_ml"]}
        for name, found in numbers["regions"].items()
    }
    (folder / "expected.json").write_text(json.dumps(told, indent=0))
    shutil.rmtree(PLACE / "cache")


def keep_journal(case_folder: Path) -> None:
    """Strokes that no file holds, as after a crash; never returns."""
    session = Session(state_dir(), "First reader")
    opened = open_case(find_case(case_folder))
    session.open(opened.case)
    own = session.start_from(next(r for r in opened.case.ratings if r.kind is RaterKind.REFERENCE))
    states = [np.array(own.label_map.array)]
    for number, tissue in enumerate((Tissue.OEDEMA, Tissue.ENHANCING, Tissue.NECROSIS)):
        paint(own, opened.case.grid, number, tissue)
        states.append(np.array(own.label_map.array))
    session.undo()
    np.savez_compressed(PLACE / "states.npz", states=np.stack(states))
    finish()
    os._exit(0)


# Where each form of file is described, by the name of the form.
FORMS = {
    "settings": ("services.settings", "Settings"),
    "display": ("services.case_display", "CaseDisplay"),
    "archives": ("services.pacs.nodes", "PacsSettings"),
    "journal, header": ("io.journal_format", "Header"),
    "journal, rating": ("io.journal_format", "About"),
    "journal, edit": ("io.journal_format", "Edit"),
    "journal, totals": ("core.audit", "Totals"),
    "study, design": ("io.study", "_Design"),
    "study, unblinded": ("io.study", "Unblinded"),
    "study, reading": ("io.study", "ReadingRecord"),
    "choices": ("services.choices", "_Said"),
    "network": ("inference.card", "ModelCard"),
}


def forms() -> dict[str, Any]:
    """The fields of every form with their kinds, without words and defaults."""
    import msgspec

    found = {}
    for name, (module, kind) in FORMS.items():
        described = getattr(optional(module), kind, None)
        if described is not None:
            found[name] = _bare(msgspec.json.schema(described))
    return found


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _bare(value) for key, value in schema.items() if key not in ("description", "title", "default")
    }


def keep_card() -> None:
    """The card of the bundled network; its weights are too large to be kept."""
    from brainseg_desktop.io.resources import models_dir

    (PLACE / "network").mkdir()
    shutil.copyfile(models_dir() / "glioma-unet" / "model.toml", PLACE / "network" / "model.toml")


def finish() -> None:
    """Copy what is there, without what only a running machine needs."""
    target = HERE / (sys.argv[1] if len(sys.argv) > 1 else brainseg_desktop.__version__)
    shutil.rmtree(target, ignore_errors=True)
    left_out = shutil.ignore_patterns("log", "cache", CASE, ".claim*")
    shutil.copytree(PLACE, target, ignore=left_out)
    (target / "forms.json").write_text(json.dumps(forms(), indent=1, sort_keys=True) + "\n")
    if not (HERE / CASE).exists():
        shutil.copytree(PLACE / CASE, HERE / CASE)
    # Tests open these files elsewhere; what the journals name must be gone then, as on another machine.
    shutil.rmtree(PLACE)


def main() -> None:
    os.environ["BRAINSEG_HOME"] = str(PLACE / "home")
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir()
    start = tumour_at()
    if (HERE / CASE).exists():
        # One case for all versions: a journal belongs to the images that it was drawn on.
        shutil.copytree(HERE / CASE, PLACE / CASE)
    else:
        make_case(PLACE / CASE, start, ("flair", "t1", "t1ce", "t2"))
    keep_settings()
    keep_display(PLACE / CASE)
    keep_exported(PLACE / CASE)
    keep_study(start)
    keep_card()
    keep_journal(PLACE / CASE)


if __name__ == "__main__":
    main()
