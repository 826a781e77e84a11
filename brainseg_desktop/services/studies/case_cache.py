"""Numbers of cases kept on the disk, so that a study measured twice, or broken off, is measured once.

A file is named by what its numbers follow from, holds no name of a patient, a reader or a file, and may be
deleted at any time. One that is damaged is as good as none.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io import atomic
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.studies.case_numbers import CaseJob, CaseNumbers

# To be raised whenever a definition of `case_numbers` or of what it calls changes.
DEFINITIONS_VERSION = 1
# What a file's content says for good; anything else (missing, changed, blinded) may be otherwise next time.
LASTING = frozenset(
    {
        "rating_off_grid",
        "label_outside_scheme",
        "label_not_whole",
        "mask_not_finite",
        "not_nifti",
        "file_truncated",
        "image_4d",
        "image_empty",
        "image_not_grey",
        "bad_affine",
    }
)

_log = logging.getLogger(__name__)


def cache_key(job: CaseJob) -> str:
    """What the numbers of a case follow from, as one hash: contents and roles of its masks, never names."""
    # Which of two masks with one content is a mask's first reading makes no difference, so hashes will do.
    masks = [
        (m.role, m.sha256, None if m.of is None else job.masks[m.of].sha256, number == job.first)
        for number, m in enumerate(job.masks)
    ]
    scheme = [(label.value, int(label.tissue)) for label in scheme_named(job.scheme).labels]
    about = (DEFINITIONS_VERSION, masks, scheme, job.tolerance_mm)
    return hashlib.sha256(msgspec.json.encode(about)).hexdigest()


def read_kept(folder: Path, key: str) -> CaseNumbers | None:
    """The numbers kept under a key; None if there are none, or what is there is not what was written."""
    try:
        digest, _, content = (folder / f"{key}.json").read_bytes().partition(b"\n")
        if digest.decode() != _digest(key, content):
            return None
        return msgspec.json.decode(content, type=CaseNumbers)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def keep(folder: Path, key: str, numbers: CaseNumbers) -> None:
    """Keep the numbers of a case, if its files will say the same again; a full disk is no reason to stop."""
    if any(problem.code not in LASTING for problem in numbers.left_out.values()):
        return
    content = msgspec.json.encode(numbers)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(folder / f"{key}.json", _digest(key, content).encode() + b"\n" + content)
    except (OSError, UserError):
        _log.warning("numbers of a case could not be kept in %s", folder, exc_info=True)


def _digest(key: str, content: bytes) -> str:
    return hashlib.sha256(key.encode() + b"\n" + content).hexdigest()
