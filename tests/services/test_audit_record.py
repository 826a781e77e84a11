"""The audit of a mask, through the journal, the sidecar and the tables."""

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from brainseg_desktop.core.audit import START, ToolUse, Totals
from brainseg_desktop.core.case import Case, RaterKind, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box, Grid
from brainseg_desktop.core.history import LabelMap
from brainseg_desktop.core.volume import Sequence, Source, Volume
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services import recovery
from brainseg_desktop.services.audit import Audit, AuditRecord, first_totals, read_record, write_audit_csv
from brainseg_desktop.services.opening import new_rating
from brainseg_desktop.services.session import Session

SHAPE = (8, 7, 6)


def make_case(*, known: bool = True) -> Case:
    grid = Grid(SHAPE, np.diag([2.0, 1.0, 5.0, 1.0]), known)  # 10 mm3 a voxel
    volume = Volume(np.zeros(SHAPE, np.int16), grid, Source(Path("/x/a.nii"), "00"), Sequence.FLAIR)
    return Case("case", grid, {Sequence.FLAIR: volume})


def network() -> Rating:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:6, 2:6, 2:4] = 2
    labels[3:5, 3:5, 2:4] = 3
    return Rating("AI (net)", RaterKind.MODEL, LabelMap(labels), scheme_named("brats2021"))


def paint(rating: Rating, box: Box, value: int, name: str) -> None:
    with rating.history.edit(name) as stroke:
        stroke.paint(box, np.ones(box.shape, bool), value)


def corrected(tmp_path: Path, *, known: bool = True) -> tuple[Case, Rating, Audit, recovery.Journal]:
    """The network's mask, with a slab of oedema added, and a part of the enhancing tumour made necrosis."""
    case, found = make_case(known=known), network()
    case.ratings.append(found)
    own = new_rating(case, "Reader")
    journal = recovery.start_journal(case, own, tmp_path / "state")
    audit = Audit(case, own, journal.tally)
    clock = iter(range(1000, 2000, 10))
    own.history.clock = lambda: next(clock)
    with own.history.edit(f"{START}AI (net)") as stroke:
        stroke.replace(Box((0, 0, 0), SHAPE), np.array(found.label_map.array))
    audit.record()  # what is counted later starts from a count made before
    paint(own, Box((2, 2, 4), (6, 6, 5)), 2, "Brush, oedema")
    paint(own, Box((3, 3, 2), (5, 4, 4)), 1, "Fill, necrosis")
    paint(own, Box((0, 0, 0), (1, 1, 1)), 1, "Brush, necrosis")
    own.history.undo()
    return case, own, audit, journal


def test_record_of_a_correction(tmp_path: Path) -> None:
    _, own, audit, journal = corrected(tmp_path)
    record = audit.record()
    assert (record.case, record.rater, record.given_by) == ("case", "Reader", "AI (net)")
    oedema, enhancing, necrosis = (record.labels[n] for n in ("Oedema", "Enhancing", "Necrosis"))
    voxels = [
        (c.given_voxels, c.kept_voxels, c.added_voxels, c.removed_voxels)
        for c in (oedema, enhancing, necrosis)
    ]
    assert voxels == [(24, 24, 16, 0), (8, 4, 0, 4), (0, 0, 4, 0)]
    assert (oedema.given_ml, oedema.added_ml, enhancing.removed_ml) == (0.24, 0.16, 0.04)
    assert oedema.dice_against_given.value == pytest.approx(2 * 24 / (24 + 40))
    assert (necrosis.dice_against_given.value, necrosis.dice_against_given.state) == (0.0, "one_empty")
    # A voxel moved from one label to another inside a region is kept by the region.
    assert list(record.regions) == ["WT", "TC"]
    assert record.regions["TC"].kept_voxels == 8
    assert record.regions["TC"].dice_against_given.value == 1.0
    brush, fill = record.tools["Brush"], record.tools["Fill"]
    assert (brush.steps, brush.undone, brush.voxels) == (1, 1, 16)
    assert (fill.steps, fill.voxels) == (1, 4)
    # Each time the clock is read, 10 s have gone: two readings an edit, one an undo.
    assert (brush.active_s, fill.active_s, record.active_s) == (50.0, 20.0, 70.0)
    own.history.go_to(0)
    assert audit.record().given_by is None
    journal.close(keep=False)


def test_without_voxel_size_there_is_no_ml(tmp_path: Path) -> None:
    _, _, audit, journal = corrected(tmp_path, known=False)
    record = audit.record()
    assert record.labels["Oedema"].given_ml is None
    assert record.labels["Oedema"].given_voxels == 24
    journal.close(keep=False)


def test_the_audit_survives_a_crash(tmp_path: Path) -> None:
    case, _, audit, journal = corrected(tmp_path)
    before = audit.record()
    journal.close(keep=True)
    (found,) = recovery.pending(tmp_path / "state")
    own, journal = recovery.restore(found, case)
    assert Audit(case, own, journal.tally).record() == before
    journal.close(keep=False)


def as_sidecar(record: AuditRecord) -> dict[str, object]:
    """Through JSON, as a file holds it."""
    return json.loads(json.dumps({"audit": record.to_dict()}))


def test_the_sidecar_holds_all_of_it(tmp_path: Path) -> None:
    _, _, audit, journal = corrected(tmp_path)
    record = audit.record()
    sidecar = as_sidecar(record)
    assert sidecar["audit"]["labels"]["Oedema"]["added_voxels"] == 16
    assert sidecar["audit"]["labels"]["Oedema"]["dice_against_given"]["unit"] == "1"
    assert sidecar["audit"]["idle_limit_s"] == 60
    assert read_record(sidecar) == record
    journal.close(keep=False)


@pytest.mark.parametrize("change", ["none", "text", "tools", "given"])
def test_a_sidecar_that_makes_no_sense_has_no_audit(tmp_path: Path, change: str) -> None:
    _, _, audit, journal = corrected(tmp_path)
    sidecar = as_sidecar(audit.record())
    if change == "none":
        sidecar = {}
    elif change == "text":
        sidecar["audit"] = "yes"
    elif change == "tools":
        sidecar["audit"]["tools"] = [1]
    else:
        sidecar["audit"]["given_labels"]["labels"] = "AAAA"
    assert read_record(sidecar) is None
    journal.close(keep=False)


def exported(tmp_path: Path, record: AuditRecord, rating: Rating) -> Rating:
    """The rating as read from a file with this audit in its sidecar; only what the audit needs is there."""
    mask = tmp_path / "case_seg-reader.nii.gz"
    sidecar = {"program": "BrainSeg Desktop", "sha256": "ab", **as_sidecar(record)}
    (tmp_path / "case_seg-reader.json").write_text(json.dumps(sidecar))
    return Rating(
        "Reader", RaterKind.HUMAN, LabelMap(rating.label_map.array), rating.scheme, Source(mask, "ab")
    )


def test_the_audit_goes_on_when_the_file_is_opened_again(tmp_path: Path) -> None:
    case, own, audit, journal = corrected(tmp_path)
    before = audit.record()
    again = exported(tmp_path, before, own)
    journal.close(keep=False)
    # Without any journal: the sidecar alone.
    journal = recovery.start_journal(case, again, tmp_path / "other")
    audit = Audit(case, again, journal.tally)
    assert audit.record() == before
    paint(again, Box((0, 0, 5), (2, 1, 6)), 2, "Brush, oedema")
    after = audit.record()
    assert after.labels["Oedema"].added_voxels == 18
    assert after.tools["Brush"].steps == 2
    journal.close(keep=True)
    # And that through a crash.
    (found,) = recovery.pending(tmp_path / "other")
    rating, journal = recovery.restore(found, case)
    assert Audit(case, rating, journal.tally).record() == after
    journal.close(keep=False)


def test_first_totals(tmp_path: Path) -> None:
    case, own, audit, journal = corrected(tmp_path)
    journal.close(keep=False)
    assert first_totals(new_rating(case, "Reader")) is None
    copy = first_totals(new_rating(case, "Reader", like=case.ratings[0]))
    assert copy is not None
    assert copy.given.by == "AI (net)"
    np.testing.assert_array_equal(copy.given.array(), case.ratings[0].label_map.array)
    again = exported(tmp_path, audit.record(), own)
    assert first_totals(again) == Totals(
        audit.record().given_labels, {"Brush": ToolUse(1, 1, 16, 50_000), "Fill": ToolUse(1, 0, 4, 20_000)}
    )
    again.source = Source(again.source.path, "other bytes")
    assert first_totals(again) is None


def test_a_start_in_the_session_is_known_as_one(tmp_path: Path) -> None:
    session = Session(tmp_path / "state")
    session.open(make_case())
    found = network()
    session.add(found)
    own = session.start_from(found)
    (name,) = own.history.undo_names
    assert name == f"{START}AI (net)"
    session.close()


def test_tables_of_a_study(tmp_path: Path) -> None:
    _, _, audit, journal = corrected(tmp_path)
    journal.close(keep=False)
    blank = AuditRecord(
        case="b, c", rater="Reader", given_by=None, labels={}, regions={}, tools={}, active_s=12.34
    )
    labels, tools = write_audit_csv(tmp_path / "audit.csv", [audit.record(), blank])
    with labels.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["label"] for r in rows] == ["Necrosis", "Oedema", "Enhancing", "WT", "TC", ""]
    assert {len(r) for r in rows} == {len(rows[0])}
    assert None not in rows[0]
    oedema, last = rows[1], rows[-1]
    assert (oedema["given_voxels"], oedema["added_mL"], oedema["removed_mL"]) == ("24", "0.16", "0.0")
    assert float(oedema["dice_against_given"]) == pytest.approx(0.75)
    assert (last["case"], last["given_mL"], last["active_time_of_mask_s"]) == ("b, c", "", "12.3")
    with tools.open(newline="") as file:
        assert list(csv.DictReader(file))[1] == {
            "case": "case",
            "rater": "Reader",
            "tool": "Fill",
            "steps": "1",
            "undone": "0",
            "voxels": "4",
            "active_time_s": "20.0",
        }
    assert tools.name == "audit_tools.csv"


def test_tables_on_a_full_disk_leave_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.csv"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="disk_full"):
        write_audit_csv(path, [])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["audit.csv"]
