"""The self-test passes here, and a broken installation fails it in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainseg_desktop.services import selftest


@pytest.mark.slow
def test_this_installation_is_whole() -> None:
    steps = selftest.run_selftest()
    assert [s.name for s in steps if not s.ok] == [], steps
    assert {s.name for s in steps} >= {"Networks", "Sample case", "Window"}


def test_a_missing_network_is_one_failed_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "models_dir", lambda: tmp_path)
    step = selftest._attempt("Networks", selftest._check_models)
    assert not step.ok
    assert str(tmp_path) in step.detail


def test_a_bug_in_one_check_is_told_and_not_raised() -> None:
    def fail() -> str:
        raise ZeroDivisionError("oops")

    assert selftest._attempt("x", fail).detail == "ZeroDivisionError: oops"
