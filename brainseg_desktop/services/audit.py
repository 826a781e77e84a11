"""The audit of a mask: what the network gave, what the reader kept, added and removed, with what, how long.

It goes into the sidecar of an export with the labels that were given, so that it goes on where it ended when
the file is opened again; and for a study into tables.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from brainseg_desktop.core.audit import IDLE_MS, Given, LabelChange, Tally, ToolUse, Totals, label_change
from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.geometry import Box
from brainseg_desktop.core.labels import TISSUE_NAMES, LabelScheme, Tissue
from brainseg_desktop.core.metrics import Score
from brainseg_desktop.io.atomic import staged
from brainseg_desktop.io.schemes import read_sidecar
from brainseg_desktop.services.live_agreement import LiveAgreement
from brainseg_desktop.services.studies.blinding import check_open


class ChangeRecord(msgspec.Struct, frozen=True):
    """What became of one label or region; volumes are None on a grid without known spacing."""

    given_voxels: int
    kept_voxels: int
    added_voxels: int
    removed_voxels: int
    given_ml: float | None
    kept_ml: float | None
    added_ml: float | None
    removed_ml: float | None
    dice_against_given: Score

    @staticmethod
    def of(change: LabelChange, voxel_ml: float | None) -> ChangeRecord:
        """Voxels and, with the volume of one, mL."""
        voxels = (change.given, change.kept, change.added, change.removed)
        given, kept, added, removed = (None if voxel_ml is None else round(n * voxel_ml, 6) for n in voxels)
        return ChangeRecord(*voxels, given, kept, added, removed, change.dice)


class ToolRecord(msgspec.Struct, frozen=True):
    """What was done with one tool; see `core.audit.ToolUse`."""

    steps: int
    undone: int
    voxels: int
    active_s: float


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The audit of a mask at one moment, as the sidecar holds it.

    `labels` and `regions` are empty for a mask that was not started from another. Time of work is the sum of
    gaps below `idle_limit_s` between events; see `core.audit.Tally`.
    """

    case: str
    rater: str
    given_by: str | None
    labels: dict[str, ChangeRecord]
    regions: dict[str, ChangeRecord]
    tools: dict[str, ToolRecord]
    active_s: float
    idle_limit_s: float = IDLE_MS / 1000
    given_labels: Given | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; the labels that were given as base64 of zlib."""
        return dict(msgspec.to_builtins(self))

    @property
    def totals(self) -> Totals:
        """To go on with."""
        tools = {
            name: ToolUse(tool.steps, tool.undone, tool.voxels, round(tool.active_s * 1000))
            for name, tool in self.tools.items()
        }
        return Totals(self.given_labels, tools)


def read_record(sidecar: Mapping[str, Any]) -> AuditRecord | None:
    """The audit in a sidecar; None if it has none that can be understood."""
    try:
        record = msgspec.convert(sidecar.get("audit"), AuditRecord)
        if record.given_labels is not None:
            record.given_labels.array()
    except (msgspec.ValidationError, ValueError):
        return None
    return record


def audits_of(paths: Iterable[Path]) -> list[AuditRecord]:
    """The audits of exported masks, from the sidecars beside them.

    Raises
    ------
    UserError
        ``blinded_mask``, ``blinded_case``; ``audit_missing`` (param ``path``) for a mask without one, or that
        was changed since its export; what reading the file raises.
    """
    records = []
    paths = tuple(paths)
    check_open(paths)
    for path in paths:
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise UserError("file_missing", path=path) from error
        except OSError as error:
            raise UserError("file_unreadable", path=path, reason=error.strerror or str(error)) from error
        sidecar = read_sidecar(path, digest)
        record = read_record(sidecar) if sidecar is not None else None
        if record is None:
            raise UserError("audit_missing", path=path)
        records.append(record)
    return records


def first_totals(rating: Rating) -> Totals | None:
    """What is known of a mask before its first step here; None if nothing.

    For one read from a file: what the sidecar says, if it fits. For one made as a copy of another: its labels
    now are those that were given.
    """
    shape = rating.label_map.shape
    if rating.source is not None:
        sidecar = read_sidecar(rating.source.path, rating.source.sha256)
        record = read_record(sidecar) if sidecar is not None else None
        if record is None or (record.given_labels is not None and record.given_labels.shape != shape):
            return None
        return record.totals
    origin = rating.details.get("started_from")
    if not isinstance(origin, Mapping):
        return None
    return Totals(Given.of(str(origin.get("rater", "")), rating.label_map.array))


class Audit:
    """Follows one mask; counts only when asked, and then only what changed since.

    Parameters
    ----------
    case : Case
    rating : Rating
    tally : Tally
        That of the rating's journal.
    """

    def __init__(self, case: Case, rating: Rating, tally: Tally) -> None:
        self._case, self._rating, self._tally = case, rating, tally
        self._given: Given | None = None
        self._live: LiveAgreement | None = None
        self._changed = Box((0, 0, 0), (0, 0, 0))
        self._disconnect = rating.history.changed.connect(self._note)

    def close(self) -> None:
        """Follow the mask no longer."""
        self._disconnect()

    def record(self) -> AuditRecord:
        """The audit as of now."""
        totals = self._tally.totals
        live = self._counts(totals.given)
        labels: dict[str, ChangeRecord] = {}
        regions: dict[str, ChangeRecord] = {}
        if live is not None:
            histogram, grid = live.histogram, self._case.grid
            voxel_ml = grid.voxel_volume_ml if grid.spacing_known else None
            for tissue in self._rating.scheme.tissues:
                change = label_change(histogram, [tissue])
                labels[TISSUE_NAMES[tissue]] = ChangeRecord.of(change, voxel_ml)
            for name, tissues in regions_of(self._rating.scheme).items():
                regions[name] = ChangeRecord.of(label_change(histogram, tissues), voxel_ml)
        return AuditRecord(
            case=self._case.name,
            rater=self._rating.rater,
            given_by=totals.given.by if totals.given is not None else None,
            labels=labels,
            regions=regions,
            tools={n: ToolRecord(u.steps, u.undone, u.voxels, u.active_s) for n, u in totals.tools.items()},
            active_s=totals.active_s,
            given_labels=totals.given,
        )

    def _counts(self, given: Given | None) -> LiveAgreement | None:
        if given is not self._given:
            self._given, self._live = given, None
        if given is None:
            return None
        if self._live is None:
            self._live = LiveAgreement(given.array(), self._rating.label_map.array, self._case.grid)
        else:
            self._live.update(self._changed)
        self._changed = Box((0, 0, 0), (0, 0, 0))
        return self._live

    def _note(self, box: Box) -> None:
        self._changed = self._changed.union(box)


def regions_of(scheme: LabelScheme) -> dict[str, frozenset[Tissue]]:
    """The regions that say more than one label does, by name."""
    own = set(scheme.tissues)
    return {r.name: r.tissues for r in scheme.regions if len(r.tissues & own) > 1}


_CHANGES = ("given", "kept", "added", "removed")


def write_audit_csv(path: Path, audits: Iterable[AuditRecord]) -> tuple[Path, Path]:
    """Write the audits of a study as two tables, both or neither.

    Parameters
    ----------
    path : Path
        Gets a row for each mask and label or region; beside it ``<name>_tools.csv`` gets a row for each mask
        and tool. Units are in the header. A mask started from nothing has one row without label, for its
        time.
    audits : iterable of AuditRecord

    Returns
    -------
    tuple of Path
        The two files.

    Raises
    ------
    UserError
        ``disk_full``, ``no_permission`` or ``write_failed``; older files are then as they were.
    """
    audits = list(audits)
    tools = path.with_name(f"{path.stem}_tools{path.suffix}")
    with staged(path.parent) as stage:
        stage.add(path, _table(_label_rows(audits)))
        stage.add(tools, _table(_tool_rows(audits)))
        stage.commit()
    return path, tools


def _label_rows(audits: list[AuditRecord]) -> Iterable[list[object]]:
    amounts = [f"{name}_{unit}" for unit in ("voxels", "ml") for name in _CHANGES]
    titles = [name.replace("_ml", "_mL") for name in amounts]
    yield [
        *("case", "rater", "given_by", "label", *titles, "dice_against_given", "dice_state"),
        *("active_time_of_mask_s", "idle_limit_s"),
    ]
    for audit in audits:
        first = [audit.case, audit.rater, audit.given_by or ""]
        last = [f"{audit.active_s:.1f}", f"{audit.idle_limit_s:g}"]
        for name, change in {**audit.labels, **audit.regions}.items():
            dice = change.dice_against_given
            numbers = [getattr(change, amount) for amount in amounts]
            yield [*first, name, *numbers, _number(dice.value), dice.state, *last]
        if not audit.labels:
            yield [*first, "", *[""] * (len(amounts) + 2), *last]


def _tool_rows(audits: list[AuditRecord]) -> Iterable[list[object]]:
    yield ["case", "rater", "tool", "steps", "undone", "voxels", "active_time_s"]
    for audit in audits:
        for name, tool in audit.tools.items():
            yield [
                *(audit.case, audit.rater, name, tool.steps, tool.undone, tool.voxels),
                f"{tool.active_s:.1f}",
            ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _table(rows: Iterable[list[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(["" if cell is None else cell for cell in row] for row in rows)
    return text.getvalue().encode()
