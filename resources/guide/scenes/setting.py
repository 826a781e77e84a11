"""Settings, keys, the first start, the tour, and what the program says of itself."""

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


def welcome(stage: Stage) -> None:
    """What the first start shows."""
    window = stage.window
    window.resize(1280, 620)
    window.welcoming.offer(lambda: None)
    stage.settle(0.5)
    stage.take("welcome.png", window.centralWidget())


def tour(stage: Stage) -> None:
    """The second card of the tour, on the sample case."""
    window = stage.window
    window.touring.start()
    stage.until(lambda: window.touring.is_on and window.session.case is not None)
    window.touring._go(1)
    stage.settle(1.0)
    stage.take("tour.png")
    window.touring.leave()


def about(stage: Stage) -> None:
    """Versions and licences."""
    window = stage.window
    stage.do("about")
    shown = window.settings_shower.about
    shown.resize(760, 480)
    stage.settle(2.0)
    stage.take("about.png", shown)
    shown.close()
