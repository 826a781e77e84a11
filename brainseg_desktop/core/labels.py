"""What a label means, how files number it, and which labels make a region.

Inside the program a voxel holds a `Tissue`, never a file's number: schemes number the same tissue
differently (enhancing tumour is 4 in BraTS 2021 and 3 in BraTS 2023, where 4 of BraTS 2024 is the resection
cavity), so numbers are translated when a mask is read and again when it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg_desktop.core.errors import UserError


class Tissue(IntEnum):
    """What a voxel is marked as; the value stored in a `LabelMap`."""

    BACKGROUND = 0
    NECROSIS = 1
    OEDEMA = 2
    ENHANCING = 3
    NON_ENHANCING = 4
    CAVITY = 5
    TUMOUR = 6


TISSUE_NAMES = {
    Tissue.BACKGROUND: "Background",
    Tissue.NECROSIS: "Necrosis",
    Tissue.OEDEMA: "Oedema",
    Tissue.ENHANCING: "Enhancing",
    Tissue.NON_ENHANCING: "Non-enhancing",
    Tissue.CAVITY: "Resection cavity",
    Tissue.TUMOUR: "Whole tumour",
}

# Okabe and Ito (2008): distinguishable with any common colour blindness. Bound to the tissue.
TISSUE_COLOURS: dict[Tissue, tuple[int, int, int]] = {
    Tissue.NECROSIS: (213, 94, 0),
    Tissue.OEDEMA: (0, 158, 115),
    Tissue.ENHANCING: (240, 228, 66),
    Tissue.NON_ENHANCING: (86, 180, 233),
    Tissue.CAVITY: (204, 121, 167),
    Tissue.TUMOUR: (0, 158, 115),
}


@dataclass(frozen=True, slots=True)
class Region:
    """A set of tissues that is reported together.

    Parameters
    ----------
    name : str
        WT (whole tumour), TC (tumour core) or ET (enhancing tumour).
    tissues : frozenset of Tissue
    """

    name: str
    tissues: frozenset[Tissue]

    def mask(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where a label array holds one of the tissues; same shape as `labels`."""
        table = np.zeros(256, dtype=bool)
        table[[int(t) for t in self.tissues]] = True
        return np.asarray(table[labels])


# BraTS definitions: the core is necrosis, non-enhancing and enhancing tumour; the cavity is no tumour.
WT = Region(
    "WT",
    frozenset({Tissue.NECROSIS, Tissue.OEDEMA, Tissue.ENHANCING, Tissue.NON_ENHANCING, Tissue.TUMOUR}),
)
TC = Region("TC", frozenset({Tissue.NECROSIS, Tissue.ENHANCING, Tissue.NON_ENHANCING}))
ET = Region("ET", frozenset({Tissue.ENHANCING}))
REGIONS = (WT, TC, ET)


@dataclass(frozen=True, slots=True)
class Label:
    """One line of a scheme: a file's number and the tissue it stands for."""

    value: int
    tissue: Tissue

    @property
    def name(self) -> str:
        return TISSUE_NAMES[self.tissue]

    @property
    def colour(self) -> tuple[int, int, int]:
        return TISSUE_COLOURS[self.tissue]


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """How a family of files numbers tissues.

    Parameters
    ----------
    name : str
        Name used on the command line, e.g. ``"brats2021"``.
    title : str
        Name shown to the reader.
    labels : tuple of Label
        In the order of the file's numbers.
    """

    name: str
    title: str
    labels: tuple[Label, ...]

    @staticmethod
    def from_mapping(table: Mapping[str, Any]) -> LabelScheme:
        """Build a scheme from a TOML table: ``name``, ``title`` and ``labels`` (number = tissue)."""
        labels = sorted((int(value), Tissue[str(name).upper()]) for value, name in table["labels"].items())
        return LabelScheme(
            str(table["name"]), str(table["title"]), tuple(Label(value, tissue) for value, tissue in labels)
        )

    @property
    def values(self) -> frozenset[int]:
        """The file's numbers, without 0."""
        return frozenset(label.value for label in self.labels)

    @property
    def tissues(self) -> tuple[Tissue, ...]:
        return tuple(label.tissue for label in self.labels)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions this scheme can tell apart: WT always, TC and ET only where it has those tissues."""
        has = set(self.tissues)
        return tuple(r for r in REGIONS if r is WT or (r.tissues & has))

    def decode(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Tissues of a file's numbers.

        Parameters
        ----------
        values : array
            Integer or float numbers; floats must be whole (BraTS-Africa stores them as float32).

        Returns
        -------
        array of uint8, same shape

        Raises
        ------
        UserError
            ``label_not_whole`` or ``label_outside_scheme`` (params ``values``, ``scheme``).

        Examples
        --------
        >>> scheme = LabelScheme("brats2021", "", (Label(1, Tissue.NECROSIS), Label(4, Tissue.ENHANCING)))
        >>> scheme.decode(np.array([0, 1, 4.0])).tolist()
        [0, 1, 3]
        """
        numbers = whole_values(values)
        table = np.full(256, 255, dtype=np.uint8)
        table[0] = 0
        for label in self.labels:
            table[label.value] = label.tissue
        decoded = np.asarray(table[numbers])
        if decoded.size and int(decoded.max()) == 255:
            outside = sorted({int(v) for v in np.unique(numbers)} - self.values - {0})
            raise UserError("label_outside_scheme", values=outside, scheme=self.name)
        return decoded

    def encode(self, tissues: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A file's numbers for tissues; the inverse of `decode`.

        Non-enhancing core goes into the number of necrosis where the scheme has none of its own, as BraTS
        itself merged them in 2017.

        Raises
        ------
        UserError
            ``scheme_cannot_hold`` where a tissue that occurs has no number.
        """
        table = np.full(256, 255, dtype=np.uint8)
        table[0] = 0
        for label in self.labels:
            table[label.tissue] = label.value
        if table[Tissue.NON_ENHANCING] == 255:
            table[Tissue.NON_ENHANCING] = table[Tissue.NECROSIS]
        if self.tissues == (Tissue.TUMOUR,):
            for tissue in WT.tissues:
                table[tissue] = table[Tissue.TUMOUR]
        present = np.flatnonzero(np.bincount(tissues.ravel(), minlength=256))
        lost = [int(t) for t in present if t != 0 and table[t] == 255]
        if lost:
            raise UserError(
                "scheme_cannot_hold", tissues=[TISSUE_NAMES[Tissue(t)] for t in lost], scheme=self.name
            )
        return np.asarray(table[tissues])


def whole_values(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Label numbers as uint8, from integers or whole floats in 0..255.

    Raises
    ------
    UserError
        ``label_not_whole`` if a number is fractional, negative, above 255 or not finite: such a file is
        an image or a probability map, not a mask.
    """
    array = np.asarray(values)
    if array.dtype == np.uint8:
        return array
    if array.size:
        low, high = array.min(), array.max()
        if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 255:
            raise UserError("label_not_whole", low=float(low), high=float(high))
    numbers = array.astype(np.uint8)
    if array.dtype.kind == "f" and not np.array_equal(numbers, array):
        raise UserError("label_not_whole", low=float(array.min()), high=float(array.max()))
    return numbers


def fitting_schemes(values: Iterable[int], schemes: Iterable[LabelScheme]) -> tuple[LabelScheme, ...]:
    """The schemes that hold all the numbers and differ in what these numbers mean.

    Of schemes that agree on every number found only the first is kept: a mask with 1 and 2 alone means the
    same in each BraTS year. One scheme returned means recognised, several mean: ask.

    Parameters
    ----------
    values : numbers in the file; 0 is ignored.
    schemes : in order of preference.
    """
    found = sorted(set(values) - {0})
    fitting: dict[tuple[Tissue, ...], LabelScheme] = {}
    for scheme in schemes:
        if scheme.values.issuperset(found):
            meaning = {label.value: label.tissue for label in scheme.labels}
            fitting.setdefault(tuple(meaning[v] for v in found), scheme)
    return tuple(fitting.values())
