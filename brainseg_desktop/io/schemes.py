"""Which label scheme a mask was written in, and how that is known.

The numbers alone do not always tell: 4 is enhancing tumour in BraTS 2021 and the resection cavity in BraTS
2024. Evidence is taken in this order: our own sidecar file, the names of file and folders, the numbers.
Where these leave a choice, the user is asked.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme, fitting_schemes
from brainseg_desktop.io.resources import resources_dir

PROGRAM = "BrainSeg Desktop"
# Of the sidecars of masks. Those of before 0.4.0 state none; they are of the first form too.
SIDECAR_FORMAT = 1
_PREFERENCE = ("brats2023", "brats2021", "brats2024", "brats2015", "lgg")

# The name of a data set says which years' schemes its masks can be in, likeliest first.
_NAMES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"brats[-_]?gli-\d+-1\d\d(?!\d)", re.I), ("brats2024",)),
    (re.compile(r"brats[-_ ]?(20)?24", re.I), ("brats2024",)),
    (re.compile(r"brats[-_ ]?(20)?23|brats-(gli|men|met|ssa)-\d", re.I), ("brats2023",)),
    (re.compile(r"brats[-_ ]?(2021|21|2020|20|2019|19|2018|18|2017|17)(?!\d)", re.I), ("brats2021",)),
    (re.compile(r"brats[-_ ]?(2012|2013|2014|2015)(?!\d)", re.I), ("brats2015",)),
    (re.compile(r"kaggle_3m|lgg-mri", re.I), ("lgg",)),
)
# Paediatric BraTS renumbered its labels in 2024 (1 is enhancing there): never concluded from the numbers.
_UNSETTLED = re.compile(r"brats[-_]?ped", re.I)


@dataclass(frozen=True, slots=True)
class Recognised:
    """A scheme and the reason for taking it.

    Parameters
    ----------
    scheme : LabelScheme
    why : UserError
        Not an error: code and parameters of the sentence that tells the user the reason.
    """

    scheme: LabelScheme
    why: UserError


@cache
def load_schemes() -> Mapping[str, LabelScheme]:
    """The schemes of ``resources/schemes`` by name, in order of preference where a mask fits several.

    Raises
    ------
    UserError
        ``resource_missing`` if the program's own files are not there.
    """
    folder = resources_dir() / "schemes"
    schemes = []
    for path in folder.glob("*.toml"):
        with path.open("rb") as file:
            schemes.append(LabelScheme.from_mapping(tomllib.load(file)))
    if not schemes:
        raise UserError("resource_missing", path=folder)
    rank = {name: i for i, name in enumerate(_PREFERENCE)}
    ordered = sorted(schemes, key=lambda s: (rank.get(s.name, len(rank)), s.name))
    return MappingProxyType({scheme.name: scheme for scheme in ordered})


def scheme_named(name: str) -> LabelScheme:
    """The scheme with this name.

    Raises
    ------
    UserError
        ``scheme_unknown`` with the names there are.
    """
    schemes = load_schemes()
    if name not in schemes:
        raise UserError("scheme_unknown", name=name, known=list(schemes))
    return schemes[name]


def recognise_scheme(
    values: Iterable[int],
    path: Path,
    *,
    hints: Iterable[str] = (),
    sidecar: Mapping[str, Any] | None = None,
) -> Recognised:
    """Find the scheme of a mask.

    Parameters
    ----------
    values : numbers that occur in the file
    path : Path
        Of the mask; its name and the names of the two folders around it are evidence.
    hints : more names to look at, e.g. those of the images beside it
    sidecar : mapping or None
        Our own sidecar of this very file (see `read_sidecar`).

    Raises
    ------
    UserError
        ``scheme_ambiguous`` (params ``path``, ``values``, ``candidates``) if several fit and differ,
        ``label_outside_scheme`` if none fits.
    """
    found = sorted({int(v) for v in values} - {0})
    schemes = tuple(load_schemes().values())
    if sidecar is not None and isinstance(sidecar.get("scheme"), str):
        named = next((s for s in schemes if s.name == sidecar["scheme"]), None)
        if named is not None and named.values.issuperset(found):
            return Recognised(named, UserError("scheme_by_sidecar", path=path, scheme=named.name))
    if not any(s.values.issuperset(found) for s in schemes):
        raise UserError("label_outside_scheme", path=path, values=found, scheme=[s.name for s in schemes])
    names = (path.name, path.parent.name, path.parent.parent.name, *hints)
    by_name = _scheme_by_name(names)
    if by_name is not None and by_name[0].values.issuperset(found):
        return Recognised(
            by_name[0], UserError("scheme_by_name", path=path, scheme=by_name[0].name, name=by_name[1])
        )
    if not found:
        return Recognised(schemes[0], UserError("scheme_empty_mask", path=path, scheme=schemes[0].name))
    # 1 and 2 mean the same in each BraTS year; a 3 without a 4 is BraTS 2023 and 2024 alike. The numbers of
    # 2012 to 2015 are concluded from names only: a 3 of theirs without any 4 is rare.
    glioma = [s for s in schemes if s.name not in ("lgg", "brats2015")]
    if not any(_UNSETTLED.search(name) for name in names):
        fitting = fitting_schemes(found, glioma)
        if len(fitting) == 1 and found != [1] and 4 not in found:
            return Recognised(
                fitting[0],
                UserError("scheme_by_values", path=path, values=found, scheme=fitting[0].name),
            )
        # The names of 2023 with both a 3 and a 4 can only be 2024, whose cases are named alike.
        if by_name is not None and by_name[0].name == "brats2023" and {3, 4} <= set(found):
            chosen = scheme_named("brats2024")
            return Recognised(
                chosen, UserError("scheme_by_name", path=path, scheme=chosen.name, name=by_name[1])
            )
    candidates = [s.name for s in fitting_schemes(found, schemes)]
    raise UserError("scheme_ambiguous", path=path, values=found, candidates=candidates)


def _scheme_by_name(names: Iterable[str]) -> tuple[LabelScheme, str] | None:
    """The scheme that the first telling name speaks for, and that name."""
    for name in names:
        if _UNSETTLED.search(name):
            return None
        for pattern, schemes in _NAMES:
            if pattern.search(name):
                return scheme_named(schemes[0]), name
    return None


def sidecar_path(mask: Path) -> Path:
    """Where the sidecar of a mask lies: the same name with ``.json``; for slices in their folder.

    Examples
    --------
    >>> sidecar_path(Path("a/case_seg.nii.gz")).name
    'case_seg.json'
    """
    if mask.is_dir():
        return mask / "masks.json"
    name = mask.name
    for suffix in (".nii.gz", ".nii"):
        if name.lower().endswith(suffix):
            return mask.with_name(name[: -len(suffix)] + ".json")
    return mask.with_name(name + ".json")


def read_sidecar(mask: Path, sha256: str) -> Mapping[str, Any] | None:
    """Our own sidecar of a mask, or None.

    It counts only if this program wrote it for exactly these bytes: another program may have written the
    mask anew and left the sidecar behind.

    Raises
    ------
    UserError
        ``sidecar_newer`` (param ``path``): what a newer version meant by it, nobody here can know.
    """
    try:
        content = json.loads(sidecar_path(mask).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("program") != PROGRAM or content.get("sha256") != sha256:
        return None
    refuse_newer(content, sidecar_path(mask))
    return content


def refuse_newer(sidecar: Mapping[str, Any], path: Path) -> None:
    """Refuse a sidecar of a later form; one without a number is of the first.

    Raises
    ------
    UserError
        ``sidecar_newer`` (param ``path``).
    """
    written = sidecar.get("format", 1)
    if not isinstance(written, int) or written > SIDECAR_FORMAT:
        raise UserError("sidecar_newer", path=path)
