"""Writing the mask shown to a file, and saying "saved" only after it was read back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from brainseg_desktop.core.case import Case, Rating
from brainseg_desktop.core.labels import TISSUE_COLOURS, LabelScheme, Tissue
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.dialogs import ask
from brainseg_desktop.io.schemes import load_schemes
from brainseg_desktop.services.exporting.batch import Outcome, export_many, masks_beside
from brainseg_desktop.services.exporting.forms import FORMS
from brainseg_desktop.services.exporting.job import Form, job_for, plain, present
from brainseg_desktop.services.exporting.run import Written, write_form
from brainseg_desktop.services.language import mark, tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import grid_source

# Forms from which every label of a mask can be had again.
_WHOLE = ("nifti", "itksnap", "nrrd", "dicom-seg", "tif", "bids")


class Exporter(QObject):
    """Asks where, writes in the background, tells the result.

    Attributes
    ----------
    cases : function
        The folders of the cases listed; set by the window.
    first_folder : function
        Folder that the reader wants exports to go to, empty for beside the images; set by the window.

    Signals
    -------
    exported : `Written`
    all_exported : list of `Outcome`
    """

    exported = Signal(object)
    all_exported = Signal(object)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self._stop = threading.Event()
        self.folder: Path | None = None
        self.form = ""
        self.cases: Callable[[], list[Path]] = list
        self.first_folder: Callable[[], str] = str

    def ask(self) -> None:
        """Ask for form, file, labels and numbers, then write."""
        # Imported here: the dialog is rarely opened, and the start must be quick.
        from brainseg_desktop.gui.dialogs.export_dialog import Choices, ExportDialog

        case, rating = self._desk.session.case, self._desk.session.shown
        if case is None or rating is None:
            return
        source = grid_source(case)
        refusals = {form.key: form.refuse(case) for form in FORMS}
        first = self.form if self.form and refusals[self.form] is None else ""
        listed = self.cases()
        choices = Choices(
            rating.rater,
            [(form, refusals[form.key]) for form in FORMS],
            first or ("tif" if source.files else "nifti"),
            self._first_folder((source.path if source.files else source.path.parent).parent),
            f"{case.name}_seg-{plain(rating.rater).lower()}",
            list(load_schemes().values()),
            rating.scheme,
            {tissue: TISSUE_COLOURS[tissue] for tissue in present(rating.label_map.array)},
            slices=bool(source.files),
            cases=len(listed),
        )
        dialog = ExportDialog(choices, self._desk.window)

        def answered(accepted: bool) -> None:
            if not accepted:
                return
            self.form = dialog.form.key
            if dialog.all_cases:
                self.write_all(listed, dialog.form, dialog.destination, dialog.wide)
            else:
                self.write(
                    case,
                    rating,
                    dialog.destination,
                    dialog.scheme,
                    form=dialog.form,
                    tissues=dialog.tissues,
                    wide=dialog.wide,
                )

        ask(dialog, answered)

    def _first_folder(self, beside: Path) -> Path:
        """The folder exported to last, else the reader's own while it is there, else beside the images."""
        wanted = self.first_folder()
        return self.folder or (Path(wanted) if wanted and Path(wanted).is_dir() else beside)

    def write(
        self,
        case: Case,
        rating: Rating,
        destination: Path,
        scheme: LabelScheme,
        *,
        form: Form = FORMS[0],
        tissues: Iterable[Tissue] | None = None,
        wide: bool = False,
    ) -> None:
        """Write, read back, compare; the mask as it is now, whatever is painted meanwhile."""
        frozen = Rating(
            rating.rater,
            rating.kind,
            type(rating.label_map)(rating.label_map.array),
            rating.scheme,
            rating.source,
            None,
            rating.details,
        )
        state = rating.history.present
        audit = self._desk.session.audit(rating)
        record = audit.record().to_dict() if audit is not None else None
        job = job_for(case, frozen, destination, scheme=scheme, tissues=tissues, wide=wide, audit=record)

        def done(result: Written) -> None:
            self.folder = destination.parent
            # The number of the state, not names: another stroke may be called the same.
            if tissues is None and form.key in _WHOLE and rating.history.present == state:
                self._desk.session.mark_exported(rating)
            self._desk.say(_said(form, result))
            self.exported.emit(result)

        self._desk.jobs.document(lambda: write_form(form, job), done, self._desk.complain)

    def stop(self) -> None:
        """End a running export of many cases after the mask that is being written."""
        self._stop.set()

    def write_all(self, cases: list[Path], form: Form, folder: Path, wide: bool) -> None:
        """Write the masks beside the images of many cases; a bad one does not stop the rest."""
        self._stop = stop = threading.Event()

        def tell(share: float) -> None:
            count = round(share * len(cases))
            self._desk.jobs.post(
                lambda: self._desk.messages.show_message(
                    tr(
                        "Exporting the masks of {total} cases: {done} done.",
                        total=len(cases),
                        done=count,
                    ),
                    error=False,
                    action=tr("Stop"),
                    call=stop.set,
                )
            )

        def work() -> list[Outcome]:
            wanted = masks_beside(cases)
            # Each mask keeps its own numbers: one scheme would not hold the labels of all.
            return list(export_many(wanted, form, folder, wide=wide, tell=tell, stop=stop.is_set))

        def done(outcomes: list[Outcome]) -> None:
            self.folder = folder
            bad = [f"{o.name}: {words(o.error)}" for o in outcomes if o.error is not None]
            said = tr(
                "{count} masks were written into {folder} and read back.",
                count=len(outcomes) - len(bad),
                folder=folder,
            )
            ended = tr(" Stopped before the end.") if stop.is_set() else ""
            self._desk.messages.show_message(
                "\n".join(
                    [
                        said + ended,
                        *bad[:3],
                        *([tr("{count} more failed.", count=len(bad) - 3)] if bad[3:] else []),
                    ]
                ),
                error=bool(bad),
            )
            self.all_exported.emit(outcomes)

        self._desk.jobs.free(work, done, self._desk.complain)


def _said(form: Form, result: Written) -> str:
    equal = tr("voxel by voxel ") if form.key in _WHOLE else ""
    if len(result.files) < 3:
        text = mark("Saved: {path} was written, read back and is equal, {equal}({voxels:,} labelled voxels).")
    else:
        text = mark(
            "Saved: {path} ({count} files) was written, read back and is equal, {equal}({voxels:,} labelled "
            "voxels)."
        )
    return tr(text, path=result.path, count=len(result.files), equal=equal, voxels=result.voxels)
