"""The network's masks of all cases of a study: to start readings from, and to be measured beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.study import AI_KEY
from brainseg_desktop.io.claims import claim_folder
from brainseg_desktop.services.export import export_rating
from brainseg_desktop.services.headless import Segmenting, segment_cases
from brainseg_desktop.services.opening import read_case
from brainseg_desktop.services.studies.study import Study, case_files


@dataclass(frozen=True, slots=True)
class Outlined:
    """What became of the cases of a study.

    Parameters
    ----------
    written, kept : int
        Masks made now, and those that were there.
    problems : tuple of (case, UserError)
    cancelled : bool
    """

    written: int
    kept: int
    problems: tuple[tuple[str, UserError], ...]
    cancelled: bool = False


def outline_cases(
    study: Study,
    *,
    model: str | None = None,
    device: str = "auto",
    tell: Callable[[float], None] = lambda _: None,
    cancel: threading.Event | None = None,
) -> Outlined:
    """Have the network outline every case that it has not outlined yet; a bad case does not stop the rest.

    Raises
    ------
    UserError
        ``claim_held`` if another program is doing it; what is wrong with the network.
    """
    cancel = cancel or threading.Event()
    cases = [c.name for c in study.design.cases]
    todo = [name for name in cases if not study.other_path(AI_KEY, name).exists()]
    problems: list[tuple[str, UserError]] = []
    written = 0
    if not todo:
        return Outlined(0, len(cases), ())
    folder = study.other_path(AI_KEY, todo[0]).parent
    claim = claim_folder(folder)
    try:
        with segment_cases(folder, model, device) as segment:
            for number, name in enumerate(todo):
                if cancel.is_set():
                    break

                def part(fraction: float, number: int = number) -> None:
                    tell((number + fraction) / len(todo))

                claim.renew()
                try:
                    _outline(study, name, segment, part, cancel)
                    written += 1
                except UserError as error:
                    if not cancel.is_set():
                        problems.append((name, error))
    finally:
        claim.release()
    if not cancel.is_set():
        tell(1.0)
    return Outlined(written, len(cases) - len(todo), tuple(problems), cancel.is_set())


def _outline(
    study: Study, name: str, segment: Segmenting, tell: Callable[[float], None], cancel: threading.Event
) -> None:
    case = read_case(replace(case_files(study, name), masks=())).case
    case.name = name
    rating, _ = segment.predict(case, tell, cancel=cancel)
    export_rating(
        case, rating, study.other_path(AI_KEY, name), scheme=study.scheme, within=lambda about: about
    )
