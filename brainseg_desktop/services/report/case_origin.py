"""Where the mask of a case report comes from: its audit, the network behind it, the images; without names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.io.nifti import nifti_stem
from brainseg_desktop.services.audit import AuditRecord, ChangeRecord
from brainseg_desktop.services.charts.sheet import DASH, fixed
from brainseg_desktop.services.report.cells import score
from brainseg_desktop.services.report.document import LEFT, Block, Heading, Paragraph, Table

ORIGIN_WORDS = {
    "rater": "Mask of",
    "model": "Network",
    "version": "Version",
    "sha256": "SHA-256 of the weights",
    "exam_kind": "Kind of exam",
    "regions": "Regions it tells",
    "sequences_used": "Sequences it read",
    "device": "Device",
    "seconds": "Seconds",
    "mean_uncertainty_bits": "Mean uncertainty (bits)",
}


class Names:
    """Keeps the case's name out of the report: a rater may be called like a file, a file like a patient."""

    def __init__(self, case: Case, show: bool) -> None:
        paths = [v.source.path for v in case.volumes.values()]
        paths += [r.source.path for r in case.ratings if r.source is not None]
        self._secret = () if show else (case.name, *(nifti_stem(path) for path in paths))

    def said(self, name: str) -> str:
        """The name, or a stroke in its place."""
        return DASH if any(_tells(name, secret) for secret in self._secret) else name


def _tells(name: str, secret: str) -> bool:
    """Whether a name holds another one; of a very short one, such as a number, only whether it begins so."""
    if len(secret) < 4:
        return name == secret or (bool(secret) and name.startswith((f"{secret}_", f"{secret}-")))
    return secret.lower() in name.lower()


def audit_blocks(record: AuditRecord | None, names: Names) -> Iterator[Block]:
    """What became of the labels that the mask was started from, and the time of work."""
    yield Heading("Audit")
    if record is None:
        yield Paragraph("There is no record of the changes to this mask.")
        return
    given = (
        f"Started from the mask of {names.said(record.given_by)}"
        if record.given_by
        else "Started from nothing"
    )
    yield Paragraph(
        f"{given}. Time of work {record.active_s / 60:.1f} min; pauses of "
        f"{record.idle_limit_s:g} s and more do not count."
    )
    if record.labels or record.regions:
        changes = {**record.labels, **record.regions}
        yield Table(
            ("Label or region", "Given (mL)", "Kept (mL)", "Added (mL)", "Removed (mL)", "Dice with given"),
            tuple((name, *_change_cells(change)) for name, change in changes.items()),
            "What became of it",
            note="Voxels instead of mL where the files state no voxel size.",
        )
    if record.tools:
        yield Table(
            ("Tool", "Steps", "Undone", "Voxels", "Time (min)"),
            tuple(
                (name, str(t.steps), str(t.undone), f"{t.voxels:,}", fixed(t.active_s / 60, 1))
                for name, t in record.tools.items()
            ),
            "Tools",
        )


def _change_cells(change: ChangeRecord) -> tuple[str, ...]:
    pairs = (
        (change.given_ml, change.given_voxels),
        (change.kept_ml, change.kept_voxels),
        (change.added_ml, change.added_voxels),
        (change.removed_ml, change.removed_voxels),
    )
    amounts = (f"{voxels:,} voxels" if ml is None else fixed(ml, 2) for ml, voxels in pairs)
    return (*amounts, score(change.dice_against_given, 3))


def origin_blocks(shown: Rating, names: Names) -> Iterator[Block]:
    """The card of the network that made the mask, or the one it was started from."""
    started = shown.details.get("started_from")
    for title, details in (
        ("Made by a network", shown.details),
        ("Started from", started if isinstance(started, Mapping) else {}),
    ):
        if details.get("model") or (details is started and details):
            yield Heading(title)
            rows = tuple(
                (words, names.said(_told(details[key])))
                for key, words in ORIGIN_WORDS.items()
                if details.get(key) is not None
            )
            yield Table(("", "From the network's card and its run"), rows, align=(LEFT, LEFT))


def _told(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(getattr(v, "value", v)) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def image_blocks(case: Case) -> Iterator[Block]:
    yield Heading("Images")
    rows = tuple((s.value, v.source.sha256 or DASH) for s, v in case.volumes.items())
    yield Table(
        ("Sequence", "SHA-256 of the file"),
        rows,
        align=(LEFT, LEFT),
        note="By the hash the very file can be found again; its name is not printed: "
        "it may name the patient.",
    )
