"""What the program remembers of its user: typed, versioned, written whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.case_display import WindowPreset
from brainseg_desktop.services.kept_file import load_kept, save_kept
from brainseg_desktop.services.paths import config_dir

VERSION = 1
MAX_RECENT = 12
FILE_NAME = "settings.json"

Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Brush(msgspec.Struct, frozen=True, kw_only=True):
    """The brush as it was last used."""

    diameter_mm: Annotated[float, msgspec.Meta(ge=0.5, le=100.0)] = 8.0
    shape: Literal["disc", "ball"] = "disc"
    keep_others: bool = False


class ViewWindowPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A view in a window of its own: what it shows and where it stands (base64 text)."""

    sequence: str
    plane: str
    geometry: str = ""


class DeviceTime(msgspec.Struct, frozen=True, kw_only=True):
    """How long a network took for the sample case on a device, as the reader had it measured.

    Parameters
    ----------
    device : where it ran
    network : its name and version
    seconds, start_seconds : for the case, and before that to start and read the network
    day : when, as ``YYYY-MM-DD``
    """

    device: Literal["cpu", "cuda"]
    network: str
    seconds: Annotated[float, msgspec.Meta(ge=0.0)]
    start_seconds: Annotated[float, msgspec.Meta(ge=0.0)]
    day: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything remembered between two starts.

    Parameters
    ----------
    recent_cases : paths as text, newest first
        A folder, or the files of a loose case joined with ``os.pathsep``.
    window : base64 text of the main window's geometry, empty for the default
    layout : base64 text of the docks, empty for the default
    last_open_dir, last_export_dir : folders shown first by file dialogs, empty for the default
    cases_dir, exports_dir : folders that the reader wants shown first instead, empty for none
    language : code of the window's language
    keys : shortcuts that the reader has changed, by name of the action, in Qt's spelling
    device_times : what was measured last on each device
    model : name of the network chosen, empty for the bundled one
    device : where the network runs
    radiological, nose_left : from which side axial and coronal, and sagittal views are seen
    palette, own_colours : colours of the labels; the reader's own by name of tissue, as ``#rrggbb``
    window_presets : windows that the reader has named
    layout_kind, contents : arrangement of the views, and (sequence, plane) of each view of each layout
    view_windows : views in windows of their own
    reference : sequence that masks are drawn on where grids differ and no mask says, empty for the usual rule
    rater : name under which the reader's own masks are kept
    notice_accepted, notice_date : mark of the research-use notice acknowledged, and on which day (ISO)
    last_study, study_reader : folder of the study opened last, and as whom (key of the reader)
    """

    version: int = VERSION
    recent_cases: tuple[str, ...] = ()
    window: str = ""
    layout: str = ""
    theme: Literal["dark", "light"] = "dark"
    opacity: Fraction = 0.5
    # What version 0.1.0 had instead of the line below; taken over when its file is read.
    outline_only: bool = False
    mask_style: Literal["fill", "outline", "both"] = "fill"
    smooth: bool = False
    radiological: bool = True
    nose_left: bool = True
    palette: Literal["safe", "classic", "own"] = "safe"
    own_colours: dict[str, str] = {}
    window_presets: tuple[WindowPreset, ...] = ()
    layout_kind: str = "sequences"
    contents: dict[str, list[tuple[str, str]]] = {}
    view_windows: tuple[ViewWindowPlace, ...] = ()
    brush: Brush = Brush()
    model: str = ""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    reference: Literal["", "FLAIR", "T1CE"] = ""
    rater: str = "Reader"
    last_study: str = ""
    study_reader: str = ""
    last_open_dir: str = ""
    last_export_dir: str = ""
    notice_accepted: str = ""
    notice_date: str = ""
    cases_dir: str = ""
    exports_dir: str = ""
    language: str = "en"
    keys: dict[str, tuple[str, ...]] = {}
    device_times: tuple[DeviceTime, ...] = ()

    @property
    def opening_dir(self) -> str:
        """The folder that is shown first when something is opened."""
        return self.cases_dir or self.last_open_dir


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings read, and what the user must be told of them.

    Parameters
    ----------
    settings : Settings
    problem : UserError or None
        ``settings_broken`` or ``settings_partly_broken`` with ``path`` (where the unreadable file was set
        aside) and ``reason``.
    """

    settings: Settings
    problem: UserError | None = None


def settings_path() -> Path:
    """The settings file, whether it exists or not."""
    return config_dir() / FILE_NAME


def load_settings() -> Loaded:
    """Read the settings; defaults on the first start and for what is broken. A broken file is kept beside."""
    settings, problem = load_kept(settings_path(), Settings, VERSION)
    if settings.outline_only:
        settings = msgspec.structs.replace(settings, mask_style="outline", outline_only=False)
    return Loaded(settings, problem)


def save_settings(settings: Settings) -> None:
    """Write the settings; the old file stays as it was if this fails.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed`` (param ``path``).
    """
    save_kept(settings_path(), settings)


def with_recent(settings: Settings, case: str) -> Settings:
    """The settings with `case` first among the recent ones.

    Examples
    --------
    >>> with_recent(Settings(recent_cases=("/a", "/b")), "/b").recent_cases
    ('/b', '/a')
    """
    others = tuple(c for c in settings.recent_cases if c != case)
    return msgspec.structs.replace(settings, recent_cases=(case, *others)[:MAX_RECENT])
