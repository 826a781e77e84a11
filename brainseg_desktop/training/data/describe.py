"""What a data set is like, before anybody learns from it. One exam is in memory at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg_desktop.core.volume import Sequence
from brainseg_desktop.inference.preprocess import drop_copies
from brainseg_desktop.io.atomic import write_bytes, write_error
from brainseg_desktop.training.config import Recipe, SourceConfig
from brainseg_desktop.training.data.alike import Fingerprints
from brainseg_desktop.training.data.entries import Entry
from brainseg_desktop.training.data.pictures import IMAGE
from brainseg_desktop.training.data.sources import find_all
from brainseg_desktop.training.data.splits import split_entries
from brainseg_desktop.training.exams import Exam, Problem

# Slices of an exam that are compared with those of others: a copied exam has the same ones.
COMPARED_OF_AN_EXAM = 8
TILES, COLUMNS, TILE = 24, 6, 192
OUTLINE = (0, 158, 115)


class SourceDescription(msgspec.Struct, kw_only=True):
    """One source.

    Parameters
    ----------
    pairs : int
        Slices or pictures with their mask.
    sizes, dtypes, spacings_mm : dict of str to int
        How many exams have which.
    empty_share : float
        Share of the slices whose mask is empty.
    label_shares : dict of str to float
        Value of the reference to its share of all voxels.
    sequences, missing, copied : dict of str to int
        How many exams have a sequence, lack it, or hold a copy of another one in its place.
    rectangle_share : float or None
        Share of the masks, of those that are not empty, that are made of upright rectangles only.
    """

    path: str
    kind: str
    cases: int = 0
    patients: int = 0
    pairs: int = 0
    sizes: dict[str, int]
    dtypes: dict[str, int]
    spacings_mm: dict[str, int]
    empty_share: float | None = None
    label_shares: dict[str, float]
    sequences: dict[str, int]
    missing: dict[str, int]
    copied: dict[str, int]
    rectangle_share: float | None = None


class Alike(msgspec.Struct, frozen=True):
    """Two slices of different patients that look the same; `sides` of the split where there is one."""

    first: str
    second: str
    sides: tuple[str, str]
    bits: int
    correlation: float


class Description(msgspec.Struct, kw_only=True):
    """All sources of a recipe, or one.

    Parameters
    ----------
    alike : list of Alike
        Near-duplicates: on two sides of the split if there is one, else of two patients.
    warnings : list of str
        What a reader should know before trusting figures got from these data.
    problems : list of Problem
    """

    sources: list[SourceDescription]
    alike: list[Alike]
    warnings: list[str]
    problems: list[Problem]


@dataclass(slots=True)
class _Counts:
    """What is added up over the exams of one source."""

    sizes: Counter[str] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    spacings: Counter[str] = field(default_factory=Counter)
    labels: Counter[int] = field(default_factory=Counter)
    sequences: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    copied: Counter[str] = field(default_factory=Counter)
    patients: set[str] = field(default_factory=set)
    cases: int = 0
    slices: int = 0
    filled: int = 0
    rectangles: int = 0

    def add(self, exam: Exam) -> None:
        image = next(iter(exam.volumes.values()))
        self.cases += 1
        self.patients.add(exam.patient)
        self.slices += image.shape[2]
        self.sizes[" x ".join(map(str, image.shape))] += 1
        self.dtypes.update({str(data.dtype) for data in exam.volumes.values()})
        spacing = "unknown" if exam.spacing_mm is None else " x ".join(f"{s:g}" for s in exam.spacing_mm)
        self.spacings[spacing] += 1
        counts = np.bincount(exam.reference.ravel(), minlength=256)
        self.labels.update({int(value): int(counts[value]) for value in np.flatnonzero(counts)})
        self._add_sequences(exam)
        for mask in _filled(exam.reference):
            self.filled += 1
            self.rectangles += only_rectangles(mask)

    def _add_sequences(self, exam: Exam) -> None:
        self.sequences.update(exam.volumes.keys())
        if IMAGE not in exam.volumes:
            self.missing.update({s.value for s in Sequence} - set(exam.volumes))
            self.copied.update(set(exam.volumes) - set(drop_copies(exam.volumes)))

    def result(self, source: SourceConfig) -> SourceDescription:
        voxels = max(sum(self.labels.values()), 1)
        return SourceDescription(
            path=source.path,
            kind=source.kind,
            cases=self.cases,
            patients=len(self.patients),
            pairs=self.slices,
            sizes=dict(self.sizes),
            dtypes=dict(self.dtypes),
            spacings_mm=dict(self.spacings),
            empty_share=1 - self.filled / self.slices if self.slices else None,
            label_shares={str(value): n / voxels for value, n in sorted(self.labels.items())},
            sequences=dict(sorted(self.sequences.items())),
            missing=dict(sorted(self.missing.items())),
            copied=dict(sorted(self.copied.items())),
            rectangle_share=self.rectangles / self.filled if self.filled else None,
        )


def describe(
    recipe: Recipe, progress: Callable[[float], None], folder: Path | None = None, by_split: bool = True
) -> Description:
    """Read every exam of a recipe once, and tell what the data are like.

    Parameters
    ----------
    progress : function
        Gets the share done.
    by_split : bool
        Look for near-duplicates across the recipe's split; else across all patients but those that their
        sources keep on one side.
    folder : Path, optional
        Gets ``description.json`` and ``slices.png``, a grid of samples with the outline of their masks.

    Raises
    ------
    UserError
        ``training_data_missing``; ``disk_full``, ``no_permission`` or ``write_failed``.
    """
    problems: list[Problem] = []
    found = find_all(recipe, problems)
    entries = [entry for _, own in found for entry in own]
    side_of = {entry.name: str(entry.side) for entry in entries}
    warnings: list[str] = []
    if by_split:
        sides, warnings = split_entries(entries, recipe, problems)
        side_of = {entry.name: side for side, own in sides.items() for entry in own}
    prints = Fingerprints()
    owners: list[Entry] = []
    shown = set(np.linspace(0, len(entries) - 1, min(TILES, len(entries))).round().astype(int).tolist())
    tiles, sources, done = [], [], 0
    for source, own in found:
        counts = _Counts()
        for entry in own:
            exam = entry.read(problems)
            if exam is not None:
                counts.add(exam)
                _note(prints, owners, entry, exam)
                if folder is not None and done in shown:
                    tiles.append(sample(exam))
            done += 1
            progress(done / len(entries))
        sources.append(counts.result(source))
    alike = _alike(prints, owners, side_of)
    warnings += _findings(sources, alike)
    description = Description(sources=sources, alike=alike, warnings=warnings, problems=problems)
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(error, folder) from error
        content = msgspec.json.format(msgspec.json.encode(to_builtins(description)), indent=2)
        write_bytes(folder / "description.json", content)
        write_bytes(folder / "slices.png", picture_grid(tiles))
    return description


def to_builtins(description: Description) -> dict[str, object]:
    """What JSON can hold."""
    content: dict[str, object] = msgspec.to_builtins(description)
    return content


def only_rectangles(mask: NDArray[np.bool_]) -> bool:
    """Whether each piece of a mask fills its upright bounding box; a piece below 3 x 3 pixels tells nothing.

    Parameters
    ----------
    mask : (row, column) array, not empty
    """
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = ndimage.find_objects(labels)
    areas = [(box[0].stop - box[0].start, box[1].stop - box[1].start) for box in boxes]
    full = all(size == rows * columns for size, (rows, columns) in zip(sizes, areas, strict=True))
    return full and any(min(area) >= 3 for area in areas)


def sample(exam: Exam) -> NDArray[np.uint8]:
    """The slice of an exam with the largest mask, as an RGB tile with the mask's outline."""
    from PIL import Image

    z = int((exam.reference != 0).sum(axis=(0, 1)).argmax())
    if not exam.reference[:, :, z].any():
        z = exam.reference.shape[2] // 2
    data = exam.volumes.get(Sequence.FLAIR.value, next(iter(exam.volumes.values())))
    # Rows from front to back, columns from the patient's right to the left, as the pictures lie in the files.
    image = np.nan_to_num(data[::-1, ::-1, z].T.astype(np.float32))
    mask = exam.reference[::-1, ::-1, z].T != 0
    low, high = np.percentile(image, (0.5, 99.5))
    grey = (np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    scale = TILE / max(grey.shape)
    size = (max(round(grey.shape[1] * scale), 1), max(round(grey.shape[0] * scale), 1))
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    big = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))
    wide = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)) > 0
    tile[: size[1], : size[0]] = big[..., None]
    edge = wide & ~ndimage.binary_erosion(wide)
    tile[: size[1], : size[0]][edge] = OUTLINE
    return tile


def picture_grid(tiles: list[NDArray[np.uint8]]) -> bytes:
    """Tiles in rows of six, as a PNG."""
    import io

    from PIL import Image

    rows = max(-(-len(tiles) // COLUMNS), 1)
    sheet = np.zeros((rows * TILE, COLUMNS * TILE, 3), np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, COLUMNS)
        sheet[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = tile
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, "PNG")
    return content.getvalue()


def _filled(reference: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    filled = np.flatnonzero(reference.any(axis=(0, 1)))
    return [reference[:, :, z] != 0 for z in filled]


def _note(prints: Fingerprints, owners: list[Entry], entry: Entry, exam: Exam) -> None:
    data = exam.volumes.get(Sequence.FLAIR.value, next(iter(exam.volumes.values())))
    depth = data.shape[2]
    # Neither the neck nor the vertex: slices there look alike in everybody.
    places = np.unique(
        np.linspace(0.3 * depth, 0.8 * depth, COMPARED_OF_AN_EXAM).astype(int).clip(0, depth - 1)
    )
    for z in places:
        prints.add(entry.name if depth == 1 else f"{entry.name} slice {z}", data[:, :, z])
    owners += [entry] * (len(prints.names) - len(owners))


def _alike(prints: Fingerprints, owners: list[Entry], side_of: dict[str, str]) -> list[Alike]:
    alike = []
    for first, second, bits, correlation in prints.pairs():
        a, b = owners[first], owners[second]
        if a.name not in side_of or b.name not in side_of:
            # The split leaves one of them out.
            continue
        sides = side_of[a.name], side_of[b.name]
        if a.patient != b.patient and (sides[0] != sides[1] or not any(sides)):
            alike.append(Alike(prints.names[first], prints.names[second], sides, bits, round(correlation, 4)))
    return alike


def _findings(sources: list[SourceDescription], alike: list[Alike]) -> list[str]:
    """What stands out, in words."""
    said = []
    for source in sources:
        if source.rectangle_share is not None and source.rectangle_share > 0.5:
            share = f"{100 * source.rectangle_share:.0f} %"
            said.append(
                f"{source.path}: {share} of the masks are only upright rectangles: boxes, not outlines. "
                "A network learns boxes from them."
            )
        said += [
            f"{source.path}: {sequence} is a copy of another sequence in {n} of {source.cases} exams."
            for sequence, n in source.copied.items()
        ]
    for sides, n in sorted(Counter(tuple(sorted(pair.sides)) for pair in alike).items()):
        where = f"are on two sides, {' and '.join(sides)}" if all(sides) else "are of two patients"
        said.append(f"Pairs of slices that look the same and {where}: {n}.")
    return said
