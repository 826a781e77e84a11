"""The budgets of the program, measured here and now: medians of many runs, beside what was promised.

The window is measured by itself, in processes of its own (`gui.bench`); this module starts them, and napari
beside them where there is one, and puts everything into one table.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from scipy import ndimage

from brainseg_desktop import __version__
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.io.resources import resources_dir
from brainseg_desktop.services.bench_study import measure_made_study, measure_staple, measure_worklist
from brainseg_desktop.services.compare import compare_both_ways
from brainseg_desktop.services.opening import load_mask
from brainseg_desktop.services.own_program import NO_CONSOLE, own_command
from brainseg_desktop.services.paths import HOME_VARIABLE

STARTS = 5
# Tells the window when its process was started (`gui.bench`).
START_VARIABLE = "BRAINSEG_BENCH_START"
WINDOW_TIMEOUT_SECONDS = 900
SHAPE = (240, 240, 155)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a measurement may come to at most.

    Parameters
    ----------
    key : str
        Name in the JSON; ends in the unit.
    title : str
    unit : str
    median : float
    p95 : float or None
    times_faster : float or None
        So many times faster than napari, where it is measured in the same run.
    """

    key: str
    title: str
    unit: str
    median: float
    p95: float | None = None
    times_faster: float | None = None


WINDOW_BUDGETS = (
    Budget("start_to_case_ms", "process start to shown case, four 240x240x155 .nii.gz", "ms", 2000.0),
    Budget("slice_step_ms", "slice step, four sequences, filled mask, 1800x1000", "ms", 8.0, 16.0, 8.0),
    Budget("slice_step_outline_ms", "slice step with outlines", "ms", 12.0),
    Budget("slice_step_4k_ms", "slice step at 3840x2160", "ms", 30.0),
    Budget("window_drag_ms", "window and level, one move of the mouse", "ms", 12.0),
    Budget("zoom_ms", "zoom by one notch of the wheel", "ms", 12.0),
    Budget("crosshair_ms", "crosshair, one move of the mouse", "ms", 12.0),
    Budget("surface_rebuilt_ms", "edit to new surface, tumour of about 150 mL", "ms", 500.0),
    Budget("longest_step_while_rebuilding_ms", "longest slice step meanwhile", "ms", 50.0),
    Budget("surface_turned_ms", "turning the surface, one picture", "ms", 25.0),
    Budget("disc_dab_ms", "brush dab with repaint, 2D disc", "ms", 8.0),
    Budget("ball_dab_ms", "brush dab with repaint, 3D ball r = 8", "ms", 10.0),
    Budget("large_ball_dab_ms", "brush dab with repaint, 3D ball r = 20", "ms", 25.0),
    Budget("smart_dab_ms", "smart brush dab with repaint", "ms", 15.0),
    Budget("fill_ms", "region growing in 3D, 100 mL or more, release to step", "ms", 300.0),
    Budget("interpolate_ms", "interpolation over 10 slices, proposed", "ms", 300.0),
    Budget("smooth_ms", "smooth a label of about 100 mL", "ms", 500.0),
    Budget("grow_label_ms", "grow it by 2 mm", "ms", 500.0),
    Budget("undo_whole_ms", "undo and redo of these", "ms", 30.0),
    Budget("refine_ms", "local refinement after a stroke", "ms", 1000.0),
    Budget("undo_ms", "undo of a stroke", "ms", 5.0),
    Budget("live_dice_ms", "live Dice of three regions after a stroke", "ms", 2.0),
    Budget("memory_mb", "memory of the window's process with that case", "MB", 350.0),
    Budget("first_mask_s", "click to first mask on the slice shown, worker warm", "s", 1.5),
    Budget("case_segmented_s", "click to whole mask on the CPU, worker warm", "s", 8.0),
    Budget("slice_step_while_segmenting_ms", "slice step while the network runs", "ms", 25.0),
)
SERIES_BUDGETS = (
    Budget("series_open_ms", "process start to shown series, 512x512x400 int16 .nii", "ms", 4000.0),
    Budget("series_axial_ms", "axial slice step in that series", "ms", 10.0),
    Budget("series_coronal_ms", "coronal slice step in that series", "ms", 10.0),
    Budget("series_sagittal_ms", "sagittal slice step in that series", "ms", 10.0),
)
OTHER_BUDGETS = (
    Budget("metrics_ms", "all scores of WT, TC, ET of one pair, either as reference", "ms", 400.0),
    Budget("staple_ms", "STAPLE of five readers, one region", "ms", 500.0),
)
STUDY_BUDGETS = (
    Budget("worklist_ms", "worklist of 1,000 cases, folder to list", "ms", 1000.0),
    Budget("study_s", "study of 20 cases by 5 readers, two processes", "s", 180.0),
    Budget("study_memory_mb", "memory of all its processes", "MB", 1500.0),
    Budget("study_again_s", "the same again, from what was kept", "s", 10.0),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Samples of one quantity beside its budget and napari's; none where it could not be measured."""

    budget: Budget
    samples: tuple[float, ...]
    peer: tuple[float, ...] = ()

    @property
    def median(self) -> float | None:
        return float(np.median(self.samples)) if self.samples else None

    @property
    def p95(self) -> float | None:
        """Not told from fewer than twenty samples."""
        return float(np.percentile(self.samples, 95)) if len(self.samples) >= 20 else None

    @property
    def times_faster(self) -> float | None:
        """How many times faster than napari in the same run."""
        if self.median is None or not self.peer:
            return None
        return float(np.median(self.peer)) / max(self.median, 1e-9)

    @property
    def ok(self) -> bool | None:
        """Whether the budget is kept; None where nothing was measured."""
        if self.median is None:
            return None
        tail_ok = self.p95 is None or self.budget.p95 is None or self.p95 <= self.budget.p95
        least = self.budget.times_faster
        beats_peer = least is None or self.times_faster is None or self.times_faster >= least
        return self.median <= self.budget.median and tail_ok and beats_peer

    def to_dict(self) -> dict[str, Any]:
        return {
            "title": self.budget.title,
            "unit": self.budget.unit,
            "median": _rounded(self.median),
            "p95": _rounded(self.p95),
            "samples": len(self.samples),
            "budget": self.budget.median,
            "budget_p95": self.budget.p95,
            "ok": self.ok,
            "napari_median": _rounded(float(np.median(self.peer))) if self.peer else None,
            "times_faster_than_napari": _rounded(self.times_faster),
        }


@dataclass(frozen=True, slots=True)
class BenchReport:
    """All measurements, and on what they were made."""

    machine: str
    measured: tuple[Measured, ...]
    problems: tuple[str, ...] = ()

    @property
    def preamble(self) -> list[str]:
        return [f"BrainSeg Desktop {__version__} on {self.machine}", *self.problems]

    def rows(self) -> list[list[str]]:
        """What, median, p95, budget, whether it was kept, and napari's median."""
        verdicts = {True: "ok", False: "OVER", None: "not measured"}
        rows = []
        for m in self.measured:
            unit, limit = m.budget.unit, f"{m.budget.median:g} {m.budget.unit}"
            if m.budget.p95 is not None:
                limit += f", p95 {m.budget.p95:g}"
            median, p95 = (f"{v:.3g} {unit}" if v is not None else "-" for v in (m.median, m.p95))
            peer = f"{np.median(m.peer):.3g} {unit}, {m.times_faster:.1f} x" if m.peer else "-"
            rows.append([m.budget.title, median, p95, limit, verdicts[m.ok], peer])
        return rows

    def to_dict(self) -> dict[str, Any]:
        """For ``brainseg bench --json``."""
        return {
            "version": __version__,
            "machine": self.machine,
            "results": {m.budget.key: m.to_dict() for m in self.measured},
            "problems": list(self.problems),
        }


def run_bench(case: Path | None, tell: Tell, peer: Path | None = None) -> BenchReport:
    """Measure everything.

    Parameters
    ----------
    case : Path or None
        A case folder; None makes one of the usual size out of the sample case.
    tell : callable
        Hears one line before each part.
    peer : Path or None
        A Python that has napari, which is then measured on the same case in the same run.
    """
    with _case_or_made(case, tell) as folder:
        samples: dict[str, list[float]] = {}
        beside: dict[str, list[float]] = {}
        problems = _warn_of_load()
        parts = [(_measure_window, samples), (_measure_series, samples), (_measure_scores, samples)]
        if peer is not None:
            parts.append((partial(_measure_peer, peer=peer), beside))
        for part, into in parts:
            try:
                into.update(part(folder, tell=tell))
            except (UserError, OSError, ValueError, subprocess.SubprocessError) as error:
                problems.append(f"Not all could be measured: {error}")
    measured = tuple(
        Measured(b, tuple(samples.get(b.key, ())), tuple(beside.get(b.key, ())))
        for b in (*WINDOW_BUDGETS, *SERIES_BUDGETS, *OTHER_BUDGETS)
    )
    return BenchReport(describe_machine(), measured, tuple(problems))


def run_study_bench(case: Path | None, tell: Tell) -> BenchReport:
    """Measure what is measured of several readers: a pair, a consensus, a whole study; no window.

    Parameters
    ----------
    case, tell : as for `run_bench`
        The readers are made out of the first mask of the case.
    """
    samples: dict[str, list[float]] = {}
    problems = _warn_of_load()
    with _case_or_made(case, tell) as folder, tempfile.TemporaryDirectory(prefix="brainseg-bench-") as place:
        samples.update(_measure_scores(folder, tell))
        tell("Listing a study of 1,000 cases")
        samples["worklist_ms"] = measure_worklist(Path(place) / "worklist")
        masks = find_case(folder).masks
        if masks:
            samples.update(measure_made_study(load_mask(masks[0]), Path(place), tell))
        else:
            problems.append(f"Not all could be measured: {folder} has no mask")
    budgets = (*OTHER_BUDGETS, *STUDY_BUDGETS)
    measured = tuple(Measured(b, tuple(samples.get(b.key, ()))) for b in budgets)
    return BenchReport(describe_machine(), measured, tuple(problems))


def find_peer(name: str) -> Path:
    """The Python that has a peer: this one, or that of the folder which `make bench-napari` fills.

    Raises
    ------
    UserError
        ``peer_missing`` (param ``name``).
    """
    if importlib.util.find_spec(name) is not None:
        return Path(sys.executable)
    made = Path("build") / name / "bin" / "python"
    if made.is_file():
        return made
    raise UserError("peer_missing", name=name)


def describe_machine() -> str:
    """Processor, number of cores and system: figures without them say little."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def _warn_of_load() -> list[str]:
    """Figures taken beside other work say nothing of the program."""
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 0.5 * cores:
        return []
    return [f"Other programs were at work (load {load:.1f} on {cores} cores): these times are too long."]


@contextmanager
def _case_or_made(case: Path | None, tell: Tell) -> Iterator[Path]:
    if case is not None:
        find_case(case)
        yield case
        return
    with tempfile.TemporaryDirectory(prefix="brainseg-bench-") as folder:
        tell("Making a case of 240x240x155 from the sample")
        yield make_bench_case(Path(folder) / "bench")


def make_bench_case(folder: Path) -> Path:
    """The sample case on a grid as large as a BraTS case, with its reference."""
    folder.mkdir(parents=True)
    sample = resources_dir() / "sample"
    for name in ("t1", "t1ce", "t2", "flair", "seg"):
        image: Any = nibabel.load(sample / f"sample_{name}.nii.gz")  # type: ignore[attr-defined]
        data = np.asarray(image.dataobj)
        scale = (1.0, 1.0, SHAPE[2] / data.shape[2])
        wide = ndimage.zoom(data, scale, order=0 if name == "seg" else 1)
        margins = [(n - have) // 2 for n, have in zip(SHAPE, wide.shape, strict=True)]
        full = np.zeros(SHAPE, np.int16)
        place = tuple(slice(m, m + n) for m, n in zip(margins, wide.shape, strict=True))
        full[place] = wide
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])
        # Named as a BraTS 2021 case, so that the numbers of its reference are not in doubt.
        nibabel.save(  # type: ignore[attr-defined]
            nibabel.Nifti1Image(full, affine),  # type: ignore[no-untyped-call]
            folder / f"BraTS2021_99999_{name}.nii.gz",
        )
    return folder


def _measure_window(case: Path, tell: Tell) -> dict[str, list[float]]:
    """Several starts of the window, then one long visit to it."""
    samples: dict[str, list[float]] = {"start_to_case_ms": []}
    for number in range(STARTS):
        tell(f"Starting the window, {number + 1} of {STARTS}")
        samples["start_to_case_ms"] += visit_window(case, "start")["start_to_case_ms"]
    tell("Working in the window")
    visit = dict(visit_window(case, "all"))
    samples["start_to_case_ms"] += visit.pop("start_to_case_ms")
    return samples | visit


def _measure_series(case: Path, tell: Tell) -> dict[str, list[float]]:
    """A large series of one sequence, as a CT or a thin-sliced MR is: made here, shown, gone through."""
    tell("Going through a series of 512x512x400")
    with tempfile.TemporaryDirectory(prefix="brainseg-bench-") as folder:
        path = Path(folder) / "series" / "series_flair.nii"
        path.parent.mkdir()
        nibabel.save(  # type: ignore[attr-defined]
            nibabel.Nifti1Image(_made_series(), np.diag([-0.5, -0.5, 0.5, 1.0])),  # type: ignore[no-untyped-call]
            path,
        )
        return dict(visit_window(path.parent, "series"))


def _made_series() -> np.ndarray[Any, np.dtype[np.int16]]:
    """A bright ellipsoid with a grain, in a black surrounding."""
    x, y, z = np.ogrid[-1:1:512j, -1:1:512j, -1:1:400j]
    grain = np.random.default_rng(1).integers(0, 200, (64, 64, 50), dtype=np.int16)
    series = np.tile(grain, (8, 8, 8))
    series += 700
    series[(x / 0.7) ** 2 + (y / 0.85) ** 2 + (z / 0.9) ** 2 > 1] = 0
    return series


def visit_window(case: Path, part: str, *, platform: str | None = None) -> Mapping[str, list[float]]:
    """One process with a window; what it measured.

    Parameters
    ----------
    platform : str, optional
        Qt's name of where the window is drawn, ``"offscreen"`` to show nothing; else the desktop, if any.

    Raises
    ------
    ValueError
        If the window did not open or ended early.
    """
    environment = dict(os.environ)
    if platform is not None:
        environment["QT_QPA_PLATFORM"] = platform
    elif not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")) and sys.platform == "linux":
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        # Settings and journals of the user are neither read nor touched.
        done = subprocess.run(
            [*own_command("bench"), str(case), "--window", part],
            env={**environment, HOME_VARIABLE: home, START_VARIABLE: str(time.time())},
            capture_output=True,
            text=True,
            timeout=WINDOW_TIMEOUT_SECONDS,
            check=False,
            creationflags=NO_CONSOLE,
        )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise ValueError(f"the window ended early ({last[0]})")
    content: Mapping[str, list[float]] = json.loads(done.stdout)
    return content


def _measure_peer(case: Path, peer: Path, tell: Tell) -> dict[str, list[float]]:
    """The same acts in napari, in the Python that has it; it needs a display with OpenGL."""
    tell("Working in napari")
    done = subprocess.run(
        [str(peer), str(resources_dir() / "bench" / "napari_peer.py"), str(case), str(time.time())],
        capture_output=True,
        text=True,
        timeout=WINDOW_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise ValueError(f"napari ended early ({last[0]})")
    content: dict[str, list[float]] = json.loads(done.stdout)["samples"]
    return content


def _measure_scores(case: Path, tell: Tell) -> dict[str, list[float]]:
    masks = find_case(case).masks
    if not masks:
        return {}
    tell("Scoring a pair of masks")
    mask = load_mask(masks[0])
    moved = np.roll(mask.tissues, 2, axis=0)
    times = []
    for _ in range(9):
        started = time.perf_counter()
        compare_both_ways(mask.tissues, moved, mask.grid, mask.scheme.regions)
        times.append(1000 * (time.perf_counter() - started))
    tell("Fusing five readers")
    return {"metrics_ms": times, "staple_ms": measure_staple(mask)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
