"""Perceptual hashes: the 64-bit pHash that finds copies, and a finer print that tells two of our own looks apart.

pHash: the lowest 8 x 8 cosine frequencies of a 32 x 32 grey image against their median (C. Zauner, "Implementation and
benchmarking of perceptual image hash functions", 2010).
"""

import cv2
import numpy as np

from tasks.imaging.pictures import F32, U8


def _grey(image: U8, size: int) -> F32:
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _hex(bits: np.ndarray) -> str:  # type: ignore[type-arg]  # any shape of booleans
    return np.packbits(bits.ravel()).tobytes().hex()


def phash(image: U8) -> str:
    """16 hexadecimal digits of an sRGB image H x W x 3."""
    low = cv2.dct(_grey(image, 32))[:8, :8]
    return _hex(low > np.median(low.ravel()[1:]))


def fine_print(image: U8) -> str:
    """64 hexadecimal digits: the sign of 16 x 16 horizontal differences; two looks of one twin differ in it."""
    small = cv2.resize(_grey(image, 68), (17, 16), interpolation=cv2.INTER_AREA)
    return _hex(small[:, 1:] > small[:, :-1])


def distance(first: str, second: str) -> int:
    """Differing bits of two hashes of the same length."""
    return (int(first, 16) ^ int(second, 16)).bit_count()
