"""Pictures that are nearly the same, found by a hash of what they show and confirmed by correlation.

Mirrored and turned copies are found too: data sets are published with such copies in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

# Of 64 bits: re-encoded, resized or brightened pictures differ in a few, others in about 32.
MOST_BITS = 10
LEAST_CORRELATION = 0.97
SMALL = 32
BLOCK = 256


@dataclass(slots=True, eq=False)
class Fingerprints:
    """Hashes and thumbnails of many pictures: about 2 kB each, whatever their size.

    Parameters
    ----------
    names : list of str
    hashes : list of 8 int
        Of the picture as it is and in its other seven `poses`.
    thumbnails : list of (32, 32) array
        Mean 0, length 1.
    """

    names: list[str] = field(default_factory=list)
    hashes: list[list[int]] = field(default_factory=list)
    thumbnails: list[NDArray[np.float16]] = field(default_factory=list)

    def add(self, name: str, picture: NDArray[np.generic]) -> None:
        """Note a (row, column) picture; one that shows nothing is left out."""
        small = thumbnail(picture)
        if small is not None:
            self.names.append(name)
            self.hashes.append([picture_hash(pose) for pose in poses(small)])
            self.thumbnails.append(small.astype(np.float16))

    def pairs(self, most: int = 1000) -> Iterator[tuple[int, int, int, float]]:
        """Pairs that look the same: two places in the lists, differing bits, correlation; at most so many."""
        hashes = np.array(self.hashes, np.uint64).reshape(-1, 8)
        found = 0
        for start in range(0, len(hashes), BLOCK):
            # One of a pair in all its poses, the other as it is.
            differ = hashes[start : start + BLOCK, None, :] ^ hashes[None, start:, :1]
            bits = np.bitwise_count(differ)
            for i, j in np.argwhere(bits.min(axis=2) <= MOST_BITS):
                first, second = start + int(i), start + int(j)
                if first >= second:
                    continue
                alike = self._correlation(first, second)
                if alike >= LEAST_CORRELATION:
                    yield first, second, int(bits[i, j].min()), alike
                    found += 1
                    if found == most:
                        return

    def _correlation(self, first: int, second: int) -> float:
        other = self.thumbnails[second].astype(np.float32)
        return max(float((pose * other).sum()) for pose in poses(self.thumbnails[first].astype(np.float32)))


def poses(picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """A square picture as it is, turned by 90, 180 and 270 degrees, and the mirror images of these."""
    turned = [np.rot90(picture, k) for k in range(4)]
    return [*turned, *(pose[:, ::-1] for pose in turned)]


def thumbnail(picture: NDArray[np.generic]) -> NDArray[np.float32] | None:
    """A picture averaged to 32 x 32, mean 0 and length 1; None for one of a single value."""
    image = np.nan_to_num(picture.astype(np.float32))
    factors = [SMALL / n for n in image.shape]
    if max(image.shape) > SMALL:
        # A box as wide as a new pixel, so that fine detail does not alias.
        image = ndimage.uniform_filter(image, [max(int(1 / f), 1) for f in factors])
    small = ndimage.zoom(image, factors, order=1, grid_mode=True, mode="nearest")
    small = small[:SMALL, :SMALL] - small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > 1e-3 * small.size else None


def picture_hash(small: NDArray[np.float32]) -> int:
    """64 bits: which of the 8 x 8 lowest frequencies, but the mean, are above their median.

    The perceptual hash of C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
    Functions, 2010.
    """
    low = fft.dctn(small, norm="ortho")[:8, :8].ravel()
    low[0] = 0.0
    return sum(1 << place for place, above in enumerate(low > np.median(low)) if above)
