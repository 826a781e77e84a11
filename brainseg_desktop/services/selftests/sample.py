"""The self-test's way with the sample: opened, segmented, edited, compared, brought into place."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from brainseg_desktop.core.brush import capsule
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.rigid import RigidTransform
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.registry import list_models
from brainseg_desktop.io.layouts import find_case
from brainseg_desktop.io.resources import models_dir, resources_dir
from brainseg_desktop.services.compare import compare
from brainseg_desktop.services.headless import segment_cases
from brainseg_desktop.services.mask_files import compare_files
from brainseg_desktop.services.opening import load_mask, open_case
from brainseg_desktop.services.recovery import pending_for
from brainseg_desktop.services.session import Session

# What the sample's tumour must be found with, at the least: below it something is broken, not merely poor.
LEAST_DICE = 0.5


class SampleChecks:
    """The checks, which share the opened sample.

    Parameters
    ----------
    folder : Path
        Empty; for what is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def case(self) -> Case:
        """The sample, read once."""
        return open_case(find_case(resources_dir() / "sample")).case

    @property
    def reference(self) -> Rating:
        """The mask that the sample comes with."""
        return next(r for r in self.case.ratings if r.kind is RaterKind.REFERENCE)

    def open_sample(self) -> str:
        """All four sequences and the reference, all of them with something in them."""
        case = self.case
        missing = [s.value for s in Sequence if s not in case.volumes or not case.volumes[s].data.any()]
        if missing:
            raise RuntimeError(f"the sample case lacks {', '.join(missing)}")
        if not any(r.kind is RaterKind.REFERENCE and r.label_map.array.any() for r in case.ratings):
            raise RuntimeError("the sample case lacks its reference mask")
        return f"{len(case.volumes)} sequences of {' x '.join(map(str, case.grid.shape))} voxels"

    def segment(self) -> str:
        """With each bundled network in the worker; its mask is read again and held against the reference."""
        told = []
        sample = resources_dir() / "sample"
        for name in list_models(models_dir()):
            folder = self._folder / "segmented" / name
            with segment_cases(folder, name) as segmenting:
                result = segmenting(sample, lambda fraction: None)
            if result.error is not None or result.output is None:
                raise RuntimeError(result.error)
            if not np.any(load_mask(result.output).tissues):
                raise RuntimeError(f"{name} found nothing in the sample case")
            report = compare_files(sample / "sample_seg.nii.gz", result.output)
            dice = report.regions["WT"].overlap.dice.value or 0.0
            if dice < LEAST_DICE:
                raise RuntimeError(f"{name} found the sample's tumour with a Dice of only {dice:.2f}")
            told.append(f"{result.model} on {result.device} in {result.seconds:.1f} s, WT Dice {dice:.2f}")
        return "; ".join(told)

    def edit(self) -> str:
        """A brush stroke, undo, redo; then as after a crash: the journal alone gives the same labels."""
        case, state = self.case, self._folder / "state"
        session = Session(state)
        session.open(_fresh(case))
        own = session.start_from(self.reference)
        before = np.array(own.label_map.array)
        z = int(np.argmax(before.any(axis=(0, 1))))
        x, y, _ = case.grid.shape
        places = (x / 3, y / 3, float(z)), (x / 2, y / 2, float(z))
        dab = capsule(*places, 12.0, case.grid.spacing_mm, case.grid.shape, 2)
        with own.history.edit("Brush") as stroke:
            stroke.paint(dab.box, dab.mask, Tissue.OEDEMA)
        after = np.array(own.label_map.array)
        painted = int(np.count_nonzero(after != before))
        session.undo()
        undone = np.array_equal(own.label_map.array, before)
        session.redo()
        if not painted or not undone or not np.array_equal(own.label_map.array, after):
            raise RuntimeError("painting, undo and redo do not give the labels that they should")
        session.close()
        found = pending_for(case, state)
        if found is None:
            raise RuntimeError("the journal of the strokes is not found again")
        session.open(_fresh(case))
        restored = session.recover(found)
        same = np.array_equal(restored.label_map.array, after)
        session.undo()
        same = same and np.array_equal(restored.label_map.array, before)
        session.close()
        if not same:
            raise RuntimeError("the journal does not give the labels that were painted")
        return f"{painted} voxels painted, taken back, made again, and brought back from the journal"

    def compare(self) -> str:
        """Two cubes half over each other, whose figures are known; and the reference with itself."""
        labels = np.zeros((2, 40, 30, 30), np.uint8)
        labels[0, 5:15, 10:20, 10:20] = labels[1, 10:20, 10:20, 10:20] = Tissue.OEDEMA
        grid = Grid((40, 30, 30), np.diag([1.0, 1.0, 1.0, 1.0]))
        scheme = self.reference.scheme
        report = compare(labels[0], labels[1], grid, scheme.regions, scheme.tissues, scheme=scheme.name)
        found = report.regions["WT"]
        dice, distance = found.overlap.dice.value, found.surface.hd95_mm.value if found.surface else None
        if dice != 0.5 or distance != 5.0:
            raise RuntimeError(
                f"two cubes shifted by half gave Dice {dice}, HD95 {distance}: not 0.5 and 5 mm"
            )
        mask = resources_dir() / "sample" / "sample_seg.nii.gz"
        own = compare_files(mask, mask).regions["WT"].overlap.dice.value
        if own != 1.0:
            raise RuntimeError(f"the reference has a Dice of {own} with itself")
        return "Dice 0.5 and HD95 5 mm of two cubes shifted by half"

    def register(self) -> str:
        """A sequence whose head has moved is brought back onto another one."""
        from brainseg_desktop.services.alignment.registration import register

        volume = self.case.volumes[Sequence.FLAIR]
        coarse = volume.data[::3, ::3, ::3]
        affine = volume.grid.voxel_to_world @ np.diag([3.0, 3.0, 3.0, 1.0])
        grid = Grid(coarse.shape, affine)
        motion = RigidTransform.about(np.array([0.0, 0.0, 1.0]), 4.0, np.zeros(3), np.array([3.0, -2.0, 1.0]))
        found = register(coarse, motion.inverse().moved(grid), coarse, grid, lambda share: None)
        corners = grid.world_of(np.array([[0.0, 0, 0], np.array(grid.shape, dtype=float) - 1]))
        off = float(np.abs(found.transform.apply(corners) - motion.apply(corners)).max())
        if off > 1.0:
            raise RuntimeError(f"a moved head was brought back wrong by {off:.1f} mm")
        return f"a moved head brought back to {off:.2f} mm"


def _fresh(case: Case) -> Case:
    """The same images and masks; what a session adds is added to it alone."""
    return replace(case, ratings=list(case.ratings))
