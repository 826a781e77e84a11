"""Writing the mask shown to a file, and saying "saved" only after it was read back."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.dialogs import ExportDialog, ask
from brainseg_desktop.io.schemes import load_schemes
from brainseg_desktop.services.export import Exported, export_rating
from brainseg_desktop.services.opening import grid_source


class Exporter(QObject):
    """Asks where, writes in the background, tells the result.

    Signals
    -------
    exported : `Exported`
    """

    exported = Signal(object)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self.folder: Path | None = None

    def ask(self) -> None:
        """Ask for file and numbers, then write."""
        case, rating = self._desk.session.case, self._desk.session.shown
        if case is None or rating is None:
            return
        slices = bool(grid_source(case).files)
        dialog = ExportDialog(
            rating.rater,
            self._proposal(case, rating, slices),
            list(load_schemes().values()),
            rating.scheme,
            folder=slices,
            parent=self._desk.window,
        )

        def answered(accepted: bool) -> None:
            if accepted:
                self.write(case, rating, dialog.destination, dialog.scheme)

        ask(dialog, answered)

    def write(self, case: Case, rating: Rating, destination: Path, scheme: LabelScheme) -> None:
        """Write, read back, compare; the mask as it is now, whatever is painted meanwhile."""
        frozen = Rating(
            rating.rater,
            rating.kind,
            type(rating.label_map)(rating.label_map.array),
            scheme,
            rating.source,
            None,
            rating.details,
        )
        state = rating.history.present
        audit = self._desk.session.audit(rating)
        record = audit.record().to_dict() if audit is not None else None

        def done(result: Exported) -> None:
            self.folder = destination.parent
            # The number of the state, not names: another stroke may be called the same.
            if rating.history.present == state:
                self._desk.session.mark_exported(rating)
            self._desk.say(
                f"Saved: {result.path} was written, read back and is equal, voxel by voxel "
                f"({result.voxels:,} labelled voxels)."
            )
            self.exported.emit(result)

        self._desk.jobs.document(
            lambda: export_rating(case, frozen, destination, scheme=scheme, audit=record),
            done,
            self._desk.complain,
        )

    def _proposal(self, case: Case, rating: Rating, slices: bool) -> Path:
        source = grid_source(case).path
        folder = self.folder or (source if slices else source.parent).parent
        rater = "".join(c if c.isalnum() else "-" for c in rating.rater).strip("-").lower()
        return folder / (f"{case.name}_{rater}" if slices else f"{case.name}_seg-{rater}.nii.gz")
