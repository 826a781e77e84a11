"""Opening cases and masks from the window: reading happens in the background, questions are asked here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from brainseg_desktop.core.case import Rating
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.labels import LabelScheme
from brainseg_desktop.core.volume import ImageChoice, Sequence
from brainseg_desktop.gui.desk import Desk
from brainseg_desktop.gui.dialogs.dialogs import AssignDialog, SchemeDialog, ask
from brainseg_desktop.gui.dialogs.image_dialogs import SpacingDialog, VolumeDialog
from brainseg_desktop.io.dicom.files import is_dicom
from brainseg_desktop.io.layouts import (
    CaseFiles,
    CaseKind,
    assign,
    choose_series,
    find_case,
    find_cases,
    find_exam,
)
from brainseg_desktop.io.schemes import scheme_named
from brainseg_desktop.services.choices import lacks_spacing, middle_slice, recall, remember
from brainseg_desktop.services.language import tr
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.opening import OpenedCase, check_readable, open_case, places_of, read_rating
from brainseg_desktop.services.recovery import Recoverable, pending_for
from brainseg_desktop.services.studies.blinding import check_open

OFF_GRID = "sequence_off_grid"
# A case that was read, and strokes on it that no export holds.
Opened = tuple[OpenedCase, Recoverable | None]


def case_key(paths: Iterable[Path]) -> str:
    """Paths as one text, for recent cases: a folder, or several files."""
    return os.pathsep.join(str(p) for p in paths)


class Opener(QObject):
    """Opens one case at a time; a later wish replaces an earlier one that is still being read.

    Signals
    -------
    replacing : the open case is about to be let go: end strokes and jobs on it.
    opened : (Case, key) a case is in the session.
    listed : list of (key, name) a folder held several cases.
    busy : text while reading, empty after.
    began : a case is being read.
    align_wanted : sequences of the open case are to be brought together.

    Attributes
    ----------
    reference : str
        Sequence that masks are drawn on where grids differ and no mask says; empty for the usual rule.
    """

    replacing = Signal()
    opened = Signal(object, str)
    listed = Signal(object, str)
    busy = Signal(str)
    began = Signal()
    align_wanted = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.window)
        self._desk = desk
        self._turn = 0
        self.reference = ""
        # Folders of the tree listed last that could not be read and the like, until the next case has opened.
        self._left_out: list[UserError] = []

    def tell_with_next(self, notes: Iterable[UserError]) -> None:
        """Say these remarks with the case that opens next."""
        self._left_out += notes

    def abandon(self) -> None:
        """Something else is opened: a case that is still being read is dropped when it comes."""
        self._turn += 1

    def open_key(self, key: str) -> None:
        """Open a recent case again."""
        paths = [Path(p) for p in key.split(os.pathsep)]
        if len(paths) == 1:
            self.open_path(paths[0])
        else:
            self.open_files(paths, ask=False)

    def open_path(self, path: Path) -> None:
        """Open the case at a folder or file; a folder of several cases is listed and its first one opened."""

        def find(left_out: list[UserError]) -> list[CaseFiles]:
            return find_cases(path, left_out) if path.is_dir() else [find_case(path)]

        self._open_found(path, str(path), find)

    def _open_found(self, path: Path, key: str, find: Callable[[list[UserError]], list[CaseFiles]]) -> None:
        """Find a case in the background, ask what has to be asked, and read it."""

        def read() -> tuple[list[CaseFiles], list[UserError], Opened | UserError | None]:
            left_out: list[UserError] = []
            cases = find(left_out)
            if len(cases) != 1:
                if not cases:
                    raise UserError("case_not_found", path=path)
                return cases, left_out, None
            exam = cases[0].exam
            if exam is not None:
                # Pictures of its series are shown before it is opened.
                check_open((exam.folder, *places_of(cases[0])))
                return cases, left_out, None
            if not cases[0].images and cases[0].unassigned:
                # A file that cannot be read is told at once, not after a question about it.
                check_readable(cases[0].unassigned)
                return cases, left_out, None
            files = recall(cases[0])
            return [files], left_out, self._attempt(files)

        def done(result: tuple[list[CaseFiles], list[UserError], Opened | UserError | None]) -> None:
            cases, left_out, opened = result
            self._left_out += left_out
            if len(cases) > 1:
                folders = [c.folder for c in cases]
                places = [(case_key(_paths(c, alone=folders.count(c.folder) == 1)), c.name) for c in cases]
                self.listed.emit(places, key)
                self.open_key(places[0][0])
            elif opened is None and cases[0].exam is not None:
                self._ask_series(cases[0], key)
            elif opened is None:
                self._ask_sequences([*cases[0].unassigned, *cases[0].masks], cases[0])
            else:
                self._go_on(opened, cases[0], key, None)

        self._read(tr("Opening {file}", file=path.name), read, done)

    def open_files(self, paths: list[Path], *, ask: bool) -> None:
        """Open image files by their names, or let the user say what each is."""
        if len(paths) == 1 and paths[0].is_dir():
            self.open_path(paths[0])
            return
        if len(paths) == 2 and paths[0].is_dir():
            # One of several exams in a folder, known by a file of it.
            folder, file = paths
            self._open_found(folder, case_key(paths), lambda _: [find_exam(folder, file)])
            return
        if paths and is_dicom(paths[0]):
            # Slices mean their exam, however many of them were picked.
            self.open_path(paths[0])
            return
        try:
            files = assign(paths)
        except UserError as error:
            self._desk.complain(error)
            return
        if ask or files.unassigned or not files.images:
            self._ask_sequences(paths, files)
        else:
            self._open_assigned(files, paths, None)

    def open_found(self, files: CaseFiles, found: Recoverable) -> None:
        """Open the case of a journal and bring its strokes back."""
        self._open_assigned(files, _paths(files), found)

    def _ask_series(self, files: CaseFiles, key: str) -> None:
        """Show the series of an exam with what they seem to be; it is opened as the user says."""
        # Imported here: most exams are no DICOM, and the start must be quick.
        from brainseg_desktop.gui.dialogs.series_dialog import SeriesDialog

        assert files.exam is not None
        dialog = SeriesDialog(files.exam, self._desk.jobs, self._desk.window)

        def answered(accepted: bool) -> None:
            if accepted:
                self._open_with(choose_series(files, dialog.chosen), key, None)

        ask(dialog, answered)

    def _ask_sequences(self, paths: list[Path], files: CaseFiles) -> None:
        guesses: dict[Path, Sequence | str] = {p: s for s, p in files.images.items()}
        guesses.update(dict.fromkeys(files.masks, "Mask"))
        dialog = AssignDialog(paths, guesses, self._desk.window)

        def answered(accepted: bool) -> None:
            if accepted:
                by_hand: dict[Path, Sequence | None] = {p: s for s, p in dialog.images.items()}
                chosen = [*dialog.images.values(), *dialog.masks]
                assigned = assign(chosen, {**by_hand, **dict.fromkeys(dialog.masks, None)})
                self._open_assigned(assigned, chosen, None)

        ask(dialog, answered)

    def _open_assigned(self, files: CaseFiles, paths: list[Path], found: Recoverable | None) -> None:
        self._open_with(files, case_key(paths), found)

    def _open_with(self, files: CaseFiles, key: str, found: Recoverable | None) -> None:
        def read() -> tuple[CaseFiles, Opened | UserError]:
            known = recall(files)
            return known, self._attempt(known, found)

        self._read(
            tr("Opening {file}", file=files.name),
            read,
            lambda result: self._go_on(result[1], result[0], key, found),
        )

    def _attempt(self, files: CaseFiles, found: Recoverable | None = None) -> Opened | UserError:
        """The case, or the question that has to be answered before it can be read."""
        if lacks_spacing(files):
            return UserError("spacing_not_given", path=next(iter(files.images.values())))
        try:
            opened = open_case(files, reference=Sequence(self.reference) if self.reference else None)
        except UserError as error:
            if error.code != "image_4d":
                raise
            return error
        return opened, found or pending_for(opened.case, self._desk.session.state_dir)

    def _go_on(
        self, result: Opened | UserError, files: CaseFiles, key: str, found: Recoverable | None
    ) -> None:
        """Take the case, or ask what its files do not say and read it then."""
        if not isinstance(result, UserError):
            self._take(result, key)
            return
        path = Path(str(result.params["path"]))

        def said(choices: dict[Path, ImageChoice]) -> None:
            remember(choices)
            self._open_with(replace(files, choices={**files.choices, **choices}), key, found)

        if result.code == "spacing_not_given":
            self._ask_spacing(path, files, said)
        else:
            self._ask_volume(path, int(str(result.params["count"])), said)

    def _ask_spacing(
        self, path: Path, files: CaseFiles, said: Callable[[dict[Path, ImageChoice]], None]
    ) -> None:
        dialog = SpacingDialog(path, self._desk.window)

        def answered(accepted: bool) -> None:
            if accepted:
                said(dict.fromkeys((*files.images.values(), *files.masks), dialog.choice))

        ask(dialog, answered)

    def _ask_volume(self, path: Path, count: int, said: Callable[[dict[Path, ImageChoice]], None]) -> None:
        jobs = self._desk.jobs

        def fetch(number: int, show: Callable[[NDArray[np.uint8] | str], None]) -> None:
            def failed(error: BaseException) -> None:
                if isinstance(error, UserError):
                    show(words(error))
                else:
                    self._desk.complain(error)

            jobs.free(lambda: middle_slice(path, number), show, failed)

        dialog = VolumeDialog(path, count, fetch, self._desk.window)

        def answered(accepted: bool) -> None:
            dialog.let_go()
            if accepted:
                said({path: ImageChoice(volume=dialog.volume)})

        ask(dialog, answered)

    def _read(self, text: str, work: object, done: object) -> None:
        self._turn += 1
        self.began.emit()
        turn = self._turn
        self.busy.emit(text)

        def home(result: object) -> None:
            if turn == self._turn:
                self.busy.emit("")
                done(result)  # type: ignore[operator]

        def failed(error: BaseException) -> None:
            if turn == self._turn:
                self.busy.emit("")
                self._desk.complain(error)

        self._desk.jobs.free(work, home, failed)  # type: ignore[arg-type]

    def _take(self, result: Opened, key: str) -> None:
        """Put a case that was read into the session, and say what is missing or was noticed."""
        opened, found = result
        desk = self._desk
        desk.messages.hide()
        self.replacing.emit()
        desk.session.open(opened.case)
        self.opened.emit(opened.case, key)
        if found is not None:
            try:
                desk.session.recover(found)
            except UserError as error:
                desk.complain(error)
                return
        placed = {s.value for s in opened.case.placements}
        told = (*opened.notes, *self._left_out)
        notes = [n for n in told if not (n.code == OFF_GRID and n.params.get("sequence") in placed)]
        remarks = [words(_brief(note)) for note in _together(notes)]
        if placed:
            remarks.append(
                tr("Brought together as you left it: {sequences}.", sequences=", ".join(sorted(placed)))
            )
        self._left_out = []
        if found is not None:
            remarks.insert(
                0,
                tr(
                    "Your {count} strokes that were not exported are back, with undo.",
                    count=found.strokes,
                ),
            )
        missing = ", ".join(s.value for s in opened.case.missing)
        if missing:
            remarks.insert(0, tr("Not in this exam: {missing}.", missing=missing))
        ambiguous = [p for p in opened.problems if p.code == "scheme_ambiguous"]
        others = [p for p in opened.problems if p.code != "scheme_ambiguous"]
        if others:
            desk.complain(others[0])
        elif any(note.code == OFF_GRID for note in notes):
            desk.messages.show_message(
                " ".join(remarks), error=False, action=tr("Align sequences..."), call=self.align_wanted.emit
            )
        elif remarks:
            desk.say(" ".join(remarks))
        for problem in ambiguous:
            self._ask_scheme(problem)

    # Masks ------------------------------------------------------------------------------------------

    def load_mask(self, path: Path, scheme: LabelScheme | None = None) -> None:
        """Add a mask file to the open case."""
        desk, case = self._desk, self._desk.session.case
        if case is None:
            return
        if desk.session.terms.blinded:
            desk.complain(UserError("reading_blinded"))
            return

        def done(result: tuple[Rating, UserError]) -> None:
            if desk.session.case is case:
                self._added(*result)

        def failed(error: BaseException) -> None:
            if desk.session.case is not case:
                return
            if isinstance(error, UserError) and error.code == "scheme_ambiguous":
                self._ask_scheme(error)
            else:
                desk.complain(error)

        desk.jobs.free(lambda: read_rating(case, path, scheme), done, failed)

    def _added(self, rating: Rating, why: UserError) -> None:
        self._desk.session.add(rating)
        self._desk.say(tr("{rater} was added. {reason}", rater=rating.rater, reason=words(_brief(why))))

    def _ask_scheme(self, problem: UserError) -> None:
        path = Path(str(problem.params["path"]))
        names = problem.params["candidates"]
        assert isinstance(names, list | tuple)
        dialog = SchemeDialog(path, [scheme_named(str(n)) for n in names], self._desk.window)
        case = self._desk.session.case

        def answered(accepted: bool) -> None:
            if accepted and self._desk.session.case is case:
                self.load_mask(path, dialog.scheme)
            elif not accepted:
                self._desk.say(
                    tr("The mask {file} was left out: nobody said what its numbers mean.", file=path.name)
                )

        ask(dialog, answered)


def _brief(note: UserError) -> UserError:
    """A remark with the file's name alone: the folder is known to whoever just opened it."""
    path = note.params.get("path")
    return UserError(note.code, **{**note.params, "path": path.name}) if isinstance(path, Path) else note


def _together(notes: list[UserError]) -> list[UserError]:
    """The remarks, those on several sequences of other grids as one: room above the pictures is short."""
    apart = [n for n in notes if n.code == OFF_GRID]
    if len(apart) < 2:
        return notes
    names = [n.params["sequence"] for n in apart]
    one = UserError("sequences_off_grid", sequences=names, masks_on=apart[0].params["masks_on"])
    return [one, *(n for n in notes if n.code != OFF_GRID)]


def _paths(files: CaseFiles, *, alone: bool = True) -> list[Path]:
    """What `open_key` needs to open this case again: its folder, unless it is not alone in it."""
    if files.kind is CaseKind.DICOM and files.exam is not None and not files.exam.is_alone:
        return [files.exam.folder, files.exam.series[0].path]
    if files.folder is not None and alone:
        return [files.folder]
    return [*files.images.values(), *files.masks, *files.unassigned]
