"""Which sequence a series is: said by its headers, else by its grey values; always with the reason.

Nothing here is certain, so nothing is silent: each suggestion carries the code of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from brainseg_desktop.core.contrasts import ENHANCED, enhancement, fluid_is_bright, likeness
from brainseg_desktop.core.errors import UserError
from brainseg_desktop.core.volume import Sequence, Volume
from brainseg_desktop.io.dicom.series import DicomSeries

# Words of protocols; "_" and "-" are spaces here. FLAIR goes before T2: "t2 flair", "t2 tirm dark fluid".
_T1_FLAIR = re.compile(r"\bt1w?(?: \w+)? flair\b|\bt1flair\b")
_FLAIR = re.compile(r"flair|dark ?fl|\btirm\b.*\bdark|\bspace ?ir\b|\bvista ?flair")
_T1 = re.compile(r"\bt1|\bmp ?2?rage\b|\bbravo\b|\b(?:ir ?)?f?spgr\b|\bvibe\b|\btfe?3d\b|\b3d ?tfe\b|\bmpr\b")
_T2 = re.compile(r"\bt2(?!\s?\*|\s?star)|\bcube t2")
_AGENTS = r"(?:c|ce|gd|gad|k|km|mdc|contrast)\b"
_CONTRAST = re.compile(
    rf"\bt1\w{{0,8}} ?(?:c|ce|gd|gad|km|mdc)\b|\+ ?{_AGENTS}|\b(?:ce|gd|km|post)\b|\bgad\w*|\bc\+"
    r"|\bpost ?(?:c|gd|contrast|kontrast)|\b[ck]ontrast|\bdotarem"
)
_NO_CONTRAST = re.compile(
    r"\bpre\b|\bnativ\w*|\bwithout\b|\bohne\b|\bno c(?:ontrast)?\b|\bnon ?contrast|\bunenhanced"
)
_OTHERS = {
    "diffusion": re.compile(r"\bdwi\b|\bdiff|\bdti\b|\badc\b|\btrace\w*\b|\bb ?1000\b|\bep2d\b"),
    "perfusion": re.compile(r"\bperf|\bdsc\b|\bdce\b|\basl\b|\bcbf\b|\bcbv\b|\bmtt\b"),
    "susceptibility": re.compile(r"\bswi\b|\bswan\b|\bt2 ?\*|\bt2 ?star|\bhemo\b|\bmip\b|\bgre\b|\bqsm\b"),
    "vessels": re.compile(r"\btof\b|\bmra\b|\bangio|\bmrv\b|\bvenc?\b"),
    "proton density": re.compile(r"\bpd\b|\bproton"),
    "spectroscopy": re.compile(r"\bmrs\b|\bcsi\b|\bspectro"),
    "functional": re.compile(r"\bbold\b|\bfmri\b|\brest(?:ing)?\b"),
    "a field map": re.compile(r"\bfield ?map|\bb0 ?map|\bshim\b"),
    "fat suppression by inversion": re.compile(r"\bstir\b"),
}
_ACQUISITION = {
    "FLUID_ATTENUATED": Sequence.FLAIR,
    "T1": Sequence.T1,
    "T2": Sequence.T2,
}
_NO_AGENT = re.compile(r"^(?:no|none|without|n|0|nil|-)\b", re.I)
_DERIVED_MAPS = {"ADC", "FA", "TRACEW", "CBF", "CBV", "MTT", "TTP", "PHASE", "P", "T2_STAR MAP"}
# ms. Fluid is nulled at 0.69 of its T1 (4.2 s at 3 T), less for a short repetition: 1700 to 2900.
_FLAIR_TI, _LONG_TR, _LONG_TE, _SHORT_TE, _SHORT_TR = 1500.0, 1800.0, 60.0, 30.0, 1200.0
# How much better than the next one a series must follow T2 to be taken for FLAIR, and at least.
_FOLLOWS_T2, _BY_SO_MUCH = 0.15, 0.2


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a series seems to be.

    Parameters
    ----------
    sequence : Sequence or None
        None: leave it out, or nothing tells.
    why : UserError
        Not an error: the code of the reason.
    is_clear : bool
        False where somebody should look.
    """

    sequence: Sequence | None
    why: UserError
    is_clear: bool = True


def recognise(
    series: Iterable[DicomSeries], read: Callable[[DicomSeries], Volume] | None = None
) -> tuple[Suggestion, ...]:
    """A suggestion for each series of an exam, each sequence at most once.

    Parameters
    ----------
    series : DicomSeries
        Of one exam.
    read : function, optional
        Reads a series, asked only where headers are silent; it may raise `UserError`. None: headers only.
    """
    offered = list(series)
    found = [by_headers(one) for one in offered]
    if read is not None:
        found = _by_values(offered, found, read)
    return _each_once(offered, found)


def by_headers(series: DicomSeries) -> Suggestion:
    """What description, contrast agent and timing of a series say."""
    if series.refusal is not None or series.aside is not None:
        return Suggestion(None, series.refusal or series.aside or UserError("sequence_unclear"))
    for said in (series.description, series.protocol):
        words = re.sub(r"[_\-.,;:/()\s]+", " ", said.lower()).strip()
        found = _by_words(series, words, said) if words else None
        if found is not None:
            return found
    return _by_technique(series)


def _by_words(series: DicomSeries, words: str, said: str) -> Suggestion | None:
    for kind, pattern in _OTHERS.items():
        if pattern.search(words) and not (kind != "susceptibility" and _FLAIR.search(words)):
            return Suggestion(None, UserError("sequence_is_other", said=said, kind=kind))
    if _DERIVED_MAPS & set(series.image_type[2:]):
        return Suggestion(None, UserError("sequence_is_other", said=said, kind="a map"))
    is_t1 = bool(_T1_FLAIR.search(words) or (_T1.search(words) and not _FLAIR.search(words)))
    if is_t1 and _T2.search(words):
        return None
    if is_t1:
        return _with_contrast(series, words, UserError("sequence_by_words", said=said))
    if _FLAIR.search(words):
        return Suggestion(Sequence.FLAIR, UserError("sequence_by_words", said=said))
    if _T2.search(words):
        return Suggestion(Sequence.T2, UserError("sequence_by_words", said=said))
    return None


def _with_contrast(series: DicomSeries, words: str, why: UserError) -> Suggestion:
    """T1 or T1CE, once it is known to be weighted so."""
    agent = series.technique.agent
    given = bool(agent) and not _NO_AGENT.match(agent)
    if _NO_CONTRAST.search(words):
        return Suggestion(Sequence.T1, why, is_clear=not given)
    if _CONTRAST.search(words):
        return Suggestion(Sequence.T1CE, why)
    if given:
        return Suggestion(Sequence.T1CE, UserError("sequence_by_agent", agent=agent))
    # Many scanners leave the agent out: that nothing is said of it does not make it a plain T1.
    return Suggestion(Sequence.T1, why, is_clear=bool(agent))


def _by_technique(series: DicomSeries) -> Suggestion:
    how = series.technique
    if how.contrast in _ACQUISITION:
        why = UserError("sequence_by_words", said=how.contrast)
        return _weighted(series, _ACQUISITION[how.contrast], why)
    if how.contrast or "EP" in how.codes:
        kind = how.contrast.lower().replace("_", " ") or "echo planar"
        return Suggestion(None, UserError("sequence_is_other", said=how.contrast or "EP", kind=kind))
    sequence = _by_times(series)
    if sequence is None:
        return Suggestion(None, UserError("sequence_unclear"), is_clear=False)
    times = {"TR": how.tr_ms, "TE": how.te_ms, "TI": how.ti_ms}
    why = UserError("sequence_by_times", times=[f"{n} {v:g} ms" for n, v in times.items() if v is not None])
    return _weighted(series, sequence, why)


def _weighted(series: DicomSeries, sequence: Sequence, why: UserError) -> Suggestion:
    return _with_contrast(series, "", why) if sequence is Sequence.T1 else Suggestion(sequence, why)


def _by_times(series: DicomSeries) -> Sequence | None:
    """T1, T2 or FLAIR from the times in ms; None where they are missing or fit none."""
    how = series.technique
    tr, te, ti = how.tr_ms, how.te_ms, how.ti_ms
    if ti is not None and ti >= _FLAIR_TI:
        return Sequence.FLAIR if te is None or te >= _LONG_TE else None
    if te is None or tr is None:
        return None
    if te <= _SHORT_TE and (tr <= _SHORT_TR or ti is not None):
        return Sequence.T1
    if te >= _LONG_TE and tr >= _LONG_TR and ti is None and "GR" not in how.codes:
        return Sequence.T2
    return None


def _by_values(
    series: list[DicomSeries], found: list[Suggestion], read: Callable[[DicomSeries], Volume]
) -> list[Suggestion]:
    """Ask the grey values where headers are silent, or do not tell which of two T1 has contrast agent."""
    silent = [i for i, s in enumerate(found) if s.sequence is None and not s.is_clear]
    plain = [i for i, s in enumerate(found) if s.sequence is Sequence.T1 and not s.is_clear]
    if not silent and len(plain) < 2:
        return found
    volumes: dict[int, Volume] = {}
    known = [i for i, s in enumerate(found) if s.sequence in (Sequence.T2, Sequence.T1, Sequence.T1CE)]
    for index in sorted({*silent, *plain, *(known if silent else ())}):
        try:
            volumes[index] = read(series[index])
        except UserError:
            # Whoever chooses it is told then; here it only has nothing to say.
            continue
    result = list(found)
    _name_silent([i for i in silent if i in volumes], volumes, result)
    plain = [i for i, s in enumerate(result) if s.sequence is Sequence.T1 and not s.is_clear and i in volumes]
    _tell_contrast(plain, volumes, result, series)
    return result


def _name_silent(silent: list[int], volumes: dict[int, Volume], result: list[Suggestion]) -> None:
    """T2 by its bright fluid; of the others FLAIR by following T2, T1 by not doing so."""
    for index in silent:
        if fluid_is_bright(volumes[index]):
            result[index] = Suggestion(Sequence.T2, UserError("sequence_by_bright_fluid"), is_clear=False)
    t2 = next((i for i, s in enumerate(result) if s.sequence is Sequence.T2 and i in volumes), None)
    left = [i for i in silent if result[i].sequence is None]
    if t2 is None:
        return
    alike = {i: value for i in left if (value := likeness(volumes[t2], volumes[i])) is not None}
    order = sorted(alike, key=lambda i: alike[i], reverse=True)
    has_flair = any(s.sequence is Sequence.FLAIR for s in result)
    if order and not has_flair and alike[order[0]] >= _FOLLOWS_T2:
        following = alike[order[1]] if len(order) > 1 else -1.0
        if alike[order[0]] - following >= _BY_SO_MUCH:
            why = UserError("sequence_follows_t2", likeness=round(alike[order[0]], 2))
            result[order.pop(0)] = Suggestion(Sequence.FLAIR, why, is_clear=False)
    for index in order:
        if alike[index] < _FOLLOWS_T2:
            why = UserError("sequence_against_t2", likeness=round(alike[index], 2))
            result[index] = Suggestion(Sequence.T1, why, is_clear=False)


def _tell_contrast(
    plain: list[int], volumes: dict[int, Volume], result: list[Suggestion], series: list[DicomSeries]
) -> None:
    """Which of two T1 has contrast agent, by the places that are brighter on it."""
    if len(plain) != 2 or any(s.sequence is Sequence.T1CE for s in result):
        return
    first, second = plain
    gain = enhancement(volumes[first], volumes[second])
    if gain is None or 1 / ENHANCED < gain < ENHANCED:
        return
    bright, other = (second, first) if gain >= ENHANCED else (first, second)
    why = UserError("sequence_enhances", other=series[other].name)
    result[bright] = Suggestion(Sequence.T1CE, why, is_clear=False)
    result[other] = replace(result[other], is_clear=True)


def _each_once(series: list[DicomSeries], found: list[Suggestion]) -> tuple[Suggestion, ...]:
    """Of several series that seem to be one sequence the best keeps it; the others say which does."""
    result = list(found)
    contested: set[int] = set()
    for sequence in Sequence:
        claims = [i for i, s in enumerate(result) if s.sequence is sequence]
        if len(claims) < 2:
            continue
        best = max(claims, key=lambda i: _rank(series[i]))
        contested.add(best)
        for index in claims:
            if index != best:
                why = UserError("sequence_taken", sequence=sequence.value, other=series[best].name)
                result[index] = Suggestion(None, why)
        result[best] = replace(result[best], is_clear=False)
    if any(s.sequence is Sequence.T1CE for s in result):
        # The other T1 of an exam with contrast agent is the plain one.
        result = [
            replace(s, is_clear=True) if s.sequence is Sequence.T1 and i not in contested else s
            for i, s in enumerate(result)
        ]
    return tuple(result)


def _rank(series: DicomSeries) -> tuple[int, int, int, float]:
    """Original before derived, axial or fine in all directions before others, fine before coarse."""
    spacing = series.spacing_mm or (1e3, 1e3, 1e3)
    is_fine = max(spacing) <= 1.6
    volume = spacing[0] * spacing[1] * spacing[2]
    return (
        int("DERIVED" not in series.image_type[:1]),
        int(is_fine or series.plane == "axial"),
        int(len(series.slices) >= 10),
        -volume,
    )
