"""The bench of a study: many readers made out of one mask, measured as a study is, with time and memory."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.case import RaterKind
from brainseg_desktop.core.consensus import staple
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import ET, TC, WT, Tissue
from brainseg_desktop.core.study import Reader, StudyCase, StudyDesign
from brainseg_desktop.io import nifti
from brainseg_desktop.io.nifti import MaskFile
from brainseg_desktop.io.schemes import PROGRAM
from brainseg_desktop.io.study import RATINGS, ReadingRecord, sealed, write_design
from brainseg_desktop.services.studies.measuring import measure_study
from brainseg_desktop.services.studies.results import Material, Rater, RatingFile
from brainseg_desktop.services.studies.study import Study

CASES, READERS, WORKERS = 20, 5, 2
# How far readers stray from the mask, in voxels, and how many bumps a side of its box has.
_STRAY, _BUMPS, _MARGIN = 2.5, 7, 12
_LOOK_SECONDS = 0.05

Tell = Callable[[str], None]


def measure_made_study(mask: MaskFile, folder: Path, tell: Tell) -> dict[str, list[float]]:
    """Seconds and peak memory of a study of `CASES` cases by `READERS` readers, nothing kept before."""
    tell(f"Making {CASES} cases by {READERS} readers")
    material = make_study(mask, folder / "masks")
    tell("Measuring the study")
    with _peak_memory() as peaks:
        started = time.perf_counter()
        measure_study(material, workers=WORKERS, cache=folder / "kept")
        seconds = time.perf_counter() - started
    tell("Measuring it again, with what was kept")
    started = time.perf_counter()
    measure_study(material, workers=WORKERS, cache=folder / "kept")
    found = {"study_s": [seconds], "study_again_s": [time.perf_counter() - started]}
    return found | ({"study_memory_mb": [max(peaks)]} if peaks else {})


def measure_staple(mask: MaskFile, samples: int = 9) -> list[float]:
    """Milliseconds that STAPLE of five readers takes, one region, on the whole grid."""
    shape = _Outlines(mask)
    drawn = [WT.mask(shape.reader(seed)) for seed in range(READERS)]
    times = []
    for _ in range(samples):
        started = time.perf_counter()
        staple(drawn)
        times.append(1000 * (time.perf_counter() - started))
    return times


def measure_worklist(folder: Path, cases: int = 1000, samples: int = 7) -> list[float]:
    """Milliseconds from a study's folder to its worklist, every reading begun, flagged and remarked on."""
    design = StudyDesign(
        "Bench",
        "brats2021",
        (Reader("Reader", "reader"),),
        tuple(StudyCase(f"case{n:04d}", f"cases/case{n:04d}") for n in range(cases)),
    )
    write_design(folder, design)
    place = folder / RATINGS / "reader"
    place.mkdir(exist_ok=True)
    for reading in design.readings("reader"):
        record = ReadingRecord(
            study="", reader="reader", case=reading.case, active_s=300.0, flags=("unsure",), remark="Edge?"
        )
        content = msgspec.json.encode(sealed({"program": PROGRAM, "case": reading.case}, record))
        (place / f"{reading.stem}.json").write_bytes(content)
    times = []
    for _ in range(samples):
        started = time.perf_counter()
        study = Study.open(folder, "reader")
        lines = study.worklist("reader")
        times.append(1000 * (time.perf_counter() - started))
        study.close()
        if len(lines) != cases or any(line.status != "started" for line in lines):
            raise ValueError("the worklist is not that of the study")
    return times


def make_study(mask: MaskFile, folder: Path, cases: int = CASES, readers: int = READERS) -> Material:
    """A study whose readers stray from one mask, the same at every call.

    Parameters
    ----------
    mask : MaskFile
        With a tumour in it.
    folder : Path
        Gets the masks.
    """
    shape = _Outlines(mask)
    folder.mkdir(parents=True)
    raters = tuple(Rater(f"reader{n + 1}", RaterKind.HUMAN) for n in range(readers))
    names = tuple(f"case{n + 1:02d}" for n in range(cases))
    files = []
    for number, case in enumerate(names):
        for reader, rater in enumerate(raters):
            labels = shape.reader(1000 * number + reader, shift=number)
            path = folder / f"{case}_seg-{rater.name}_dseg.nii.gz"
            content = nifti.mask_bytes(path, labels, mask.scheme, mask.source, mask.grid)
            path.write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            files.append(RatingFile(case, rater.name, RaterKind.HUMAN, path, sha256))
    return Material("Bench", mask.scheme.name, names, raters, tuple(files))


class _Outlines:
    """A mask as depths below its surfaces, from which readers differ by smooth bumps."""

    def __init__(self, mask: MaskFile) -> None:
        tight = Box.of(mask.tissues != 0)
        low, high = (
            tuple(v + by for v in side) for side, by in ((tight.start, -_MARGIN), (tight.stop, _MARGIN))
        )
        self.box = Box((low[0], low[1], low[2]), (high[0], high[1], high[2])).clipped(mask.grid.shape)
        self.shape = mask.grid.shape
        cut = mask.tissues[self.box.slices]
        self.depths = [_depth(region.mask(cut)) for region in (WT, TC, ET)]

    def reader(self, seed: int, shift: int = 0) -> NDArray[np.uint8]:
        """Labels of one reader; `shift` moves a whole case."""
        generator = np.random.default_rng(seed)
        bumps = generator.uniform(-_STRAY, _STRAY, (_BUMPS,) * 3)
        scale = [n / _BUMPS for n in self.box.shape]
        noise = ndimage.zoom(bumps, scale, order=1, mode="nearest", grid_mode=True)
        wt, tc, et = (depth + noise > 0 for depth in self.depths)
        labels = np.zeros(self.shape, np.uint8)
        part = np.where(wt, np.uint8(Tissue.OEDEMA), np.uint8(0))
        part[wt & tc] = Tissue.NECROSIS
        part[wt & tc & et] = Tissue.ENHANCING
        labels[self.box.slices] = part
        return np.roll(labels, shift, axis=0)


def _depth(region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to the region's edge in voxels, negative outside it."""
    if not region.any():
        return np.full(region.shape, -np.inf)
    inside = ndimage.distance_transform_edt(region)
    return np.asarray(inside - ndimage.distance_transform_edt(~region))


@contextmanager
def _peak_memory() -> Iterator[list[float]]:
    """MB of this process and its children together, looked at often; none where the system does not say."""
    peaks: list[float] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_SECONDS):
            if (found := memory_mb()) is not None:
                peaks.append(found)

    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        done.set()
        thread.join()


def memory_mb() -> float | None:
    """Resident memory of this process and of those it started, in MB (Linux); shared pages count twice."""
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    try:
        total = 0
        for pid in ("self", *_children()):
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
            except (ProcessLookupError, FileNotFoundError):
                if pid == "self":
                    raise
        return total / 1e6
    except OSError:
        return None


def _children() -> list[str]:
    found: list[str] = []
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            found += task.read_text().split()
        except OSError:
            continue
    return found
