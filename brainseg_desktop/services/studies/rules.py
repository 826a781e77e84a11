"""What each number of a study is, and what was left out of it, in words to print beside the numbers."""

from __future__ import annotations

from collections.abc import Mapping

from brainseg_desktop.services.compare import DEFINITIONS
from brainseg_desktop.services.studies.results import MEASURES

_OF_PAIRS = {
    "pairs": (
        "Each two raters on each case that both have read, first readings only. Where it matters which is "
        "the reference, both orders have a number: the first name is the reference."
    ),
    "mean": (
        "Mean, SD (n - 1), median and range are over the n cases that have a number. Left out are cases "
        "without one, because masks are empty or the files state no voxel size; missing are cases that one "
        "of the two has not read, or that were excluded."
    ),
    "empty": (
        "Two empty masks agree, but have no Dice, IoU or distance: they are left out and counted. Where one "
        "of two is empty, Dice, IoU and surface Dice are 0 and count; there is no distance."
    ),
    "readers": (
        "Over all pairs of human readers on all cases, each with the same weight; of volume differences the "
        "absolute value is taken, since their sign only says who was named first."
    ),
    "interval": (
        "95 % percentile bootstrap of the mean, 2000 resamplings of cases with a fixed seed; a case is drawn "
        "with all its pairs, as they are not independent (Efron and Tibshirani 1993). With few cases it is "
        "too narrow; with one there is none."
    ),
}
_OF_READERS = {
    "cohen_kappa": "Cohen's kappa (1960) of each pair on each case: inside or outside, over the whole grid.",
    "fleiss_kappa": (
        "Fleiss' kappa (1971) of all human readers of a case: inside or outside, over the whole grid. With "
        "much background it tends to Dice."
    ),
    "krippendorff_alpha": (
        "Krippendorff's nominal alpha (2011) of all human readers of a case: inside or outside, over the "
        "whole grid."
    ),
    "conformity": (
        "Generalised conformity index of all human readers of a case: intersections over unions, each summed "
        "over all pairs (Kouwenhoven 2009)."
    ),
    "icc": (
        "ICC(2,1), absolute agreement, and ICC(3,1), consistency (Shrout and Fleiss 1979), of the volumes of "
        "the human readers with 95 % intervals. Cases that one of them lacks are left out and counted."
    ),
    "bland_altman": (
        "Volume of the first rater minus that of the second in mL: bias, and limits of agreement at 1.96 "
        "standard deviations, with 95 % intervals by Student's t (Bland and Altman 1986)."
    ),
    "consensus": (
        "Dice with the STAPLE consensus (Warfield 2004, whole grid, cut at 0.5) of the human readers of the "
        "case; for a human reader, of the other ones (leave one out). The consensus of one is that one."
    ),
    "repeats": (
        "A repeat is a second reading of a case by the same reader, who was not told. Only its Dice with the "
        "first reading and its volume are used. The coefficient of variation is the root mean square of that "
        "of each case (Glüer 1995); RMSE is the root mean square difference of the volumes in mL."
    ),
    "exclusions": (
        "A mask that cannot be read, was changed, lies on another grid than the others of its case, or holds "
        "labels outside the scheme is left out of every number and named with the reason. The grid of a case "
        "is the one that most of its masks share."
    ),
}


def rules_of(tolerance_mm: float) -> Mapping[str, str]:
    """The rules of a report, by the key of what they explain."""
    defined = dict(DEFINITIONS)
    lesions = defined.pop("lesion_wise")
    by_key = {
        **defined,
        "lesion_dice": lesions,
        "lesion_hd95_mm": (
            "HD95 in mm of each of the lesions of the lesion-wise Dice, 374 for a missed or false one; mean "
            "over lesions."
        ),
        "volume_ml": "Number of voxels times the volume of one, in mL; first readings.",
        "volume_difference_ml": "Volume of the second mask minus that of the first, in mL.",
    }
    measures = {m.key: by_key[m.key].format(tolerance_mm=tolerance_mm) for m in MEASURES}
    rest = {key: by_key[key] for key in ("surface", "volume_ml")}
    return {**_OF_PAIRS, **measures, **rest, **_OF_READERS}
