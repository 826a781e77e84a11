"""The test of the devices: what it measures, what it says where it cannot, and how it is ended."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from brainseg_desktop.gui.dialogs.network_card import NetworkCardDialog
from brainseg_desktop.gui.main_window import MainWindow
from brainseg_desktop.gui.settings.settings_window import SettingsWindow
from brainseg_desktop.services.paths import user_models_dir
from brainseg_desktop.services.settings import load_settings
from tests.gui.conftest import open_case
from tests.gui.settings.conftest import DEVICE, choose, named, open_settings, press
from tests.inference.tiny import write_tiny

FAKE = Path(__file__).parents[2] / "services" / "fake_worker.py"


def fake(settings: SettingsWindow, mode: str) -> None:
    """Have the test start a worker that behaves so."""
    settings.device.command = [sys.executable, str(FAKE), mode]


def result(settings: SettingsWindow, device: str) -> str:
    return settings.device._results[device].text()


def doing(settings: SettingsWindow) -> str:
    return " ".join(label.text() for label in settings.device.findChildren(QLabel) if label.isVisible())


def wait_for_end(qtbot: QtBot, settings: SettingsWindow) -> None:
    qtbot.waitUntil(lambda: not settings.device.is_running, timeout=60_000)


def test_the_measured_time_is_said_with_its_day_and_kept(
    qtbot: QtBot, window: MainWindow, make: Callable[[], MainWindow]
) -> None:
    settings = open_settings(qtbot, window, DEVICE)
    fake(settings, "good")
    assert result(settings, "cpu") == "Not measured yet."
    press(qtbot, settings, "Test")
    assert settings.device.is_running
    wait_for_end(qtbot, settings)
    # The fake worker says that it took half a second.
    year = str(datetime.now(UTC).astimezone().year)
    for device in ("cpu", "cuda"):
        assert result(settings, device).startswith("0.5 s for the sample case")
        assert year in result(settings, device)
    assert "The test is done." in doing(settings)
    assert {t.device for t in load_settings().settings.device_times} == {"cpu", "cuda"}
    window.close()
    again = make()
    settings = open_settings(qtbot, again, DEVICE)
    assert result(settings, "cpu").startswith("0.5 s for the sample case")


def test_a_gpu_that_is_missing_is_said_in_a_sentence(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    """A worker without torch answers the load for the GPU so; the processor is measured all the same."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, subprocess, sys\n"
        "first = sys.stdin.readline()\n"
        "if json.loads(first)['device'] == 'cuda':\n"
        "    print(json.dumps({'event': 'error', 'job': None, 'code': 'torch_missing', 'params': {}}))\n"
        "    sys.exit(sys.stdout.flush())\n"
        f"child = subprocess.Popen([sys.executable, {str(FAKE)!r}, 'good'], stdin=subprocess.PIPE)\n"
        "child.stdin.write(first.encode()); child.stdin.flush()\n"
        "for line in sys.stdin:\n"
        "    child.stdin.write(line.encode()); child.stdin.flush()\n"
        "child.stdin.close(); child.wait()\n"
    )
    settings = open_settings(qtbot, window, DEVICE)
    settings.device.command = [sys.executable, str(script)]
    press(qtbot, settings, "Test")
    wait_for_end(qtbot, settings)
    assert result(settings, "cpu").startswith("0.5 s")
    assert result(settings, "cuda") == (
        "This installation has no torch, which a GPU needs, so the processor is used."
    )
    assert [t.device for t in load_settings().settings.device_times] == ["cpu"]


@pytest.mark.parametrize("mode", ["die", "stillborn", "rubbish", "error", "corrupt"])
def test_a_worker_that_fails_is_said_and_the_page_goes_on(
    qtbot: QtBot, window: MainWindow, mode: str
) -> None:
    settings = open_settings(qtbot, window, DEVICE)
    fake(settings, mode)
    press(qtbot, settings, "Test")
    wait_for_end(qtbot, settings)
    for device in ("cpu", "cuda"):
        assert result(settings, device).endswith(".")
        assert result(settings, device) != "Not measured yet."
        assert " s for the sample case" not in result(settings, device)
    assert window.settings.device_times == ()
    fake(settings, "good")
    press(qtbot, settings, "Test")
    wait_for_end(qtbot, settings)
    assert result(settings, "cpu").startswith("0.5 s")


@pytest.mark.parametrize("mode", ["slow", "slow-load", "hang"])
def test_it_is_cancelled_at_once_and_can_be_begun_again(qtbot: QtBot, window: MainWindow, mode: str) -> None:
    settings = open_settings(qtbot, window, DEVICE)
    fake(settings, mode)
    test = named(settings, QPushButton, "Test the devices")
    press(qtbot, settings, "Test")
    assert not test.isEnabled()
    if mode != "slow-load":
        qtbot.waitUntil(lambda: "slice" in doing(settings), timeout=30_000)
    press(qtbot, settings, "Cancel")
    assert not settings.device.is_running
    assert test.isEnabled()
    assert "The test was cancelled." in doing(settings)
    assert window.settings.device_times == ()
    fake(settings, "good")
    press(qtbot, settings, "Test")
    wait_for_end(qtbot, settings)
    # What the cancelled one might still have sent home has changed nothing.
    assert result(settings, "cpu").startswith("0.5 s")


@pytest.mark.parametrize("which", ["settings", "main"])
def test_a_window_that_is_closed_ends_the_test(qtbot: QtBot, window: MainWindow, which: str) -> None:
    """No process, thread or window is left; the fixture `no_leaks` looks."""
    settings = open_settings(qtbot, window, DEVICE)
    fake(settings, "hang")
    press(qtbot, settings, "Test")
    qtbot.waitUntil(lambda: "slice" in doing(settings), timeout=30_000)
    (settings if which == "settings" else window).close()
    qtbot.waitUntil(lambda: window.jobs.is_idle, timeout=10_000)
    assert load_settings().settings.device_times == ()


def test_while_a_case_is_segmented_no_test_begins(qtbot: QtBot, window: MainWindow, small_case: Path) -> None:
    open_case(qtbot, window, small_case)
    window.client._command = [sys.executable, str(FAKE), "slow"]
    settings = open_settings(qtbot, window, DEVICE)
    test = named(settings, QPushButton, "Test the devices")
    window.segmenting.start()
    assert not test.isEnabled()
    assert "is being segmented" in test.toolTip()
    window.segmenting.cancel()
    assert test.isEnabled()


def test_the_device_is_the_next_segmentation_s(
    qtbot: QtBot, window: MainWindow, make: Callable[[], MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(type(window.client), "warm_up", lambda self, model, device: asked.append(device))
    settings = open_settings(qtbot, window, DEVICE)
    choose(qtbot, settings, "Device that the network runs on", Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: asked == ["cpu"], timeout=5000)
    assert window.segmenting.device == window.studying.device == "cpu"
    window.close()
    again = make()
    assert again.segmenting.device == again.studying.device == "cpu"
    assert json.loads(json.dumps(again.settings.device)) == "cpu"


def test_the_network_is_in_step_with_the_menu(
    qtbot: QtBot, window: MainWindow, make: Callable[[], MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(window.client), "warm_up", lambda *_: None)
    write_tiny(user_models_dir() / "mine", name="mine")
    settings = open_settings(qtbot, window, DEVICE)
    box = named(settings, QComboBox, "Network that outlines")
    qtbot.waitUntil(lambda: box.count() == 2, timeout=20_000)
    choose(qtbot, settings, "Network that outlines", Qt.Key.Key_Down)
    assert window.networks.name == "mine"
    window.networks.choose("glioma-unet")
    assert box.currentData() == "glioma-unet"
    choose(qtbot, settings, "Network that outlines", Qt.Key.Key_Down)
    press(qtbot, settings, "Card...")
    qtbot.waitUntil(lambda: window.findChild(NetworkCardDialog) is not None, timeout=20_000)
    assert "mine" in window.findChild(NetworkCardDialog).windowTitle()
    window.close()
    assert make().networks.name == "mine"
