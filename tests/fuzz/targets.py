"""What is fuzzed: sound files of each form, how they are wrapped, and the reader that gets them."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import random
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from tests.fuzz.mutate import mutate

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Parameters
    ----------
    name : str
    make : function
        Gives sound inputs: each a mapping of file names to their bytes.
    read : function
        Reads the folder of one input, as the program does; gets a folder for its output too.
    unpack, pack : functions
        The bytes that are changed, of those in the file: a checksum would else hide the reader from nearly
        every change. One change in four is made to the packed bytes all the same.
    first : str
        Beginning of the names of the files that are changed; empty: any.
    """

    name: str
    make: Callable[[], list[Files]]
    read: Callable[[Path, Path], None]
    unpack: Callable[[bytes], bytes] = bytes
    pack: Callable[[bytes, random.Random], bytes] = lambda raw, _: raw
    first: str = ""

    def inputs(self, seed: int, number: int) -> dict[str, bytes]:
        """The files of one input; the same for the same numbers."""
        draw = random.Random(f"{seed}/{self.name}/{number}")
        sound = _made(self.name)
        files = dict(draw.choice(sound))
        name = draw.choice(sorted(n for n in files if n.startswith(self.first)))
        others = [f[name] for f in sound if name in f]
        if draw.random() < 0.75:
            plain = mutate(self.unpack(files[name]), draw, [self.unpack(o) for o in others])
            files[name] = self.pack(plain, draw)
        else:
            files[name] = mutate(files[name], draw, others)
        return files


@cache
def _made(name: str) -> list[Files]:
    return targets()[name].make()


# NIfTI ------------------------------------------------------------------------------------------------------


def _nifti(
    shape: tuple[int, ...] = (4, 5, 6), dtype: str = "<i2", version: int = 1, pair: bool = False
) -> bytes:
    from nibabel import nifti1, nifti2

    kinds = {
        1: (nifti1.Nifti1Header, nifti1.Nifti1PairHeader),
        2: (nifti2.Nifti2Header, nifti2.Nifti2PairHeader),
    }
    header = kinds[version][pair](endianness=dtype[0])
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    offset = 0 if pair else int(header.sizeof_hdr) + 4
    header.set_data_offset(offset)
    header.set_sform(np.diag([-1.0, -1.0, 2.0, 1.0]), 1)
    header.set_qform(np.diag([-1.0, -1.0, 2.0, 1.0]), 1)
    header["scl_slope"] = 2.0 if dtype[1] == "f" else 1.0
    values = (np.arange(np.prod(shape)) % 3).astype(dtype).tobytes()
    return bytes(header.binaryblock) + bytes(0 if pair else 4) + values


def _niftis() -> list[bytes]:
    return [
        *(_nifti(), _nifti(dtype=">f4"), _nifti(version=2, dtype="<f8"), _nifti((4, 5, 6, 3))),
        *(_nifti(dtype="<u1"), _nifti((4, 5, 6, 1, 2), ">u2", 2)),
    ]


def _read_image(folder: Path, out: Path) -> None:
    from brainseg_desktop.core.volume import ImageChoice
    from brainseg_desktop.io.images import read_image, read_mask
    from brainseg_desktop.services.check import check

    paths = sorted(folder.iterdir())
    path = next((p for p in paths if p.name.endswith((".hdr", ".nhdr"))), paths[0])
    check(path)
    attempts = (
        lambda: read_image(path, None, [], ImageChoice(2, (1.0, 1.0, 2.0))),
        lambda: read_mask(path),
    )
    _each(attempts)


def _each(attempts: tuple[Callable[[], object], ...]) -> None:
    """All of these, though one is refused; the last refusal is passed on."""
    from brainseg_desktop.core.errors import UserError

    refused = None
    for attempt in attempts:
        try:
            attempt()
        except UserError as error:
            refused = error
    if refused is not None:
        raise refused


def _gzip(raw: bytes, draw: random.Random) -> bytes:
    """Packed; sometimes with a wrong size, in several members, or growing far beyond what is stated."""
    packed = gzip.compress(raw, 1, mtime=0)
    trick = draw.random()
    if trick < 0.1:
        return packed[:-4] + draw.randbytes(4)
    if trick < 0.15:
        return packed + gzip.compress(b"x" * 300, 1, mtime=0)
    if trick < 0.2:
        return packed[:10] + _growing(raw) + packed[-8:]
    return packed


def _growing(raw: bytes) -> bytes:
    """Deflate data of these bytes and 4 GB of zeros, in 4 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(raw) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * 256 + b"\x03\x00"


def _gunzip(raw: bytes) -> bytes:
    return gzip.decompress(raw)


# NRRD -------------------------------------------------------------------------------------------------------


def _nrrd(encoding: str = "raw", more: str = "", sizes: str = "4 5 6", data: bytes | None = None) -> bytes:
    directions = "(1,0,0) (0,1,0) (0,0,2)" if sizes == "4 5 6" else "none (1,0,0) (0,1,0) (0,0,2)"
    values = (np.arange(720) % 3).astype("<i2").tobytes()[: 2 * int(np.prod([int(s) for s in sizes.split()]))]
    import bz2

    packed = {"raw": values, "gzip": gzip.compress(values, 1, mtime=0), "bzip2": bz2.compress(values)}[
        encoding
    ]
    header = (
        f"NRRD0004\n# made\ntype: short\ndimension: {len(sizes.split())}\nspace: left-posterior-superior\n"
        f"sizes: {sizes}\nspace directions: {directions}\nspace origin: (1.5,2,-3)\nendian: little\n"
        f"encoding: {encoding}\n{more}"
    )
    return header.encode() + (b"\n" + packed if data is None else data)


def _nrrds() -> list[Files]:
    whole = [
        _nrrd(),
        _nrrd("gzip"),
        _nrrd("bzip2"),
        _nrrd(sizes="3 4 5 6", more="kinds: list domain domain domain\n"),
    ]
    grown = whole[1].partition(b"\n\n")
    whole.append(grown[0] + b"\n\n" + grown[2][:10] + _growing(bytes(100)) + bytes(8))
    return [{"a.nrrd": raw} for raw in whole] + [
        {
            "a.nhdr": _nrrd(more="data file: a.raw\n", data=b""),
            "a.raw": (np.arange(120) % 3).astype("<i2").tobytes(),
        }
    ]


# Pictures ---------------------------------------------------------------------------------------------------


def _tiff(array: np.ndarray, **options: object) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def _stacks() -> list[Files]:
    volume = (np.arange(6 * 20 * 16) % 5).astype(np.uint8).reshape(6, 20, 16)
    plain = {"photometric": "minisblack"}
    return [
        {"flair.tif": _tiff(volume, **plain)},
        {"flair.tif": _tiff(volume, compression="zlib", metadata=None, **plain)},
        {"flair.tif": _tiff(volume.astype(">u2"), compression="lzw", byteorder=">", **plain)},
        {"flair.tif": _tiff(volume, compression="jpegxl", **plain)},
        {"flair.tif": _tiff(volume.astype(np.float32), bigtiff=True, **plain)},
        {"flair.tif": _tiff(np.stack([volume] * 3, -1), photometric="rgb")},
    ]


def _slices() -> list[Files]:
    from PIL import Image

    picture = (np.arange(20 * 16) % 200).astype(np.uint8).reshape(20, 16)
    found: list[Files] = []
    for suffix, form in (("png", "PNG"), ("jpg", "JPEG")):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, form)
        found.append({f"flair_{i}.{suffix}": buffer.getvalue() for i in range(3)})
    lgg = {f"TCGA_XX_0000_1_{i}.tif": _tiff(np.stack([picture] * 3, -1), photometric="rgb") for i in (1, 2)}
    masks = {f"TCGA_XX_0000_1_{i}_mask.tif": _tiff((picture > 99).astype(np.uint8) * 255) for i in (1, 2)}
    return [*found, {**lgg, **masks}]


def _read_folder(folder: Path, out: Path) -> None:
    from brainseg_desktop.io.layouts import find_case
    from brainseg_desktop.services.check import check
    from brainseg_desktop.services.opening import read_case

    check(folder)
    read_case(find_case(folder))


# Text -------------------------------------------------------------------------------------------------------


def _png() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((20, 16), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _cocos() -> list[Files]:
    annotations = [
        {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [[1, 1, 9.5, 2, 8, 12]], "iscrowd": 0},
        {
            "id": 2,
            "image_id": 0,
            "category_id": 1,
            "segmentation": {"size": [20, 16], "counts": [10, 20, 290]},
        },
        {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [20, 16], "counts": "0141N0003"}},
    ]
    images = [{"id": i, "file_name": f"{i}.png", "height": 20, "width": 16} for i in range(2)]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "tumour"}]}
    return [{"_annotations.coco.json": json.dumps(content).encode(), "0.png": _png(), "1.png": _png()}]


def _read_coco(folder: Path, out: Path) -> None:
    from brainseg_desktop.training.config import SourceConfig
    from brainseg_desktop.training.data.coco import find_coco

    problems: list[object] = []
    for entry in find_coco(folder, SourceConfig(kind="coco", path=str(folder)), problems):
        entry.read(problems)


def _studies() -> list[Files]:
    from brainseg_desktop.core.study import Reader, StudyCase, StudyDesign
    from brainseg_desktop.io import study

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        design = StudyDesign(
            name="S",
            scheme="brats2021",
            readers=(Reader("A", "a"), Reader("B", "b")),
            cases=(StudyCase("c1", "cases/c1"), StudyCase("c2", "cases/c2")),
            identifier="id",
            created_utc="2026-01-01T00:00:00+00:00",
        )
        study.write_design(folder, design)
        study.write_unblinded(folder, study.Unblinded("A", "2026-01-01T00:00:00+00:00", 1))
        record = study.ReadingRecord(
            study="id", reader="a", case="c1", status="locked", flags=("x",), active_s=3.0
        )
        side = study.sealed({"program": "brainseg-desktop", "rater": "A", "scheme": "brats2021"}, record)
        return [
            {
                "study.toml": (folder / "study.toml").read_bytes(),
                "unblinded.json": (folder / "unblinded.json").read_bytes(),
                "ratings/a/c1_seg-a_dseg.json": json.dumps(side).encode(),
            }
        ]


def _read_study(folder: Path, out: Path) -> None:
    from brainseg_desktop.io import study
    from brainseg_desktop.services.studies.study import Study

    side = folder / "ratings" / "a" / "c1_seg-a_dseg.json"

    def worklist() -> None:
        opened = Study.open(folder)
        opened.worklist()
        opened.open_readings()

    _each((lambda: study.read_sidecar(side), lambda: study.read_unblinded(folder), worklist))


def _sidecars() -> list[Files]:
    mask = _nifti(dtype="<u1")
    content = {
        "program": "brainseg-desktop",
        "sha256": hashlib.sha256(mask).hexdigest(),
        "scheme": "brats2021",
        "rater": "Reader",
        "kind": "human",
        "details": {"model": "m", "study": {"reader": "a"}},
    }
    table = {"channel_names": {"0": "T1w", "1": "FLAIR"}, "labels": {"background": 0}}
    return [
        {"x_flair.nii": _nifti(), "x_seg.nii": mask, "x_seg.json": json.dumps(content).encode()},
        {
            "x_0000.nii": _nifti(),
            "x_0001.nii": _nifti(),
            "x_seg.json": b"{}",
            "dataset.json": json.dumps(table).encode(),
        },
    ]


def _settings() -> list[Files]:
    import msgspec

    from brainseg_desktop.services.case_display import CaseDisplay
    from brainseg_desktop.services.settings import Settings

    display = {**msgspec.to_builtins(CaseDisplay()), "windows": {"FLAIR": [0.0, 100.0]}}
    return [
        {"settings.json": msgspec.json.encode(Settings()), "display.json": json.dumps(display).encode()},
        {"settings.json": b'{"version": 1, "recent": ["/a", "/b"]}', "display.json": b'{"version": 1}'},
    ]


def _read_settings(folder: Path, out: Path) -> None:
    from brainseg_desktop.core.case import Case
    from brainseg_desktop.core.geometry import Grid
    from brainseg_desktop.core.volume import Sequence, Source, Volume
    from brainseg_desktop.services.case_display import display_path, load_display
    from brainseg_desktop.services.settings import load_settings, settings_path

    settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings_path().write_bytes((folder / "settings.json").read_bytes())
    load_settings()
    grid = Grid((2, 2, 2), np.eye(4))
    case = Case(
        "c", grid, {Sequence.FLAIR: Volume(np.zeros((2, 2, 2)), grid, Source(folder, "ab"), Sequence.FLAIR)}
    )
    kept = display_path(case)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes((folder / "display.json").read_bytes())
        load_display(case)


# Journals ---------------------------------------------------------------------------------------------------


def _journals() -> list[Files]:
    from brainseg_desktop.core.geometry import Box
    from brainseg_desktop.core.history import History, LabelMap
    from brainseg_desktop.io.journal import Journal
    from brainseg_desktop.io.journal_format import About, Header, ImageEntry

    header = Header(
        case="c",
        images=(ImageEntry("FLAIR", "/x/flair.nii.gz", "00ff"),),
        shape=(5, 6, 4),
        base_sha256="",
        program_version="0",
        started_utc="2026-01-01T00:00:00+00:00",
    )
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.journal"
        history = History(LabelMap(np.zeros((5, 6, 4), np.uint8)))
        journal = Journal.start(
            path, header, lambda: About(rater="R", kind="human", scheme="brats2021"), history.label_map.array
        )
        journal.attach(history)
        for x in range(3):
            with history.edit("Brush") as stroke:
                box = Box((x, 0, 0), (x + 1, 2, 2))
                stroke.paint(box, np.ones(box.shape, bool), 1)
        history.undo()
        history.redo()
        journal.close(keep=True)
        return [{"a.journal": path.read_bytes()}]


def _frames(raw: bytes) -> bytes:
    """A journal without lengths and checksums: its frames in hexadecimal, one a line."""
    lines, place = [raw[:8].hex()], 8
    while len(raw) >= place + 8:
        length = int.from_bytes(raw[place : place + 4], "little")
        body = raw[place + 8 : place + 8 + length]
        lines.append((zlib.decompress(body[1:]) if body[:1] == b"B" else body[1:]).hex() + body[:1].hex())
        place += 8 + length
    return "\n".join(lines).encode()


def _framed(text: bytes, draw: random.Random) -> bytes:
    """Frames with lengths and checksums that fit, whatever is in them."""
    parts = []
    for line in text.split(b"\n"):
        digits = bytes(c for c in line if c in b"0123456789abcdef")
        parts.append(bytes.fromhex(digits[: len(digits) // 2 * 2].decode()))
    found = [parts[0]]
    for part in parts[1:]:
        kind, payload = part[-1:], part[:-1]
        if kind == b"B":
            grows = draw.random() < 0.05
            payload = b"\x78\x9c" + _growing(payload) + bytes(4) if grows else zlib.compress(payload)
        body = kind + payload
        found.append(struct.pack("<II", len(body), zlib.crc32(body)) + body)
    return b"".join(found)


def _read_journal(folder: Path, out: Path) -> None:
    from brainseg_desktop.core.audit import Tally
    from brainseg_desktop.core.history import History, LabelMap
    from brainseg_desktop.io.journal_format import read_journal
    from brainseg_desktop.io.journal_replay import replay

    content = read_journal(folder / "a.journal")
    replay(content, History(LabelMap(content.base)), Tally())


# Archives ---------------------------------------------------------------------------------------------------


def _zips() -> list[Files]:
    inside = next(f for f in _slices() if any("mask" in name for name in f))
    plain = [(f"kaggle_3m/TCGA_XX_0000_1/{name}", raw) for name, raw in inside.items()]
    tricks: list[list[tuple[str, bytes]]] = [
        [],
        *(
            [(name, b"out")]
            for name in ("../out.tif", "/out.tif", "..\\out.tif", "C:\\out.tif", "a/../../out.tif")
        ),
        [("kaggle_3m/TCGA_XX_0000_1/TCGA_XX_0000_1_3.tif", bytes(200 << 20))],
    ]
    return [{"a.zip": _zip([*plain, *more])} for more in tricks] + [{"a.zip": _zip(plain, link=True)}]


def _zip(members: list[tuple[str, bytes]], link: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in members:
            archive.writestr(zipfile.ZipInfo(name), raw, zipfile.ZIP_DEFLATED)
        if link:
            info = zipfile.ZipInfo("kaggle_3m/TCGA_XX_0000_1/TCGA_XX_0000_1_4.tif")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "../../../out")
    return buffer.getvalue()


def _read_zip(folder: Path, out: Path) -> None:
    from brainseg_desktop.training.config import SourceConfig
    from brainseg_desktop.training.data.fetch import check_archive, unpack_archive
    from brainseg_desktop.training.data.lgg import find_lgg

    problems: list[object] = []
    path = folder / "a.zip"

    def entries() -> None:
        for entry in find_lgg(path, SourceConfig(kind="lgg", path=str(path)), problems):
            entry.read(problems)

    _each((entries, lambda: check_archive(path), lambda: unpack_archive(path, out / "set")))


# DICOM ------------------------------------------------------------------------------------------------------


def _dicoms() -> list[Files]:
    from pydicom import uid
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filebase import DicomBytesIO

    files = {}
    for number in range(3):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = uid.MRImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = f"1.2.3.{number + 1}"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.2.4", "1.2.5", "1.2.6"
        data.Modality, data.SeriesDescription, data.InstanceNumber = "MR", "t2_flair", number + 1
        data.Rows, data.Columns, data.SamplesPerPixel = 8, 6, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelSpacing, data.SliceThickness = [1.0, 1.0], 2.0
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [0, 0, 2.0 * number]
        data.PixelData = (np.arange(48) % 9).astype("<u2").tobytes()
        buffer = DicomBytesIO()
        data.save_as(buffer, enforce_file_format=True)
        files[f"IM{number}"] = buffer.getvalue()
    return [files]


def _read_dicom(folder: Path, out: Path) -> None:
    from brainseg_desktop.io.dicom.read import read_series
    from brainseg_desktop.io.dicom.scan import scan_folder
    from brainseg_desktop.io.dicom.series import group_series

    _each(tuple(partial(read_series, s) for s in group_series(scan_folder(folder).instances)))


def targets() -> dict[str, Target]:
    """Every target by its name."""
    found = [
        Target("nifti", lambda: [{"a.nii": raw} for raw in _niftis()], _read_image),
        Target(
            "nifti-packed",
            lambda: [{"a.nii.gz": gzip.compress(raw, 1, mtime=0)} for raw in _niftis()],
            _read_image,
            *(_gunzip, _gzip),
        ),
        Target(
            "nifti-pair",
            lambda: [
                {"a.hdr": raw[: 348 if version == 1 else 540], "a.img": raw[348 if version == 1 else 540 :]}
                for version in (1, 2)
                for raw in (
                    _nifti(version=version, pair=True),
                    _nifti((4, 5, 6, 2), "<f4", version, pair=True),
                )
            ],
            _read_image,
        ),
        Target("nrrd", _nrrds, _read_image),
        Target("tiff-stack", _stacks, _read_image),
        Target("slices", _slices, _read_folder),
        Target("coco", _cocos, _read_coco, first="_"),
        Target("study", _studies, _read_study),
        Target("mask-sidecar", _sidecars, _read_folder),
        Target("settings", _settings, _read_settings),
        Target("journal", _journals, _read_journal, _frames, _framed),
        Target("lgg-zip", _zips, _read_zip),
    ]
    # Reading DICOM is a part of its own; where it is there, it is fuzzed.
    if importlib.util.find_spec("brainseg_desktop.io.dicom.scan") is not None:
        found.append(Target("dicom", _dicoms, _read_dicom))
    return {target.name: target for target in found}
