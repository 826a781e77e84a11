"""From locked readings to numbers: a study measured by the command line, and not a moment too early."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from brainseg_desktop.cli.readers import agreement_command
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import Tissue
from brainseg_desktop.core.study import Reading
from brainseg_desktop.services.paths import cache_dir
from brainseg_desktop.services.studies.material import material_of
from brainseg_desktop.services.studies.measuring import measure_study
from brainseg_desktop.services.studies.study import Study

from .conftest import ball

MakeStudy = Callable[..., Study]
Read = Callable[..., None]


def drawn(radius: float) -> Callable[[Reading], np.ndarray]:
    """A ball whose radius depends on the reader, and a bit on which reading it is."""

    def labels(reading: Reading) -> np.ndarray:
        return np.where(ball((12, 10, 6), radius + 0.5 * (reading.repeat - 1)), int(Tissue.OEDEMA), 0)

    return labels


@pytest.fixture
def study(make_study: MakeStudy, read: Read) -> Study:
    """Two readers have locked all their readings; one case was read twice by each."""
    made = make_study(repeats=1, readers=["Anna", "Ben"])
    for reader, radius in zip(made.design.readers, (4.0, 5.0), strict=True):
        read(made.folder, reader.key, drawn(radius))
    return Study.open(made.folder)


def agreement(*arguments: object) -> Result:
    return CliRunner().invoke(agreement_command, [*map(str, arguments), "--workers", "1"])


@pytest.mark.parametrize("place", [".", "ratings", "ratings/{key}"])
def test_numbers_of_a_blinded_study_are_not_to_be_had(study: Study, place: str) -> None:
    key = study.design.readers[0].key
    done = agreement(study.folder / place.format(key=key), "--scheme", "brats2021")
    assert isinstance(done.exception, UserError)
    assert done.exception.code in ("study_blinded", "blinded_mask")
    assert done.stdout == ""
    assert not (cache_dir() / "agreement").exists()


def test_a_study_that_was_unblinded_is_measured(study: Study, tmp_path: Path) -> None:
    study.unblind(by="Anna")
    output = tmp_path / "out"
    done = agreement(study.folder, "-o", output, "--json")
    assert done.exception is None, done.output
    content = json.loads(done.stdout)
    names = [rater["name"] for rater in content["raters"]]
    assert names == ["Anna", "Ben", "Reference"]
    direct = measure_study(material_of(study.folder), workers=0, cache=tmp_path / "kept")
    wt = direct.regions["WT"]
    measures = content["regions"]["WT"]["measures"]["dice"]["pairs"]
    (pair,) = [p for p in measures if p["raters"] == ["Anna", "Ben"]]
    assert pair["mean"]["n"] == 3
    assert pair["mean"]["mean"] == wt.measures["dice"].pairs["Anna", "Ben"].mean
    inside, outside = (np.count_nonzero(ball((12, 10, 6), r)) for r in (4.0, 5.0))
    assert pair["mean"]["mean"] == pytest.approx(2 * inside / (inside + outside))
    assert set(wt.repeats) == {"Anna", "Ben"}
    assert wt.repeats["Anna"].dice.n == 1
    assert "Blinding" in content["design"]
    assert (output / "report.pdf").stat().st_size > 1000
    consensus = list((output / "consensus" / "majority").glob("*.nii.gz"))
    assert len(consensus) == 3


def test_results_do_not_go_among_the_readings(study: Study) -> None:
    study.unblind(by="Anna")
    done = agreement(study.folder, "-o", study.folder / "ratings" / "out")
    assert isinstance(done.exception, UserError)
    assert done.exception.code == "inside_ratings"
    assert not (study.folder / "ratings" / "out").exists()


def test_what_was_refused_while_blinded_is_not_kept(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    study.unblind(by="Anna")
    material = material_of(study.folder)
    measuring = sys.modules["brainseg_desktop.services.studies.case_numbers"]
    real = measuring.load_mask  # type: ignore[attr-defined]

    def refused(path: Path, scheme: object) -> object:
        raise UserError("blinded_mask", path=path, study="Trial")

    monkeypatch.setattr(measuring, "load_mask", refused)
    assert len(measure_study(material, workers=0).exclusions) == len(material.files)
    monkeypatch.setattr(measuring, "load_mask", real)
    assert not measure_study(material, workers=0).exclusions
