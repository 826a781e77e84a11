"""Settings, keys, and what the program says of itself."""

from __future__ import annotations

from scenes.stage import Stage


def settings(stage: Stage) -> None:
    """The pages for the display and for keys."""
    window = stage.window
    stage.do("settings")
    shown = window.settings_shower.settings
    shown.resize(760, 560)
    shown.show_page(2)
    stage.settle(0.4)
    stage.take("settings.png", shown)
    shown.show_page(3)
    stage.settle(0.4)
    stage.take("settings_keys.png", shown)
    shown.close()


def about(stage: Stage) -> None:
    """Versions and licences."""
    window = stage.window
    stage.do("about")
    shown = window.settings_shower.about
    shown.resize(760, 480)
    stage.settle(2.0)
    stage.take("about.png", shown)
    shown.close()
