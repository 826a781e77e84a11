"""How long the sample case takes is measured in a worker of its own, which is gone afterwards."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.about import places, support_text, versions
from brainseg_desktop.services.device_test import measure_device
from brainseg_desktop.services.models import default_model_dir
from brainseg_desktop.services.settings import DeviceTime, Settings, load_settings, save_settings
from tests.inference.tiny import write_tiny

FAKE = Path(__file__).with_name("fake_worker.py")


def test_a_real_worker_is_measured(tmp_path: Path) -> None:
    model = write_tiny(tmp_path / "tiny", name="tiny")
    slices: list[tuple[int, int]] = []
    found = measure_device(
        "cpu",
        model,
        cancel=threading.Event(),
        on_progress=lambda done, total, left: slices.append((done, total)),
    )
    assert found.device == "cpu"
    assert found.network.startswith("tiny ")
    assert found.seconds > 0
    assert slices[-1][0] == slices[-1][1] > 0
    save_settings(Settings(device_times=(found,)))
    assert load_settings().settings.device_times == (found,)


def test_a_gpu_without_torch_or_card_is_a_code(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        measure_device("cuda", default_model_dir(), cancel=threading.Event())
    assert caught.value.code in ("cuda_missing", "torch_missing")


def test_it_is_cancelled(tmp_path: Path) -> None:
    cancel = threading.Event()
    with pytest.raises(UserError) as caught:
        measure_device(
            "cpu",
            default_model_dir(),
            cancel=cancel,
            on_progress=lambda *_: cancel.set(),
            command=[sys.executable, str(FAKE), "slow"],
        )
    assert caught.value.code == "cancelled"


def test_the_mail_for_support_tells_versions_and_no_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "a-person"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "a-person"))
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path / "a-person" / "brainseg"))
    time = DeviceTime(device="cpu", network="net 1", seconds=6.25, start_seconds=1.0, day="2026-01-02")
    text = support_text(versions("6.0"), "net 1", "auto", [time])
    for expected in (
        "BrainSeg Desktop: ",
        "Qt: 6.0",
        "numpy: ",
        "onnxruntime: ",
        "6.2 s a case",
        "2026-01-02",
    ):
        assert expected in text
    assert "a-person" not in text
    assert set(places()) >= {"Settings", "Logs"}
