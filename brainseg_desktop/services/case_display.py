"""What is kept with a case: its windows, colour maps and measurements.

One small file per set of images in the program's own folder, never beside the images: these may lie on a
read-only share, and a second reader's windows are his own. The file's name is a hash of the images and
nothing in it names a patient.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from collections.abc import Sequence as SequenceOf
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from brainseg_desktop.core.case import Case
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.io.atomic import set_aside, write_bytes, write_error
from brainseg_desktop.services.paths import state_dir

VERSION = 1
MAX_FILES = 2000

Window = tuple[float, float]
_DEFAULT_COLOUR_MAP = "grey"


class CaseDisplay(msgspec.Struct, frozen=True, kw_only=True):
    """How a reader left a case; only what differs from how every case starts.

    Parameters
    ----------
    windows : lower and upper grey limit by the name of the sequence
    colour_maps : name of the colour map by the name of the sequence
    measurements : as `core.measurements` writes them, plain values only
    alignment : how sequences were brought together, by name, as `services.alignment.placing` writes it
    """

    version: int = VERSION
    windows: dict[str, Window] = {}
    colour_maps: dict[str, str] = {}
    measurements: list[dict[str, Any]] = []
    alignment: dict[str, dict[str, Any]] = {}

    @property
    def is_default(self) -> bool:
        """Whether there is nothing to keep."""
        return not (self.windows or self.colour_maps or self.measurements or self.alignment)


class _Written(msgspec.Struct, frozen=True):
    version: int = VERSION


class WindowPreset(msgspec.Struct, frozen=True, kw_only=True):
    """A window that a reader has named.

    Parameters
    ----------
    name : str
    sequence : name of the one sequence it is offered for, empty for all
    unit : "percent" of the voxels that are not background, or "value" as stored in the image
    low, high : float
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    low: float
    high: float
    sequence: Literal["", "T1", "T1CE", "T2", "FLAIR"] = ""
    unit: Literal["percent", "value"] = "percent"


def case_display(
    windows: Mapping[Sequence, Window],
    default_windows: Mapping[Sequence, Window],
    colour_maps: Mapping[Sequence, str],
    measurements: SequenceOf[Mapping[str, Any]] = (),
    alignment: Mapping[str, Mapping[str, Any]] | None = None,
) -> CaseDisplay:
    """What of a display is to be kept: windows and colour maps that the reader has changed, measurements.

    Examples
    --------
    >>> auto = {Sequence.T1: (0.0, 9.0), Sequence.T2: (1.0, 5.0)}
    >>> case_display({**auto, Sequence.T2: (2.0, 3.0)}, auto, {Sequence.T1: "grey"}).windows
    {'T2': (2.0, 3.0)}
    """
    return CaseDisplay(
        windows={
            s.value: (float(w[0]), float(w[1]))
            for s, w in windows.items()
            if w != default_windows.get(s) and _is_window(w)
        },
        colour_maps={s.value: name for s, name in colour_maps.items() if name != _DEFAULT_COLOUR_MAP},
        measurements=[dict(m) for m in measurements],
        alignment={name: dict(how) for name, how in (alignment or {}).items()},
    )


def display_path(case: Case) -> Path | None:
    """The file of a case, whether it exists or not; None where its images have no hash."""
    images = sorted((s.value, v.source.sha256) for s, v in case.volumes.items())
    if not all(sha256 for _, sha256 in images):
        return None
    name = hashlib.sha256("\n".join(f"{s} {sha256}" for s, sha256 in images).encode()).hexdigest()
    return display_dir() / f"{name}.json"


def display_dir() -> Path:
    """Folder of these files."""
    return state_dir() / "display"


def load_display(case: Case) -> CaseDisplay | None:
    """How this case was left; None if nothing is kept of it.

    Raises
    ------
    UserError
        ``display_broken`` (params ``path``, ``reason``): the file could not be understood and was set aside.
    """
    path = display_path(case)
    if path is None:
        return None
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError("display_broken", path=path, reason=error.strerror or "not readable") from error
    try:
        # Before its values are looked at: a newer version may have other ones.
        written = msgspec.json.decode(raw, type=_Written).version
        if written > VERSION:
            raise msgspec.ValidationError(f"written by a newer version ({written})")
        display = msgspec.json.decode(raw, type=CaseDisplay)
        if not all(map(_is_window, display.windows.values())):
            raise msgspec.ValidationError("a window without width")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError("display_broken", path=set_aside(path), reason=str(error)) from error
    # The files used last are kept when there are too many.
    with suppress(OSError):
        os.utime(path)
    return display


def save_display(case: Case, display: CaseDisplay) -> None:
    """Keep how this case is shown; where all is as at the start, a file of earlier is removed.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed`` (param ``path``); the old file is then unchanged.
    """
    path = display_path(case)
    if path is not None:
        _save(path, display)


class DisplayKeeper:
    """Keeps the displays of the cases that are read, and tells a failure once, not at each change.

    What could not be written stays here until it can be, and is shown again when its case is opened again.

    Parameters
    ----------
    tell : callable
        Takes the `UserError` to be said.
    """

    def __init__(self, tell: Callable[[UserError], None]) -> None:
        self._tell = tell
        self._unwritten: dict[Path, CaseDisplay] = {}
        self._written: tuple[Path, CaseDisplay] | None = None
        self._untouchable: set[Path] = set()
        self._has_told = False

    def load(self, case: Case) -> CaseDisplay:
        """How this case was left; the default, and a word to the user, where that cannot be read."""
        path = display_path(case)
        if path is None:
            return CaseDisplay()
        if path in self._unwritten:
            return self._unwritten[path]
        try:
            display = load_display(case) or CaseDisplay()
        except UserError as error:
            self._tell(error)
            if path.exists():  # it could not even be set aside, so it must not be written over
                self._untouchable.add(path)
            return CaseDisplay()
        self._written = (path, display)
        return display

    def save(self, case: Case, display: CaseDisplay) -> None:
        """Write how this case is shown, if that has changed, and what could not be written before."""
        path = display_path(case)
        if path is None:
            return
        changed = path in self._unwritten or self._written != (path, display)
        if changed and path not in self._untouchable:
            self._unwritten[path] = display
        self.retry()

    def retry(self) -> None:
        """Write what could not be written before; for the end of the program."""
        for path, display in list(self._unwritten.items()):
            try:
                _save(path, display)
            except UserError as error:
                if not self._has_told:
                    self._has_told = True
                    self._tell(error)
                return
            del self._unwritten[path]
            self._written = (path, display)
        self._has_told = False


def _save(path: Path, display: CaseDisplay) -> None:
    try:
        if display.is_default:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, path) from error
    is_new = not path.exists()
    write_bytes(path, msgspec.json.format(msgspec.json.encode(display), indent=2) + b"\n")
    if is_new:
        _remove_oldest(path.parent)


def _remove_oldest(folder: Path) -> None:
    """Leave the `MAX_FILES` files that were used last."""
    files = []
    for path in folder.glob("*.json"):
        with suppress(OSError):  # another running program may remove it too
            files.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(files, reverse=True)[MAX_FILES:]:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _is_window(window: Window) -> bool:
    return all(map(math.isfinite, window)) and window[1] > window[0]
