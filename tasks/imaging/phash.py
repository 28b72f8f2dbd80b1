"""Perceptual hashes: the 64-bit pHash that finds copies, and a finer print that tells two of our own looks apart.

pHash: the lowest 8 x 8 cosine frequencies of a 32 x 32 grey image against their median (C. Zauner, "Implementation and
benchmarking of perceptual image hash functions", 2010).
"""

import cv2
import numpy as np
import numpy.typing as npt

from tasks.imaging.pictures import F32, U8


def _grey(image: U8, size: int) -> F32:
    """Grey, size x size, by way of 64 x 64, so that an image shrunk to that gives the same hashes."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    small = cv2.resize(small, (size, size), interpolation=cv2.INTER_AREA)
    grey: F32 = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey


def _hex(bits: npt.NDArray[np.bool_]) -> str:
    return np.packbits(bits.ravel()).tobytes().hex()


def phash(image: U8) -> str:
    """16 hexadecimal digits of an sRGB image H x W x 3."""
    low = cv2.dct(_grey(image, 32))[:8, :8]
    return _hex(low > np.median(low.ravel()[1:]))


def fine_print(image: U8) -> str:
    """64 hexadecimal digits: the lowest 16 x 16 frequencies of 64 x 64; two looks of one twin differ in it."""
    low = cv2.dct(_grey(image, 64))[:16, :16]
    return _hex(low > np.median(low.ravel()[1:]))


def distance(first: str, second: str) -> int:
    """Differing bits of two hashes of the same length."""
    return (int(first, 16) ^ int(second, 16)).bit_count()
