"""Opens the settings and what the program says of itself; asked for twice, each is one window."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brainseg_desktop.gui.dialogs.about_window import AboutWindow
    from brainseg_desktop.gui.main_window import MainWindow
    from brainseg_desktop.gui.settings.settings_window import SettingsWindow


class SettingsShower:
    """Holds the two windows while they are open.

    Parameters
    ----------
    window : MainWindow
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.settings: SettingsWindow | None = None
        self.about: AboutWindow | None = None

    def show(self) -> None:
        """Open the settings, or bring them to the front."""
        # Imported here: rarely opened, and the start must be quick.
        from brainseg_desktop.gui.settings.settings_window import SettingsWindow

        if self.settings is None:
            self.settings = SettingsWindow(self._window)
            self.settings.finished.connect(self._settings_closed)
        self.settings.show()
        self.settings.raise_()
        self.settings.activateWindow()

    def show_about(self) -> None:
        """Open what the program says of itself, or bring it to the front."""
        from brainseg_desktop.gui.dialogs.about_window import AboutWindow

        if self.about is None:
            self.about = AboutWindow(self._window)
            self.about.finished.connect(self._about_closed)
        self.about.show()
        self.about.raise_()
        self.about.activateWindow()

    def _settings_closed(self) -> None:
        self.settings = None
        # Not every window system gives the keys back to the window by itself.
        self._window.activateWindow()

    def _about_closed(self) -> None:
        self.about = None
