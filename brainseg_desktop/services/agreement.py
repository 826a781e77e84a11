"""Agreement of several masks of one case: every pair, all together, each with the others' consensus."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.consensus import majority_vote, staple
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Grid
from brainseg_desktop.core.kappa import fleiss_kappa_of_masks, krippendorff_alpha_of_masks
from brainseg_desktop.core.labels import LabelScheme, Region
from brainseg_desktop.core.metrics import Score, confusion
from brainseg_desktop.core.reliability import Statistic, generalised_conformity_index
from brainseg_desktop.io import nifti
from brainseg_desktop.io.atomic import staged, write_error
from brainseg_desktop.io.nifti import MaskFile
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.compare import DEFINITIONS, compare
from brainseg_desktop.services.opening import load_mask, on_one_grid

Labels = NDArray[np.uint8]
MEASURES = ("dice", "iou", "hd95_mm", "assd_mm", "surface_dice")

RULES = {
    "pairs": "Each pair of readers once; the matrix is symmetric.",
    "mean": "Over the pairs that have a number; left_out says how many have none, because masks are empty.",
    "kappa": "Fleiss' kappa (1971) and Krippendorff's alpha: inside or outside, over all voxels of the grid.",
    "conformity": (
        "Generalised conformity index: intersections over unions, each summed over all pairs "
        "(Kouwenhoven 2009)."
    ),
    "against_consensus": "Each reader's Dice with the STAPLE consensus of the others (leave one out).",
    "majority": "Each region is what more than half of the readers marked; a tie is background.",
    "staple": "Binary STAPLE (Warfield 2004) of each region over the whole grid, cut at 0.5.",
}

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean, SD, median and range of the pairs that have a number."""

    n: int
    left_out: int
    mean: float | None
    sd: float | None
    median: float | None
    lowest: float | None
    highest: float | None

    @staticmethod
    def of(scores: Iterable[Score]) -> Summary:
        """Of scores; those without a number are counted, not averaged.

        Examples
        --------
        >>> Summary.of([Score(0.5), Score(1.0), Score(None, "both_empty")]).mean
        0.75
        """
        scores = list(scores)
        values = np.array([s.value for s in scores if s.value is not None], dtype=np.float64)
        if values.size == 0:
            return Summary(0, len(scores), None, None, None, None, None)
        return Summary(
            int(values.size),
            len(scores) - int(values.size),
            float(values.mean()),
            float(values.std(ddof=1)) if values.size > 1 else None,
            float(np.median(values)),
            float(values.min()),
            float(values.max()),
        )


@dataclass(frozen=True, slots=True)
class RegionAgreement:
    """Agreement of all readers on one region.

    Parameters
    ----------
    pairs : mapping of measure to {(i, j): Score}, i < j
    volumes_ml : Score of each reader
    conformity, fleiss_kappa, krippendorff_alpha : Statistic
        Without a value where every mask is empty.
    against_consensus : Score of each reader
        Dice with the consensus of the others.
    """

    pairs: Mapping[str, Mapping[tuple[int, int], Score]]
    volumes_ml: tuple[Score, ...]
    conformity: Statistic
    fleiss_kappa: Statistic
    krippendorff_alpha: Statistic
    against_consensus: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class ReadersReport:
    """Agreement of several readers on one case."""

    readers: tuple[str, ...]
    scheme: str
    regions: Mapping[str, RegionAgreement]
    tolerance_mm: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``brainseg agreement``; every score as value, state and unit."""
        return {
            "readers": list(self.readers),
            "scheme": self.scheme,
            "tolerance_mm": self.tolerance_mm,
            "regions": {name: self._region(region) for name, region in self.regions.items()},
            "definitions": {k: v.format(tolerance_mm=self.tolerance_mm) for k, v in DEFINITIONS.items()},
            "rules": RULES,
        }

    def _region(self, region: RegionAgreement) -> dict[str, Any]:
        return {
            "pairs": [
                {
                    "readers": [self.readers[i], self.readers[j]],
                    **{m: region.pairs[m][i, j].to_dict() for m in MEASURES if m in region.pairs},
                }
                for i, j in itertools.combinations(range(len(self.readers)), 2)
            ],
            "summary": {
                m: msgspec.to_builtins(Summary.of(scores.values())) for m, scores in region.pairs.items()
            },
            "volume_ml": {r: v.to_dict() for r, v in zip(self.readers, region.volumes_ml, strict=True)},
            "generalised_conformity_index": region.conformity.to_dict(),
            "fleiss_kappa": region.fleiss_kappa.to_dict(),
            "krippendorff_alpha": region.krippendorff_alpha.to_dict(),
            "against_consensus": {
                r: s.to_dict() for r, s in zip(self.readers, region.against_consensus, strict=True)
            },
        }


def measure_readers(
    names: Sequence[str],
    masks: Sequence[Labels],
    grid: Grid,
    regions: Sequence[Region],
    *,
    scheme: str = "",
    tolerance_mm: float = 1.0,
    tell: Tell = lambda _: None,
) -> ReadersReport:
    """Measure the agreement of several masks of one case.

    Parameters
    ----------
    masks : sequence of (X, Y, Z) uint8 arrays of `Tissue` values on `grid`; two at least
    tell : callable
        Hears the share of the work that is done.
    """
    pairs = list(itertools.combinations(range(len(masks)), 2))
    measured: dict[str, dict[str, dict[tuple[int, int], Score]]] = {
        r.name: {m: {} for m in MEASURES} for r in regions
    }
    volumes: dict[str, list[Score]] = {r.name: [] for r in regions}
    for number, (i, j) in enumerate(pairs):
        report = compare(masks[i], masks[j], grid, regions, (), tolerance_mm)
        for name, found in report.regions.items():
            scores = {"dice": found.overlap.dice, "iou": found.overlap.iou}
            if found.surface is not None:
                scores |= {m: getattr(found.surface, m) for m in MEASURES[2:]}
            for measure, score in scores.items():
                measured[name][measure][i, j] = score
            if i == 0:
                one, other = found.overlap.volume_ml
                volumes[name] += [one, other] if j == 1 else [other]
        tell((number + 1) / (len(pairs) + 1))
    agreement = {
        r.name: RegionAgreement(
            {m: scores for m, scores in measured[r.name].items() if scores},
            tuple(volumes[r.name]),
            generalised_conformity_index([r.mask(m) for m in masks]),
            fleiss_kappa_of_masks(masks, [r.tissues], scope="grid"),
            krippendorff_alpha_of_masks(masks, [r.tissues], scope="grid"),
            dice_with_others([r.mask(m) for m in masks]),
        )
        for r in regions
    }
    tell(1.0)
    return ReadersReport(tuple(names), scheme, agreement, tolerance_mm)


def dice_with_others(drawn: Sequence[NDArray[np.bool_]]) -> tuple[Score, ...]:
    """Dice of each reader with the STAPLE consensus of all others (leave one out); of two, with the other.

    Parameters
    ----------
    drawn : sequence of bool arrays of one shape
        Of one region; two at least.
    """
    scores = []
    for number, own in enumerate(drawn):
        others = [d for other, d in enumerate(drawn) if other != number]
        scores.append(confusion(consensus_of(others), own).dice)
    return tuple(scores)


def consensus_of(drawn: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """The STAPLE consensus of several outlines; a single one is its own."""
    return drawn[0] if len(drawn) == 1 else staple(drawn).mask


# Files --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LooseMasks:
    """Mask files of one case, read."""

    paths: tuple[Path, ...]
    masks: tuple[MaskFile, ...]
    scheme: LabelScheme

    @property
    def names(self) -> tuple[str, ...]:
        """File names without the ending; unique, as paths are."""
        stems = [nifti.nifti_stem(p) if p.is_file() else p.name for p in self.paths]
        return tuple(s if stems.count(s) == 1 else str(p) for s, p in zip(stems, self.paths, strict=True))


def read_masks(paths: Sequence[Path], scheme: str | None = None) -> LooseMasks:
    """Read the masks of several readers of one case.

    Raises
    ------
    UserError
        ``masks_too_few``, what reading a mask raises, ``mask_grid_mismatch``.
    """
    if len(set(paths)) < 2:
        raise UserError("masks_too_few", n=len(set(paths)))
    chosen = scheme_named(scheme) if scheme else None
    masks = on_one_grid(load_mask(path, chosen) for path in paths)
    return LooseMasks(tuple(paths), masks, masks[0].scheme)


def common_regions(masks: Sequence[MaskFile]) -> list[Region]:
    """The regions that the schemes of all masks can tell apart."""
    return [r for r in masks[0].scheme.regions if all(r in m.scheme.regions for m in masks)]


def agree_on_files(
    paths: Sequence[Path], scheme: str | None = None, tolerance_mm: float = 1.0, tell: Tell = lambda _: None
) -> tuple[ReadersReport, LooseMasks]:
    """Measure the agreement of mask files of one case; see `read_masks`, `measure_readers`."""
    loose = read_masks(paths, scheme)
    report = measure_readers(
        loose.names,
        [m.tissues for m in loose.masks],
        loose.masks[0].grid,
        common_regions(loose.masks),
        scheme=loose.scheme.name,
        tolerance_mm=tolerance_mm,
        tell=tell,
    )
    return report, loose


def write_agreement(folder: Path, report: ReadersReport, loose: LooseMasks) -> tuple[Path, ...]:
    """Write ``agreement.json``, ``agreement_pairs.csv`` and the majority's mask, all or nothing.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission``, ``write_failed``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, folder) from error
    written = [folder / "agreement.json", folder / "agreement_pairs.csv"]
    first = loose.masks[0]
    with staged(folder) as stage:
        stage.add(written[0], msgspec.json.format(msgspec.json.encode(report.to_dict()), indent=2) + b"\n")
        stage.add(written[1], _pairs_csv(report))
        if loose.paths[0].is_file():
            majority = folder / "majority_seg.nii.gz"
            labels = majority_vote([m.tissues for m in loose.masks])
            stage.add(majority, nifti.mask_bytes(majority, labels, loose.scheme, first.source, first.grid))
            written.append(majority)
        stage.commit()
    return tuple(written)


def _pairs_csv(report: ReadersReport) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    heads = [head for m in MEASURES for head in (m, f"{m}_state")]
    table.writerow(["region", "reader", "other_reader", *heads])
    for name, region in report.regions.items():
        for i, j in itertools.combinations(range(len(report.readers)), 2):
            cells: list[str] = []
            for measure in MEASURES:
                score = region.pairs.get(measure, {}).get((i, j))
                value = None if score is None else score.value
                cells += ["" if value is None else f"{value:.6f}", "" if score is None else score.state]
            table.writerow([name, report.readers[i], report.readers[j], *cells])
    return text.getvalue().encode()
