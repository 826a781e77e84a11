"""All exams of a recipe, found but not read; and what kind of source a path is."""

from __future__ import annotations

import dataclasses
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.studies.blinding import check_open
from brainseg_desktop.training.config import Coding, Recipe, ScheduleConfig, SourceConfig
from brainseg_desktop.training.data.brats import find_brats
from brainseg_desktop.training.data.coco import ANNOTATIONS, find_coco
from brainseg_desktop.training.data.entries import Entry, Side
from brainseg_desktop.training.data.lgg import SLICE, find_lgg
from brainseg_desktop.training.data.pictures import find_pictures
from brainseg_desktop.training.data.stacks import find_stacks
from brainseg_desktop.training.exams import Problem

__all__ = ["Entry", "find_all", "find_entries", "recipe_of"]

FINDERS: dict[str, Callable[[Path, SourceConfig, list[Problem]], list[Entry]]] = {
    "lgg": find_lgg,
    "brats": find_brats,
    "stacks": find_stacks,
    "coco": find_coco,
    "pictures": find_pictures,
}
# How the years of BraTS number their labels, by the beginning of a case's name.
CODINGS: dict[str, Coding] = {
    "brats-": "brats2023",
    "brats19": "brats2021",
    "brats20_": "brats2021",
    "brats2021": "brats2021",
    "brats_2013": "brats2015",
}

SIDE_FOLDERS: dict[str, Side] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


def find_entries(folder: Path, source: SourceConfig, problems: list[Problem]) -> list[Entry]:
    """The exams of one source, by name.

    Parameters
    ----------
    folder : Path
        That `SourceConfig.path` starts from.
    problems : list of Problem
        Appended to: ``source_missing``, ``source_empty``, ``case_missing`` and what the source has to tell.

    Raises
    ------
    UserError
        ``blinded_case``, ``blinded_mask``: pictures and scores of a blinded study are made nowhere.
    """
    path = folder / source.path
    check_open([path])
    if not path.exists():
        problems.append(Problem("source_missing", source.path))
        return []
    entries = [
        dataclasses.replace(entry, side=source.side, identity=f"{source.coding}\n{entry.identity}")
        for entry in FINDERS[source.kind](path, source, problems)
    ]
    if not entries:
        problems.append(Problem("source_empty", source.path, source.kind))
    if source.cases:
        known = {name for entry in entries for name in (entry.name, entry.patient)}
        for name in source.cases:
            if name not in known:
                problems.append(Problem("case_missing", name, source.path))
        entries = [e for e in entries if {e.name, e.patient} & set(source.cases)]
    return entries


def find_all(recipe: Recipe, problems: list[Problem]) -> list[tuple[SourceConfig, list[Entry]]]:
    """The exams of each source of a recipe, with names that no two of them share.

    Raises
    ------
    UserError
        ``training_data_missing`` (params ``path``, ``names``) if there is none at all.
    """
    found = [(source, find_entries(recipe.folder, source, problems)) for source in recipe.sources]
    if not any(entries for _, entries in found):
        names = [source.path for source in recipe.sources]
        raise UserError("training_data_missing", path=recipe.folder, names=names)
    count = Counter(entry.name for _, entries in found for entry in entries)
    taken: set[str] = set()
    unique = []
    for source, entries in found:
        kept = []
        for entry in entries:
            # Two folders of pictures often count from 1 each.
            twice = count[entry.name] > 1
            name = f"{Path(source.path).name}/{entry.name}" if twice else entry.name
            if name in taken:
                problems.append(Problem("case_listed_twice", name, source.path))
                continue
            taken.add(name)
            kept.append(dataclasses.replace(entry, name=name))
        unique.append((source, kept))
    return unique


def recipe_of(path: Path, kind: str | None = None) -> Recipe:
    """A recipe for data without one, to look at them: whose kind is told by the names of the files.

    Each folder below with COCO annotations is a source; one that is called as a side of a split is put there.

    Raises
    ------
    UserError
        ``file_missing``, ``source_not_recognised`` (params ``path``).
    """
    if not path.exists():
        raise UserError("file_missing", path=path)
    sources = _guess(path, kind)
    if not sources:
        raise UserError("source_not_recognised", path=path)
    return Recipe(
        name=path.resolve().name, root=".", work="", sources=tuple(sources), schedule=ScheduleConfig(epochs=1)
    )


def _guess(path: Path, kind: str | None) -> list[SourceConfig]:
    place = str(path.absolute())
    if kind in (None, "lgg") and (kind or _is_lgg(path)):
        return [SourceConfig(kind="lgg", path=place, coding="lgg")]
    if kind in (None, "coco"):
        folders = sorted(file.parent for file in path.rglob(ANNOTATIONS)) if path.is_dir() else []
        if not folders and (kind or path.suffix.lower() == ".json"):
            folders = [path]
        if folders:
            return [
                SourceConfig(kind="coco", path=str(f.absolute()), side=SIDE_FOLDERS.get(f.name.lower(), ""))
                for f in folders
            ]
    guesses: tuple[SourceConfig, ...] = (
        SourceConfig(kind="brats", path=place, coding=_guess_coding(path)),
        SourceConfig(kind="stacks", path=place, coding=_guess_coding(path)),
        SourceConfig(kind="pictures", path=place),
    )
    for source in guesses:
        if kind == source.kind or (kind is None and path.is_dir() and find_entries(Path(), source, [])):
            return [source]
    return []


def _is_lgg(path: Path) -> bool:
    if path.is_dir():
        return bool(find_lgg(path, SourceConfig(kind="lgg", path=""), []))
    try:
        with zipfile.ZipFile(path) as archive:
            return any(SLICE.search(name) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return False


def _guess_coding(path: Path) -> Coding:
    """The coding that the names of the cases tell, ``binary`` where they tell several or none."""
    names = [path.resolve().name, *(p.name for p in path.rglob("*") if p.is_dir())] if path.is_dir() else []
    told = {coding for name in names for start, coding in CODINGS.items() if name.lower().startswith(start)}
    return told.pop() if len(told) == 1 else "binary"
