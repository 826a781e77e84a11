"""The network's masks of a study's cases, and the commands about a study."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.cli import Front, run
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.services import headless
from brainseg_desktop.services.studies.material import material_of
from brainseg_desktop.services.studies.outlining import outline_cases
from brainseg_desktop.services.studies.reading import open_reading
from brainseg_desktop.services.studies.study import Study

from .conftest import ball

MakeStudy = Callable[..., Study]
FRONT = Front(open_window=lambda case: 1, measure_window=lambda case, part: 1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A network that marks a ball, and the cases it was asked for; no process is started."""
    cases: list[str] = []

    def predict(case: Case, *_: object, on_progress: Callable[..., None], **__: object) -> Rating:
        cases.append(case.name)
        on_progress(1, 1, None)
        if case.name.endswith("1") and len(cases) < 4:
            raise UserError("file_truncated", path=Path("x"))
        labels = LabelMap((2 * ball((12, 10, 6), 3)).astype(np.uint8))
        from brainseg_desktop.io.schemes import scheme_named

        return Rating("AI (test)", RaterKind.MODEL, labels, scheme_named("brats2021"), details={"model": "t"})

    monkeypatch.setattr(headless, "predict_case", predict)
    monkeypatch.setattr(headless.WorkerClient, "warm_up", lambda *_: None)
    return cases


def test_every_case_is_outlined_once_and_a_bad_one_does_not_stop_the_rest(
    make_study: MakeStudy, asked: list[str], tmp_path: Path
) -> None:
    study = make_study(start="ai")
    shares: list[float] = []
    result = outline_cases(study, tell=shares.append)
    assert (result.written, result.kept) == (2, 0)
    assert [case for case, _ in result.problems] == ["BraTS2021_00001"]
    assert shares[-1] == 1.0
    again = outline_cases(study)
    assert (again.written, again.kept, again.problems) == (1, 2, ())
    assert len(asked) == 4
    assert outline_cases(study).kept == 3
    anna = Study.open(study.folder, "Anna")
    opened = open_reading(anna, anna.readings["Anna"][0], tmp_path)
    assert opened.start is not None
    assert opened.start.kind is RaterKind.MODEL
    assert opened.start.rater == "AI (test)"
    anna.close()
    study.unblind(by="test", early=True)
    assert "AI" in {f.rater for f in material_of(study.folder).files}


def test_it_can_be_cancelled_between_two_cases(make_study: MakeStudy, asked: list[str]) -> None:
    cancel = threading.Event()
    # The first case is told of as done before the second begins.
    result = outline_cases(make_study(), cancel=cancel, tell=lambda share: asked and cancel.set())
    assert result.cancelled
    assert (result.written, len(asked)) == (1, 1)


def test_a_study_by_command_line(
    case_folder: Path, tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    study = str(tmp_path / "study")
    make = ["study", "create", study, "--cases", str(case_folder), "--reader", "Anna", "--reader", "Ben"]
    assert run([*make, "--scheme", "brats2021", "--repeats", "1", "--json"], FRONT) == 0
    assert json.loads(capsys.readouterr().out)["cases"] == 3
    assert run([*make, "--scheme", "brats2021"], FRONT) == 2
    assert "holds a study already" in capsys.readouterr().err
    assert run(["study", "status", study, "--json"], FRONT) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["blinded"]
    assert [(r["reader"], r["readings"], r["locked"]) for r in status["readers"]] == [
        ("Anna", 4, 0),
        ("Ben", 4, 0),
    ]
    assert run(["study", "outline", study], FRONT) == 2
    assert "BraTS2021_00001" in capsys.readouterr().err
    assert run(["study", "unblind", study], FRONT) == 2
    assert "8 of 8 readings" in capsys.readouterr().err
    assert run(["study", "unblind", study, "--early", "--by", "Anna"], FRONT) == 0
    assert run(["study", "status", study], FRONT) == 0
    assert "Not blinded" in capsys.readouterr().out
