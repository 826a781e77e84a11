"""Where the program keeps its own files: settings, journals, the user's networks, logs, working files."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP_NAME = "brainseg"
HOME_VARIABLE = "BRAINSEG_HOME"


def config_dir() -> Path:
    """Folder of the settings file; made on demand by whoever writes there."""
    return _own("config") or Path(platformdirs.user_config_dir(APP_NAME, appauthor=False))


def state_dir() -> Path:
    """Folder of what must outlive a crash: journals of open ratings."""
    return _own("state") or Path(platformdirs.user_state_dir(APP_NAME, appauthor=False))


def user_models_dir() -> Path:
    """Folder of the user's own networks, one folder each; made when it is to be shown."""
    return _own("models") or Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)) / "models"


def user_languages_dir() -> Path:
    """Folder of catalogues of the user's own, laid out as `resources/languages`."""
    return _own("languages") or Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)) / "languages"


def log_dir() -> Path:
    """Folder of the log and of the crash file."""
    return _own("log") or Path(platformdirs.user_log_dir(APP_NAME, appauthor=False))


def cache_dir() -> Path:
    """Folder of what may be deleted at any time."""
    return _own("cache") or Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False))


def _own(name: str) -> Path | None:
    """The folder below ``BRAINSEG_HOME``: a portable installation, or a test."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home) / name if home else None
