"""Make the sample case: an invented glioma in the ICBM152 template brain.

Nobody's exam is shown. The anatomy is the average brain of the ICBM152 2009a template, bent a little so
that it is not symmetrical; contrasts, vessels, noise and the tumour are computed. Everything is drawn from
one seed, so a second run writes the same bytes.

    pip install nilearn numpy scipy nibabel
    python resources/sample/make_sample.py

nilearn carries the template (LICENCE.txt beside this file); the program itself never needs it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

SEED = 20260
TEMPLATE = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
TEMPLATE_SHA256 = {
    "t1": "421a10e872fd6cadae7f61d358dffbcc1795a497d61ee76c5dda2503e1a1e9e6",
    "gm": "97a5ca69bd24db37a9cb7b32525e1733a209af904129bf1cd36da06d24243bed",
    "wm": "382d92812de4744f9c86c7a0e4f680dc317a0a50e4da1f0153618a6798c7b7db",
}
SLICE_MM = 1.5
GREY_LEVELS = 0.28  # of the recipes' numbers; finer ones would only store noise
TUMOUR_CENTRE = (134, 152, 96)  # template voxel (1 mm, RAS): right frontal white matter
TUMOUR_RADIUS_MM = 21.0
NECROSIS, OEDEMA, ENHANCING = 1, 2, 4


@dataclass(frozen=True)
class Tissues:
    """Fractions of grey matter, white matter and fluid in each voxel, and the brain they fill."""

    grey: Array
    white: Array
    fluid: Array
    t1: Array
    brain: Mask


@dataclass(frozen=True)
class Tumour:
    """Soft maps from 0 to 1, one within the other no more: they add up to at most 1."""

    necrosis: Array
    enhancing: Array
    oedema: Array

    def labels(self, threshold: float = 0.5) -> NDArray[np.uint8]:
        """BraTS 2021 numbers where the tumour fills at least `threshold` of the voxel."""
        labels = np.zeros(self.oedema.shape, np.uint8)
        parts = np.stack([self.necrosis, self.oedema, self.enhancing])
        inside = parts.sum(0) >= threshold
        labels[inside] = np.array([NECROSIS, OEDEMA, ENHANCING], np.uint8)[parts.argmax(0)][inside]
        return labels


def main() -> None:
    """Read the template, build the case, write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--template", type=Path, help="folder of the ICBM152 files; else nilearn's own")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    tissues = bend(read_template(arguments.template or nilearn_folder()), rng)
    tumour = grow_tumour(tissues, rng)
    for name, image in paint_sequences(tissues, tumour, rng).items():
        write(arguments.output / f"sample_{name}.nii.gz", image)
    masks = {
        "seg": (tumour.labels(), "Reference", "reference"),
        "seg-reader2": (second_reader(tumour, rng), "Reader 2", "human"),
    }
    for name, (labels, rater, kind) in masks.items():
        path = arguments.output / f"sample_{name}.nii.gz"
        write(path, on_slices(labels))
        write_sidecar(path, rater, kind)


def nilearn_folder() -> Path:
    """Where nilearn keeps the template, without importing all of nilearn."""
    found = importlib.util.find_spec("nilearn")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The template comes with nilearn: pip install nilearn, or name a folder: --template")
    return Path(found.submodule_search_locations[0]) / "datasets" / "data"


def read_template(folder: Path) -> Tissues:
    """Tissue fractions of the template, on its own 1 mm grid."""
    maps = {}
    for name, expected in TEMPLATE_SHA256.items():
        path = folder / TEMPLATE.format(name)
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise SystemExit(f"{path} is another release of the template; the case would not be the same")
        maps[name] = np.asarray(nibabel.load(path).dataobj, dtype=np.float32) / 255
    brain = ndimage.binary_erosion(ndimage.binary_fill_holes(maps["t1"] > 0), iterations=1)
    # An average of many brains is blurred where they differ; steeper flanks give one person's cortex back.
    grey, white = steepen(maps["gm"]), steepen(maps["wm"])
    total = np.maximum(grey + white, 1.0)
    grey, white = grey / total, white / total
    fluid = np.clip(1 - grey - white, 0, 1)
    return Tissues(grey * brain, white * brain, fluid * brain, maps["t1"] * brain, brain)


def steepen(fraction: Array) -> Array:
    """Push fractions away from one half, keeping 0, 1/2 and 1."""
    return np.asarray(np.clip(0.5 + 1.7 * (fraction - 0.5), 0, 1), dtype=np.float32)


def bend(tissues: Tissues, rng: np.random.Generator) -> Tissues:
    """One person's brain: a smooth random deformation, and the tumour pushing its surroundings aside."""
    shape = tissues.brain.shape
    places = np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij", sparse=True)
    offset = [places[axis] - TUMOUR_CENTRE[axis] for axis in range(3)]
    distance = np.sqrt(sum(o**2 for o in offset)) + 1e-3
    push = 7.0 * np.exp(-((np.maximum(distance - TUMOUR_RADIUS_MM, 0) / 26.0) ** 1.2))
    push *= np.minimum(distance / TUMOUR_RADIUS_MM, 1)
    # The skull does not give way: nothing moves at the surface of the brain.
    depth = ndimage.distance_transform_edt(tissues.brain).astype(np.float32)
    push *= np.clip(depth / 14.0, 0, 1)
    source = []
    for axis in range(3):
        wobble = smooth_noise(shape, 22.0, rng) * 2.2 + smooth_noise(shape, 9.0, rng) * 0.9
        source.append(places[axis] - push * offset[axis] / distance + wobble)
    moved = [
        ndimage.map_coordinates(a.astype(np.float32), source, order=1)
        for a in (tissues.grey, tissues.white, tissues.fluid, tissues.t1, tissues.brain)
    ]
    brain = moved[4] > 0.5
    return Tissues(*(np.asarray(a * brain, dtype=np.float32) for a in moved[:4]), brain)


def smooth_noise(shape: tuple[int, ...], width_mm: float, rng: np.random.Generator) -> Array:
    """Noise of mean 0 and standard deviation 1 that varies over about `width_mm`."""
    coarse = max(1, int(width_mm / 3))
    small = rng.standard_normal([n // coarse + 3 for n in shape], dtype=np.float32)
    small = ndimage.gaussian_filter(small, width_mm / coarse)
    noise = ndimage.zoom(small, coarse, order=1)[tuple(slice(n) for n in shape)]
    return np.asarray((noise - noise.mean()) / noise.std(), dtype=np.float32)


def grow_tumour(tissues: Tissues, rng: np.random.Generator) -> Tumour:
    """A necrotic core in an uneven enhancing rim, and oedema that creeps along the white matter."""
    shape = tissues.brain.shape
    places = np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij", sparse=True)
    stretch = (1.0, 0.82, 1.05)
    distance = np.sqrt(
        sum(((p - c) / s) ** 2 for p, c, s in zip(places, TUMOUR_CENTRE, stretch, strict=True))
    )
    lumps = smooth_noise(shape, 8.0, rng) * 2.0 + smooth_noise(shape, 4.0, rng) * 0.8
    outer = distance + lumps - TUMOUR_RADIUS_MM
    rim_mm = 3.6 + 1.3 * smooth_noise(shape, 7.0, rng) + 0.5 * smooth_noise(shape, 3.0, rng)
    # The tumour keeps to the tissue: it neither fills ventricles nor leaves the brain.
    tissue = ndimage.gaussian_filter(tissues.grey + tissues.white, 1.0)
    core = edge(-outer) * tissue.clip(0, 1) * tissues.brain
    necrosis = core * edge(-(outer + np.maximum(rim_mm, 1.5)))
    reach = creep(core, 0.03 + tissues.white + 0.05 * tissues.grey, steps=90)
    wet = np.sqrt(reach) + 0.05 * smooth_noise(shape, 6.0, rng) + 0.02 * smooth_noise(shape, 3.0, rng)
    oedema = edge((wet - 0.30) * 22) * (1 - core) * np.clip(1 - 1.6 * tissues.fluid, 0, 1) * tissues.brain
    return Tumour(*(np.asarray(a, dtype=np.float32) for a in (necrosis, core - necrosis, oedema)))


def edge(depth_mm: Array) -> Array:
    """From 0 outside to 1 inside over about two millimetres, as partial volume does."""
    return np.asarray(1 / (1 + np.exp(-np.clip(depth_mm / 0.45, -40, 40))), dtype=np.float32)


def creep(start: Array, ease: Array, steps: int) -> Array:
    """Spread from `start` as far as `ease` (0 to 1) lets it, a millimetre or so a step."""
    ease = np.clip(ease, 0, 1)
    reach = start.copy()
    for _ in range(steps):
        reach = np.maximum(start, ndimage.gaussian_filter(reach, 1.5) * (0.55 + 0.45 * ease))
    return reach


def paint_sequences(tissues: Tissues, tumour: Tumour, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """T1, T1 with contrast, T2 and FLAIR as stored arrays, in numbers like those of a scanner."""
    shape = tissues.brain.shape
    vessels = draw_vessels(tissues, rng)
    caps = ageing_white_matter(tissues, rng)
    rough = smooth_noise(shape, 3.0, rng)
    cloudy = smooth_noise(shape, 6.0, rng)
    detail = tissues.t1 - ndimage.gaussian_filter(tissues.t1, 2.0)
    # name: grey, white, fluid, template detail, then necrosis, enhancing, oedema, vessels, caps, noise
    recipes = {
        "t1": ((425, 500, 195), 230, 275, 385, 385, 430, -20, 7),
        "t1ce": ((335, 390, 150), 160, 215, 900, 315, 1050, -12, 9),
        "t2": ((300, 215, 830), -90, 560, 385, 480, 130, 50, 9),
        "flair": ((345, 285, 95), 60, 560, 565, 720, 190, 210, 9),
    }
    images = {}
    for name, (normal, crisp, dead, lively, wet, vessel, cap, noise) in recipes.items():
        grey, white, fluid = normal
        image = grey * tissues.grey + white * tissues.white + fluid * tissues.fluid + crisp * detail
        image = image + cap * caps
        image = mix(image, wet * (1 + 0.06 * cloudy + 0.03 * rough) + 0.45 * (image - white), tumour.oedema)
        image = mix(image, dead * (1 + 0.12 * cloudy), tumour.necrosis)
        image = mix(image, lively * (1 + 0.20 * cloudy + 0.08 * rough), tumour.enhancing)
        image = mix(image, np.full(shape, vessel, np.float32), vessels)
        image = image * (1 + 0.045 * smooth_noise(shape, 45.0, rng))
        grain = [rng.standard_normal(shape, dtype=np.float32) * 1.9 * noise for _ in range(2)]
        grain = [ndimage.gaussian_filter(g, 0.55) for g in grain]
        image = np.hypot(ndimage.gaussian_filter(image, 0.5) + grain[0], grain[1])
        images[name] = on_slices(np.where(tissues.brain, np.maximum(image, 4), 0))
    return images


def mix(image: Array, other: Array, amount: Array) -> Array:
    """`other` where `amount` is 1, `image` where it is 0."""
    return image + (other - image) * amount


def draw_vessels(tissues: Tissues, rng: np.random.Generator) -> Array:
    """Veins over the convexity, the great sinus at the back of the midline, and choroid plexus."""
    depth = ndimage.distance_transform_edt(tissues.brain)
    inside = ndimage.gaussian_filter(tissues.fluid, 0.7)
    thread = np.abs(smooth_noise(tissues.brain.shape, 4.5, rng)) < 0.14
    lively = smooth_noise(tissues.brain.shape, 12.0, rng) > -0.5
    veins = thread & lively & (inside > 0.15) & (depth < 26)
    x = np.arange(tissues.brain.shape[0])[:, None, None] - tissues.brain.shape[0] // 2
    y = np.arange(tissues.brain.shape[1])[None, :, None]
    sinus = (np.abs(x) <= 2) & (depth > 0) & (depth < 4.5) & (y < 150)
    plexus = (
        (inside > 0.75) & (depth > 30) & (smooth_noise(tissues.brain.shape, 3.0, rng) > 1.1) & (np.abs(x) > 4)
    )
    drawn = 0.75 * veins + 1.0 * sinus + 0.7 * plexus
    return np.asarray(ndimage.gaussian_filter(np.clip(drawn, 0, 1).astype(np.float32), 0.6), np.float32)


def ageing_white_matter(tissues: Tissues, rng: np.random.Generator) -> Array:
    """Bright caps on the ventricles and a few small spots, which are no tumour."""
    depth = ndimage.distance_transform_edt(tissues.brain)
    ventricles = (tissues.fluid > 0.7) & (depth > 24)
    distance = ndimage.distance_transform_edt(~ventricles)
    caps = np.exp(-(distance / 3.0)) * tissues.white
    spots = (smooth_noise(tissues.brain.shape, 4.0, rng) > 3.0) * tissues.white * (depth > 12)
    return np.asarray(np.clip(0.8 * caps + ndimage.gaussian_filter(spots, 0.8), 0, 1), np.float32)


def second_reader(tumour: Tumour, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Another reader's outline: less oedema here, more there, a thicker rim, a hand that wanders."""
    shape = tumour.oedema.shape
    core = tumour.necrosis + tumour.enhancing
    places = np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij", sparse=True)
    source = [p + 1.3 * smooth_noise(shape, 6.0, rng) for p in places]
    depth_whole = signed_depth(core + tumour.oedema >= 0.5) - 1.1 + 2.2 * smooth_noise(shape, 9.0, rng)
    depth_core = signed_depth(core >= 0.5) + 0.3 + 0.8 * smooth_noise(shape, 8.0, rng)
    depth_dead = signed_depth(tumour.necrosis >= 0.5) - 0.6
    whole, inner, dead = (
        ndimage.map_coordinates(d.astype(np.float32), source, order=1) > 0
        for d in (depth_whole, depth_core, depth_dead)
    )
    labels = np.zeros(shape, np.uint8)
    labels[whole] = OEDEMA
    labels[inner] = ENHANCING
    labels[inner & dead] = NECROSIS
    pieces, count = ndimage.label(labels > 0)
    if count > 1:
        largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
        labels[pieces != largest] = 0
    return labels


def signed_depth(mask: Mask) -> NDArray[np.float64]:
    """Distance to the border in mm, positive inside."""
    return np.asarray(ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask))


def on_slices(image: NDArray[Any]) -> NDArray[Any]:
    """From the template's 1 mm RAS grid to the stored one: LPS like BraTS, thicker slices.

    Slices average the millimetres they cover; labels (uint8) take the nearest.
    """
    centres = np.arange(0, image.shape[2] - 1, SLICE_MM)
    if image.dtype == np.uint8:
        cut = image[:, :, np.floor(centres + 0.5).astype(int)]
        stored = cut
    else:
        low = np.floor(centres).astype(int)
        part = (centres - low).astype(np.float32)
        cut = image[:, :, low] * (1 - part) + image[:, :, np.minimum(low + 1, image.shape[2] - 1)] * part
        # A slice half outside the brain would leave a grey skin, which skull stripping does not.
        cut[(image[:, :, low] == 0) | (image[:, :, np.minimum(low + 1, image.shape[2] - 1)] == 0)] = 0
        stored = np.round(cut * GREY_LEVELS).astype(np.int16)
    return np.ascontiguousarray(stored[::-1, ::-1])


def write(path: Path, image: NDArray[Any]) -> None:
    """A .nii.gz whose bytes depend on the array alone: no date, no file name in the gzip header."""
    affine = np.diag([-1.0, -1.0, SLICE_MM, 1.0])
    affine[:3, 3] = (image.shape[0] / 2, image.shape[1] / 2, 0.0)
    file = nibabel.Nifti1Image(image.astype(np.int16), affine)
    file.header.set_xyzt_units("mm")
    file.header["descrip"] = b"BrainSeg sample, computed; ICBM152 anatomy"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(file.to_bytes(), compresslevel=9, mtime=0))


def write_sidecar(mask: Path, rater: str, kind: str) -> None:
    """Who drew a mask and how its labels are numbered: 4 alone could be enhancing tumour or a cavity."""
    content = {
        "program": "BrainSeg Desktop",
        "notice": "Computed. Shows no patient.",
        "mask": mask.name,
        "sha256": hashlib.sha256(mask.read_bytes()).hexdigest(),
        "rater": rater,
        "kind": kind,
        "scheme": "brats2021",
    }
    path = mask.with_name(mask.name.removesuffix(".nii.gz") + ".json")
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
