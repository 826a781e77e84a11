"""What a file that was double-clicked, or several at once, mean: the case found beside them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from brainseg_desktop.io.dicom.files import is_dicom
from brainseg_desktop.io.images import is_image_name
from brainseg_desktop.io.layouts import CaseFiles, assign, cases_in, group_by_case


def path_given(text: str) -> Path:
    """The absolute path that another program means: a path, or a ``file:`` address as some desktops pass.

    Examples
    --------
    >>> path_given("file:///data/B%C3%BCrger%20A/t1.nii").as_posix().endswith("/data/Bürger A/t1.nii")
    True
    """
    if text[:5].lower() == "file:":
        parts = urlsplit(text)
        if os.name == "nt":
            text = url2pathname(f"//{parts.netloc}{parts.path}" if parts.netloc else parts.path)
        else:
            # Names that are no UTF-8 come back as the very bytes.
            text = os.fsdecode(unquote_to_bytes(parts.path))
    return Path(os.path.abspath(text))  # noqa: PTH100 - a link keeps its name


def find_around(path: Path) -> tuple[CaseFiles, tuple[Path, ...]] | None:
    """The case of the folder that an image or mask file belongs to; None if it stands alone there.

    Only files that lie beside it are taken; those of another case of the folder are not.

    Returns
    -------
    CaseFiles, tuple of Path
        And what opens this very case: the folder if there is no other in it, else its files.
    """
    if not path.is_file() or not is_image_name(path):
        return None
    names = sorted(e.name for e in path.parent.iterdir() if not e.name.startswith(".") and e.is_file())
    cases = cases_in(path.parent, names)
    for case in cases:
        members = (*case.images.values(), *case.masks)
        if path in members and case.images and len(members) > 1:
            return case, (path.parent,) if len(cases) == 1 else members
    return None


def group_files(paths: Sequence[Path]) -> list[list[Path]]:
    """Files and folders opened together, as cases: sequences of one exam are one, each folder is its own.

    Parameters
    ----------
    paths : sequence of Path
        All of them exist.
    """
    files = [p for p in paths if not p.is_dir()]
    groups = [[p] for p in paths if p.is_dir()]
    slices = [p for p in files if is_dicom(p)]
    groups += [[first] for first in _firsts_by_folder(slices)]
    images = [p for p in files if p not in slices]
    if not images:
        return groups
    if not any(n.code == "sequence_claimed_twice" for n in assign(images).notes):
        return [*groups, images]
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in images:
        by_folder[path.parent].append(path)
    return [*groups, *(group for found in by_folder.values() for group in group_by_case(found))]


def _firsts_by_folder(paths: Iterable[Path]) -> list[Path]:
    """One DICOM file of each folder: it stands for its exam."""
    firsts: dict[Path, Path] = {}
    for path in paths:
        firsts.setdefault(path.parent, path)
    return list(firsts.values())
