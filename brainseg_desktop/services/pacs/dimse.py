"""DIMSE: C-ECHO, C-FIND, C-MOVE and C-GET, C-STORE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.pacs.associating import associated
from brainseg_desktop.services.pacs.instances import InstanceFolder
from brainseg_desktop.services.pacs.nodes import PacsNode
from brainseg_desktop.services.pacs.quiet import quiet
from brainseg_desktop.services.pacs.reaching import Patience, Stopped
from brainseg_desktop.services.pacs.receiving import Receiver, store_into
from brainseg_desktop.services.pacs.records import (
    SERIES_KEYS,
    STUDY_KEYS,
    Cancelled,
    Query,
    SeriesEntry,
    StudyEntry,
    Tell,
    series_entry,
    study_entry,
)

# SOP classes: verification, and the study root of query and retrieve.
VERIFICATION = "1.2.840.10008.1.1"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
# Status (PS3.4 C.4, PS3.7 C).
_PENDING = (0xFF00, 0xFF01)
_MOVE_DESTINATION_UNKNOWN = 0xA801
_SOME_FAILED = 0xB000
_STORE_WARNINGS = (0xB000, 0xB006, 0xB007)
MAX_CONTEXTS = 128
# Explicit and implicit little endian.
_PLAIN = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
# What a brain exam may hold and may be asked for with C-GET, which must name each class beforehand.
_GET_CLASSES = (
    "MRImageStorage",
    "EnhancedMRImageStorage",
    "EnhancedMRColorImageStorage",
    "CTImageStorage",
    "EnhancedCTImageStorage",
    "PositronEmissionTomographyImageStorage",
    "EnhancedPETImageStorage",
    "SegmentationStorage",
    "SecondaryCaptureImageStorage",
    "MRSpectroscopyStorage",
    "NuclearMedicineImageStorage",
    "SurfaceSegmentationStorage",
    "ParametricMapStorage",
    "RTStructureSetStorage",
    "RTDoseStorage",
    "RTPlanStorage",
    "MultiFrameGrayscaleByteSecondaryCaptureImageStorage",
    "MultiFrameGrayscaleWordSecondaryCaptureImageStorage",
    "MultiFrameTrueColorSecondaryCaptureImageStorage",
    "RawDataStorage",
    "SpatialRegistrationStorage",
    "GrayscaleSoftcopyPresentationStateStorage",
    "KeyObjectSelectionDocumentStorage",
    "BasicTextSRStorage",
    "EnhancedSRStorage",
    "ComprehensiveSRStorage",
    "Comprehensive3DSRStorage",
    "EncapsulatedPDFStorage",
)
# Which of these are compressed at all, and how: JPEG, JPEG lossless, JPEG-LS, JPEG 2000 (both), RLE.
_GET_PACKED = frozenset(_GET_CLASSES[:9])
_PACKED = (
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.5",
)


def echo(node: PacsNode, cancelled: Cancelled, patience: Patience) -> None:
    """C-ECHO."""
    quiet()
    from pynetdicom import build_context

    with associated(node, [build_context(VERIFICATION)], cancelled, patience) as association:
        status = association.send_c_echo()
        _expect_success(node, status, cancelled)


def find_studies(node: PacsNode, query: Query, cancelled: Cancelled, patience: Patience) -> list[StudyEntry]:
    """C-FIND in the study root."""
    keys = dict.fromkeys(STUDY_KEYS, "") | query.matched()
    answers = _find(node, "STUDY", keys, query.limit, cancelled, patience)
    return [study_entry(text) for text in answers]


def find_series(
    node: PacsNode, study_uid: str, cancelled: Cancelled, patience: Patience
) -> list[SeriesEntry]:
    """C-FIND of the series of a study."""
    keys = dict.fromkeys(SERIES_KEYS, "") | {"StudyInstanceUID": study_uid}
    answers = _find(node, "SERIES", keys, 2000, cancelled, patience)
    return [series_entry(study_uid, text) for text in answers]


def _find(
    node: PacsNode, level: str, keys: dict[str, str], limit: int, cancelled: Cancelled, patience: Patience
) -> list[Callable[[str], str]]:
    quiet()
    from pynetdicom import build_context

    found: list[Callable[[str], str]] = []
    with associated(node, [build_context(FIND)], cancelled, patience) as association:
        for status, answer in association.send_c_find(_identifier(level, keys), FIND):
            code = _code(node, status, cancelled)
            if code not in _PENDING:
                if code != 0:
                    raise _failed(node, code)
                break
            if answer is not None:
                found.append(_reader(answer))
            if len(found) >= limit:
                # The rest is not wanted; hanging up is the surest way to say so.
                association.abort()
                break
    return found


def retrieve_by_move(
    node: PacsNode,
    study_uid: str,
    series_uid: str | None,
    store: InstanceFolder,
    tell: Tell,
    cancelled: Cancelled,
    patience: Patience,
) -> int:
    """C-MOVE to ourselves; how many instances the archive could not send."""
    quiet()
    from pynetdicom import build_context

    keys = _retrieve_keys(study_uid, series_uid)
    where = (node.receive_address, node.receive_port)
    with (
        Receiver(store, where, node.own_title, patience=patience),
        associated(node, [build_context(MOVE)], cancelled, patience) as association,
    ):
        answers = association.send_c_move(_identifier(*keys), node.own_title, MOVE)
        return _follow(node, answers, store, tell, cancelled)


def retrieve_by_get(
    node: PacsNode,
    study_uid: str,
    series_uid: str | None,
    store: InstanceFolder,
    tell: Tell,
    cancelled: Cancelled,
    patience: Patience,
) -> int:
    """C-GET on one connection; how many instances the archive could not send."""
    quiet()
    import pynetdicom.sop_class as classes
    from pynetdicom import build_context, build_role, evt

    keys = _retrieve_keys(study_uid, series_uid)
    contexts, roles = [build_context(GET)], []
    for name in _GET_CLASSES:
        uid = getattr(classes, name)
        contexts.append(build_context(uid, list(_PLAIN)))
        if name in _GET_PACKED:
            # One each: of several in one context the archive would choose a single one for all its images.
            contexts += [build_context(uid, syntax) for syntax in _PACKED]
        roles.append(build_role(uid, scp_role=True))
    handlers = [(evt.EVT_C_STORE, store_into(store))]
    with associated(node, contexts, cancelled, patience, handlers=handlers, roles=roles) as association:
        answers = association.send_c_get(_identifier(*keys), GET)
        return _follow(node, answers, store, tell, cancelled)


def _follow(
    node: PacsNode,
    answers: Iterator[tuple[Any, Any]],
    store: InstanceFolder,
    tell: Tell,
    cancelled: Cancelled,
) -> int:
    """Wait until the archive has sent everything; how many instances it could not send."""
    for status, _ in answers:
        code = _code(node, status, cancelled)
        counts = [_number(status, f"NumberOf{kind}Suboperations") for kind in _SUBOPERATIONS]
        done, failed, left = counts[0] + counts[1] + counts[2], counts[1], counts[3]
        if code in _PENDING:
            tell(done, done + left)
            continue
        if code == _MOVE_DESTINATION_UNKNOWN:
            raise UserError("pacs_move_destination", node=node.title, title=node.own_title)
        if code not in (0, _SOME_FAILED):
            if store.problem is not None:
                raise store.problem
            raise _failed(node, code)
        return failed
    raise UserError("pacs_broken", node=node.title)


_SUBOPERATIONS = ("Completed", "Failed", "Warning", "Remaining")


def _number(status: Any, keyword: str) -> int:
    value = status.get(keyword)
    return int(value) if value is not None else 0


def send_files(
    node: PacsNode, files: Sequence[Path], tell: Tell, cancelled: Cancelled, patience: Patience
) -> Iterator[UserError | None]:
    """C-STORE each file; for each, None or why it was not taken.

    The presentation contexts are those of the files: each SOP class with the transfer syntax the file has,
    compressed ones too, since nothing is compressed or unpacked on the way.
    """
    quiet()
    from pydicom import dcmread
    from pynetdicom import build_context

    kinds = [_kind(path) for path in files]
    wanted = list(dict.fromkeys(kind for kind in kinds if not isinstance(kind, UserError)))
    if not wanted:
        yield from (kind for kind in kinds if isinstance(kind, UserError))
        return
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in _proposed(wanted)]
    if len(contexts) > MAX_CONTEXTS:
        raise UserError("pacs_too_many_kinds", count=len(wanted))
    with associated(node, contexts, cancelled, patience) as association:
        for path, kind in zip(files, kinds, strict=True):
            if isinstance(kind, UserError):
                yield kind
                continue
            try:
                status = association.send_c_store(dcmread(path))
            except ValueError:
                # No context of its kind was accepted, or it cannot be encoded as one that was.
                yield UserError("pacs_not_accepted", node=node.title, path=path)
                continue
            code = _code(node, status, cancelled)
            taken = code == 0 or code in _STORE_WARNINGS
            yield (
                None
                if taken
                else UserError("pacs_store_refused", node=node.title, path=path, status=f"{code:04X}")
            )


def _kind(path: Path) -> tuple[str, str] | UserError:
    """SOP class and transfer syntax of a file."""
    from pydicom import dcmread

    try:
        found = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        kind = (str(found.SOPClassUID), str(found.file_meta.TransferSyntaxUID))
        return kind if found.SOPInstanceUID else UserError("pacs_not_dicom", path=path)
    except FileNotFoundError:
        return UserError("file_missing", path=path)
    # pydicom raises whatever comes of bytes that are no DICOM.
    except Exception:
        return UserError("pacs_not_dicom", path=path)


def _proposed(kinds: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each kind in a context of its own, so that it is taken as it is; plain ones both plain ways."""
    others = [(c, other) for c, s in kinds if s in _PLAIN for other in _PLAIN]
    return list(dict.fromkeys([*kinds, *others]))


def transfer_syntaxes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Encodings in which we take instances: plain ones, and compressed ones."""
    from pynetdicom import ALL_TRANSFER_SYNTAXES, DEFAULT_TRANSFER_SYNTAXES

    known = {*map(str, ALL_TRANSFER_SYNTAXES), *map(str, DEFAULT_TRANSFER_SYNTAXES)}
    return _PLAIN, tuple(sorted(known - set(_PLAIN)))


def _retrieve_keys(study_uid: str, series_uid: str | None) -> tuple[str, dict[str, str]]:
    if series_uid is None:
        return "STUDY", {"StudyInstanceUID": study_uid}
    return "SERIES", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}


def _identifier(level: str, keys: dict[str, str]) -> Any:
    from pydicom.dataset import Dataset

    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    if any(not value.isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in keys.items():
        setattr(identifier, keyword, value or None)
    return identifier


def _reader(answer: Any) -> Callable[[str], str]:
    """Values of an answer by keyword, read without the checks that would quote them."""
    from pydicom.charset import python_encoding
    from pydicom.datadict import tag_for_keyword

    def value(keyword: str) -> bytes | str:
        element = answer.get_item(tag_for_keyword(keyword))
        found = b"" if element is None or element.value is None else element.value
        if isinstance(found, bytes):
            return found
        # What the library has looked at itself, it has decoded.
        several = isinstance(found, Sequence) and not isinstance(found, str)
        return "\\".join(map(str, found)) if several else str(found)

    terms = value("SpecificCharacterSet")
    names = terms if isinstance(terms, str) else terms.decode("latin-1")
    encodings = [python_encoding.get(term.strip(), "latin-1") for term in names.split("\\")]

    def text(keyword: str) -> str:
        found = value(keyword)
        return (found if isinstance(found, str) else _decoded(found, encodings)).strip("\0 ")

    return text


def _decoded(found: bytes, encodings: list[str]) -> str:
    from pydicom.charset import decode_bytes
    from pydicom.valuerep import TEXT_VR_DELIMS

    try:
        return decode_bytes(found, encodings, TEXT_VR_DELIMS)
    except (LookupError, ValueError):
        return found.decode("latin-1")


def _code(node: PacsNode, status: Any, cancelled: Cancelled) -> int:
    """The status of an answer; an empty one is a broken connection."""
    if cancelled():
        raise Stopped
    if "Status" not in status:
        raise UserError("pacs_broken", node=node.title)
    return int(status.Status)


def _expect_success(node: PacsNode, status: Any, cancelled: Cancelled) -> None:
    code = _code(node, status, cancelled)
    if code != 0:
        raise _failed(node, code)


def _failed(node: PacsNode, code: int) -> UserError:
    return UserError("pacs_failed", node=node.title, status=f"{code:04X}")
