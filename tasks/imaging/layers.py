"""What lies before and behind a garment: hair, arms and hands in front; base clothing that must not show below it."""

import cv2
import numpy as np
import numpy.typing as npt

from schemas.twin import PARTS
from tasks.imaging.pictures import F32, U8
from tasks.imaging.shade import blur

Mask = npt.NDArray[np.bool_]
SKIN = ("neck", "torso", *(f"{part}.{s}" for part in ("upperarm", "forearm", "upperleg", "lowerleg") for s in "LR"))
SMALLEST_STRAND = 40
"""Pixels below which a detached speck of hair is dropped."""
NEARBY = 60
"""Pixels around taken-off clothing from which its surroundings are learnt."""


def labelled(labels: U8, *names: str) -> Mask:
    return np.isin(labels, [PARTS[name] for name in names])


def _grown(mask: Mask, size: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0)


def strands(rgba: U8, parts: U8) -> tuple[F32, F32]:
    """Hair as a layer: colours (H x W x 3, 0..255) and alpha 0..1, without specks, edges free of what lay behind."""
    mask = (parts == PARTS["hair"]).astype(np.uint8)
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    small = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] < SMALLEST_STRAND]
    mask[np.isin(label, small)] = 0
    core = cv2.erode(mask, np.ones((3, 3), np.uint8)).astype(np.float32)
    alpha = np.clip(blur(mask.astype(np.float32), 0.9) * 1.5 - 0.35, 0, 1)
    colour = rgba[..., :3].astype(np.float32)
    known = blur(core, 2.0)
    clean = blur(colour * core[..., None], 2.0) / np.maximum(known, 1e-3)[..., None]
    rim = ((1 - core) * (known > 0.02))[..., None]
    return colour * (1 - rim) + clean * rim, np.asarray(alpha * (known > 0.02), np.float32)


def _harmonics(normals: F32) -> npt.NDArray[np.float64]:
    """Second-order spherical harmonics of unit normals, N x 9 (Ramamoorthi and Hanrahan, SIGGRAPH 2001)."""
    x, y, z = normals.astype(np.float64).T
    return np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], axis=1)


def bare_skin(rgba: U8, parts: U8, normals: F32 | None, where: Mask) -> F32:
    """Colours H x W x 3 (0..255) of the skin that base clothing hides, at `where`; elsewhere the picture's own.

    The light on the skin that is seen is fitted to the body's normals; what then differs nearby is blended in.
    """
    colour = rgba[..., :3].astype(np.float32)
    seen = labelled(parts, *SKIN) & (rgba[..., 3] == 255)
    seen = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    if not seen.any() or not where.any():
        return colour
    base = np.broadcast_to(np.median(colour[seen], axis=0), colour.shape).astype(np.float32)
    if normals is not None:
        sample = np.flatnonzero(seen.ravel())[::7]
        fit, *_ = np.linalg.lstsq(_harmonics(normals.reshape(-1, 3)[sample]), colour.reshape(-1, 3)[sample], rcond=None)
        base = base.copy()
        needed = seen | where
        base[needed] = np.clip(_harmonics(normals[needed]) @ fit, 0, 255)
    out = colour.copy()
    rest, weight = (colour - base) * seen[..., None], seen.astype(np.float32)
    total, share = np.zeros_like(rest), np.zeros_like(weight)
    for sigma in (4.0, 14.0, 44.0):
        near = blur(weight, sigma)
        total += blur(rest, sigma) * (1 - share)[..., None]
        share = share + near * (1 - share)
    out[where] = np.clip(base + total / np.maximum(share, 0.02)[..., None], 0, 255)[where]
    return out


def undress(rgba: U8, parts: U8, body_parts: U8, normals: F32 | None, off: Mask) -> U8:
    """The twin with its base clothing off at `off`: skin where the body is, else the hair behind it, else nothing."""
    on = off & (parts == PARTS["clothing"])
    rows, columns = np.flatnonzero(on.any(axis=1)), np.flatnonzero(on.any(axis=0))
    if not len(rows):
        return rgba
    height, width = parts.shape
    top, bottom = max(0, rows[0] - NEARBY), min(height, rows[-1] + NEARBY + 1)
    left, right = max(0, columns[0] - NEARBY), min(width, columns[-1] + NEARBY + 1)
    at = slice(top, bottom), slice(left, right)
    out = rgba.copy()
    part_normals = None if normals is None else normals[at]
    out[at] = _undressed(rgba[at], parts[at], body_parts[at], part_normals, off[at])
    return out


def _undressed(rgba: U8, parts: U8, body_parts: U8, normals: F32 | None, off: Mask) -> U8:
    on = off & (parts == PARTS["clothing"])
    # the picture's own edge between cloth and skin is mixed: take one pixel more
    on |= off & _grown(on, 3) & labelled(parts, *SKIN)
    body = (body_parts > 0) & (body_parts != PARTS["hair"])
    out = rgba.copy()
    out[..., :3] = np.rint(bare_skin(rgba, parts, normals, on & body)).astype(np.uint8)
    hair = (parts == PARTS["hair"]).astype(np.float32)
    hair_near, none_near = blur(hair, 3.0), blur((rgba[..., 3] == 0).astype(np.float32), 3.0)
    gone = on & ~body
    strand = gone & (hair_near > none_near)
    hair_colour = blur(rgba[..., :3].astype(np.float32) * hair[..., None], 3.0) / np.maximum(hair_near, 1e-3)[..., None]
    out[strand, :3] = np.rint(hair_colour[strand]).astype(np.uint8)
    solid = blur((body | strand | (hair > 0)).astype(np.float32), 0.7)
    edge = off & _grown(on, 7) & _grown(~body, 5) & ~labelled(parts, "hair", "head") & ~strand
    faded = np.rint(np.minimum(np.clip(solid, 0, 1) * 255, out[..., 3]))
    out[..., 3] = np.where(edge, faded, out[..., 3]).astype(np.uint8)
    return out


def arms_in_front(rgba: U8, parts: U8, sleeve: str, below: float) -> F32:
    """Alpha of what is bare of arms and hands and lies in front of a garment's trunk, below the row `below`; `sleeve`
    (none, short, elbow, long) says what a sleeve dresses."""
    bare = {"none": ("upperarm", "forearm", "hand"), "short": ("forearm", "hand"), "elbow": ("forearm", "hand")}
    mask = labelled(parts, *(f"{part}.{side}" for part in bare.get(sleeve, ("hand",)) for side in "LR"))
    mask[: max(0, int(below))] = False
    return np.asarray(blur(mask.astype(np.float32), 0.6) * (rgba[..., 3].astype(np.float32) / 255.0), np.float32)
