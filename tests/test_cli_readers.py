"""agreement, audit: the command line about several readers."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from brainseg_desktop.cli.readers import agreement_command, audit_command
from brainseg_desktop.core.errors import UserError


def test_agreement_of_the_samples_two_readers(sample_dir: Path, tmp_path: Path) -> None:
    masks = [str(sample_dir / "sample_seg.nii.gz"), str(sample_dir / "sample_seg-reader2.nii.gz")]
    done = CliRunner().invoke(agreement_command, [*masks, "-o", str(tmp_path / "out"), "--json"])
    assert done.exception is None, done.output
    content = json.loads(done.stdout)
    (pair,) = content["regions"]["WT"]["pairs"]
    assert pair["dice"]["state"] == "ok"
    assert 0.5 < pair["dice"]["value"] < 1
    assert all(Path(p).is_file() for p in content["written"])
    plain = CliRunner().invoke(agreement_command, masks)
    assert "generalised conformity index" in plain.stdout


def test_a_mask_without_audit_is_named(sample_dir: Path, tmp_path: Path) -> None:
    mask = sample_dir / "sample_seg.nii.gz"
    done = CliRunner().invoke(audit_command, [str(mask), "-o", str(tmp_path / "audit.csv")])
    assert isinstance(done.exception, UserError)
    assert done.exception.code == "audit_missing"
    assert not (tmp_path / "audit.csv").exists()
