"""Shows a folder in the system's file manager."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.io.atomic import write_error


def show_folder(path: Path, *, make: bool = False) -> UserError | None:
    """Open the folder there; what went wrong, if something did.

    Parameters
    ----------
    path : Path
    make : bool
        It is one of the program's own and may be missing until now.
    """
    if make:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return write_error(error, path)
    if not path.is_dir():
        return UserError("folder_gone", path=path)
    if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
        return UserError("folder_not_shown", path=path)
    return None
