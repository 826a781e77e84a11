"""What other programs call the tissues: coded terms of DICOM, and names as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from brainseg_desktop.core.labels import TISSUE_NAMES, Tissue


@dataclass(frozen=True, slots=True)
class Term:
    """A coded term: what it means is said by its value within a coding scheme, never by its words."""

    value: str
    scheme: str
    meaning: str


CATEGORY = Term("49755003", "SCT", "Morphologically Abnormal Structure")
# A scheme that begins with 99 is private (PS3.16, section 8): none of the public ones names the hole that
# an operation leaves as BraTS 2024 means it.
TERMS: dict[Tissue, Term] = {
    Tissue.NECROSIS: Term("6574001", "SCT", "Necrosis"),
    Tissue.OEDEMA: Term("79654002", "SCT", "Edema"),
    Tissue.ENHANCING: Term("C113842", "NCIt", "Enhancing Lesion"),
    Tissue.NON_ENHANCING: Term("C81175", "NCIt", "Non-Enhancing Lesion"),
    Tissue.CAVITY: Term("CAVITY", "99BRAINSEG", "Resection cavity"),
    Tissue.TUMOUR: Term("108369006", "SCT", "Neoplasm"),
}
# Other codes for the same: SNOMED's older RT identifiers, and what Slicer's terminologies offer.
_ALSO = {
    ("M-54000", "SRT"): Tissue.NECROSIS,
    ("M-36300", "SRT"): Tissue.OEDEMA,
    ("M-80003", "SRT"): Tissue.TUMOUR,
    ("86049000", "SCT"): Tissue.TUMOUR,
    ("4147007", "SCT"): Tissue.TUMOUR,
}
_NAMES: tuple[tuple[Tissue, re.Pattern[str]], ...] = (
    (Tissue.NON_ENHANCING, re.compile(r"^(non|not) ?enhanc\w*( .*)?$|^net$")),
    (
        Tissue.ENHANCING,
        re.compile(r"^(gd |contrast )?enhanc(ing|ed|ement)( (lesion|tumou?r|core|part))?$|^(et|aet)$"),
    ),
    (Tissue.NECROSIS, re.compile(r"^necro(sis|tic)( .*)?$|^ncr( net)?$")),
    (Tissue.OEDEMA, re.compile(r"^(peri ?tumou?r(al|ous) )?o?edema(tous)?( .*)?$|^(ed|snfh)$")),
    (Tissue.CAVITY, re.compile(r"^((resection|surgical) )?cavity$|^rc$")),
    (Tissue.TUMOUR, re.compile(r"^(whole )?(tumou?r|neoplasm|lesion|glioma)$|^wt$")),
)


def tissue_of_code(value: str, scheme: str) -> Tissue | None:
    """The tissue that a coded term stands for, if it is one of ours."""
    for tissue, term in TERMS.items():
        if (term.value, term.scheme.upper()) == (value, scheme.upper()):
            return tissue
    return _ALSO.get((value, scheme.upper()))


def tissue_of_name(name: str) -> Tissue | None:
    """The tissue that a name stands for, if it leaves no doubt.

    Examples
    --------
    >>> [tissue_of_name(name).name for name in ("NCR/NET", "peritumoral edema", "Enhancing tumour")]
    ['NECROSIS', 'OEDEMA', 'ENHANCING']
    >>> tissue_of_name("Segment 1"), tissue_of_name("Tumour core")
    (None, None)
    """
    plain = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
    return next((tissue for tissue, pattern in _NAMES if pattern.match(plain)), None)


def segment_name(tissue: Tissue) -> str:
    """The name of a tissue as a segment of ours carries it; `tissue_of_name` understands it."""
    return TISSUE_NAMES[tissue]
