"""Cut a garment out of its photograph: upright, alone, with soft edges, its landmarks found; or say why not.

`understand` is the whole way; `refine` sharpens a network's mask along the picture's own edges, `decontaminate` frees
edge colours of the ground.
"""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from schemas.base import CATEGORIES, Category
from tasks.errors import UnusablePhotograph
from tasks.imaging.landmarks import Landmarks, find_landmarks
from tasks.imaging.pictures import F32, U8, GarmentCutout
from tasks.ports import Recogniser, Recognition, Segmenter

ADVICE = "Photograph one garment whole, flat or on a hanger, front up, on a plain ground that contrasts with it."
LEAST_SIDE = 200
LEAST_COVER, MOST_COVER = 0.04, 0.94
SURE_OF_TURN, SURE_OF_OTHER, SURE_OF_KIND = 0.80, 0.80, 0.60
WORK = 512
"""Longer side in pixels at which the mask is refined."""
LEAST_CONFIDENCE = 0.60
LEAST_CERTAINTY = 0.55
LEAST_CONTRAST = 2.5
"""CIELAB units across the outline; a garment laid on cloth of its own colour still casts that much of an edge."""


def understand(
    photograph: U8, category: Category | None, segmenter: Segmenter, recogniser: Recogniser
) -> GarmentCutout:
    """The garment of an sRGB photograph H x W x 3. `category` None: what the recogniser sees.

    Raises UnusablePhotograph with a code, the cause and how to photograph it better.
    """
    _check_photograph(photograph)
    seen, turns = _upright(photograph, recogniser)
    upright = np.ascontiguousarray(np.rot90(photograph, turns))
    problems = [f"the photograph lay on its side and was turned by {90 * turns} degrees"] if turns else []
    chosen = _category(category, seen, problems)
    raw = segmenter.cut_out(upright)
    _check_mask(raw)
    alpha = alone(refine(upright, solid(raw)))
    alpha = _without_hanger(fill_own_colour(upright, alpha))
    _check_certainty(upright, raw, alpha)
    _check_frame(alpha, problems)
    marks = find_landmarks(alpha, chosen)
    _check_marks(marks, chosen)
    if chosen == "outerwear" and marks.sleeve == "none":
        raise _refuse("sleeves_hidden", "The sleeves cannot be told from the body: lay them away from it.")
    colour = decontaminate(upright, alpha)
    rgba = np.dstack([colour, np.rint(alpha * 255).astype(np.uint8)])
    return GarmentCutout(
        rgba=rgba,
        category=chosen,
        landmarks=marks.points,
        sleeve=marks.sleeve,
        confidence=marks.confidence,
        digest=hashlib.sha256(photograph.tobytes()).hexdigest(),
        rotation=90 * turns,
        problems=(*problems, *marks.problems),
    )


def _refuse(code: str, cause: str) -> UnusablePhotograph:
    return UnusablePhotograph(f"{cause} {ADVICE}", code=code)


def _check_photograph(photograph: U8) -> None:
    height, width = photograph.shape[:2]
    if max(height, width) < LEAST_SIDE:
        raise _refuse(
            "too_small", f"The photograph has {width} x {height} pixels; {LEAST_SIDE} on the longer side is the least."
        )
    if float(photograph.std()) < 3.0:
        raise _refuse("blank", "The photograph is one plain colour.")


def _upright(photograph: U8, recogniser: Recogniser) -> tuple[Recognition, int]:
    """What is seen once the photograph stands upright, and the quarter turns that took."""
    seen = recogniser.recognise(photograph)
    turns = int(np.argmax(seen.turns))
    if turns == 0 or seen.turns[turns] < SURE_OF_TURN:
        return seen, 0
    turned = recogniser.recognise(np.ascontiguousarray(np.rot90(photograph, turns)))
    if int(np.argmax(turned.turns)) != 0:  # it does not agree with itself: leave the photograph as it came
        return seen, 0
    return turned, turns


def _category(asked: Category | None, seen: Recognition, problems: list[str]) -> Category:
    best = max(CATEGORIES, key=lambda name: seen.kinds.get(name, 0.0))
    if seen.kinds.get("not_garment", 0.0) > SURE_OF_OTHER:
        raise _refuse(
            "not_a_garment",
            "This does not look like a garment for the body (shoes, hats and bags are not worn by twins).",
        )
    if asked is None:
        if seen.kinds.get(best, 0.0) < SURE_OF_KIND:
            raise _refuse("category_unknown", "What kind of garment this is cannot be told; name its category.")
        return best
    if best != asked and seen.kinds.get(best, 0.0) > 0.9 and seen.kinds.get(asked, 0.0) < 0.02:
        problems.append(f"it is said to be of category {asked} but looks like {best}")
    return asked


def _check_mask(raw: F32) -> None:
    if float(raw.max()) < 0.5 or float((raw > 0.5).mean()) < LEAST_COVER:
        raise _refuse("no_garment", "No garment can be found in the photograph.")
    if float((raw > 0.5).mean()) > MOST_COVER:
        raise _refuse("fills_the_frame", "The picture shows cloth from edge to edge: no outline of a garment.")


# ---------------------------------------------------------------- mask
LOW, HIGH = 0.22, 0.70
"""A garment reaches as far as LOW wherever that hangs together with something above HIGH (hysteresis)."""


def solid(raw: F32) -> F32:
    """The network's mask with what it half believes inside a garment believed: cloth has no holes of its own colour."""
    low = (raw > LOW).astype(np.uint8)
    reach = max(3, round(0.012 * max(raw.shape))) | 1
    low = cv2.morphologyEx(low, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, label, stats, _ = cv2.connectedComponentsWithStats(low, connectivity=8)
    kept = np.zeros(raw.shape, bool)
    for part in range(1, count):
        inside = label == part
        if float((raw[inside] > HIGH).mean()) > 0.15:
            kept |= inside
    covered = int(kept.sum())
    count, label, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    for hole in range(1, count):
        x, y, w, h, area = stats[hole]
        at_border = x == 0 or y == 0 or x + w == raw.shape[1] or y + h == raw.shape[0]
        inside = label == hole
        if not at_border and (area < 0.03 * covered or float(raw[inside].mean()) > 0.05):
            kept |= inside
    return np.where(kept, np.maximum(raw, 0.9), np.minimum(raw, 0.3)).astype(np.float32)


@dataclass(frozen=True)
class _Working:
    """A smaller copy of picture and mask to work on."""

    image: U8
    mask: F32
    size: tuple[int, int]

    @classmethod
    def of(cls, image: U8, mask: F32) -> "_Working":
        height, width = image.shape[:2]
        scale = min(1.0, WORK / max(height, width))
        size = (max(8, round(width * scale)), max(8, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cls(small, cv2.resize(mask, size, interpolation=cv2.INTER_AREA), (width, height))


def refine(image: U8, raw: F32) -> F32:
    """Alpha H x W at the picture's own size: GrabCut between what the network is sure of, then a guided filter."""
    work = _Working.of(image, raw)
    cut = _grab(work)
    full = cv2.resize(cut, work.size, interpolation=cv2.INTER_CUBIC)
    guided = guided_filter(image, np.clip(full, 0, 1), radius=max(2, round(max(work.size) / 220)), epsilon=2e-4)
    inside = cv2.resize(cut, work.size, interpolation=cv2.INTER_AREA)
    alpha = np.clip((guided - 0.12) / 0.76, 0, 1)
    far_in = cv2.erode((inside > 0.5).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    far_out = cv2.dilate((inside > 0.5).astype(np.uint8), np.ones((13, 13), np.uint8)) == 0
    alpha[far_in], alpha[far_out] = 1.0, 0.0
    return np.asarray(alpha, np.float32)


def _grab(work: _Working) -> F32:
    """The network's mask, its unsure rim decided by colour; the network's own where colour disagrees with it."""
    sure = cv2.erode((work.mask > 0.85).astype(np.uint8), np.ones((9, 9), np.uint8))
    out = cv2.dilate((work.mask > 0.12).astype(np.uint8), np.ones((15, 15), np.uint8)) == 0
    own = (work.mask > 0.5).astype(np.float32)
    if not sure.any() or not out.any():
        return own
    state = np.where(work.mask > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[sure > 0], state[out] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.grabCut(np.ascontiguousarray(work.image[..., ::-1]), state, None, *models, 3, cv2.GC_INIT_WITH_MASK)
    cut = ((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)).astype(np.uint8)
    cut = cv2.morphologyEx(cut, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.float32)
    union = float(np.maximum(cut, own).sum())
    return cut if union and float(np.minimum(cut, own).sum()) / union > 0.86 else own


def guided_filter(image: U8, mask: F32, *, radius: int, epsilon: float) -> F32:
    """He, Sun and Tang 2013, with the picture's luma as guide."""
    guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    size = (2 * radius + 1, 2 * radius + 1)
    mean_g, mean_m = cv2.boxFilter(guide, -1, size), cv2.boxFilter(mask, -1, size)
    slope = (cv2.boxFilter(guide * mask, -1, size) - mean_g * mean_m) / (
        cv2.boxFilter(guide * guide, -1, size) - mean_g * mean_g + epsilon
    )
    offset = mean_m - slope * mean_g
    return np.asarray(cv2.boxFilter(slope, -1, size) * guide + cv2.boxFilter(offset, -1, size), np.float32)


def alone(alpha: F32) -> F32:
    """The largest part with its small holes filled. Raises UnusablePhotograph when another is nearly as large."""
    solid = (alpha > 0.4).astype(np.uint8)
    reach = max(3, round(0.02 * max(alpha.shape))) | 1  # parts of one garment that a belt or a highlight divides
    joined = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, label, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    if count < 2:
        raise _refuse("no_garment", "No garment can be found in the photograph.")
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA]) + 1
    largest = stats[order[0], cv2.CC_STAT_AREA]
    if len(order) > 1 and stats[order[1], cv2.CC_STAT_AREA] > 0.40 * largest:
        raise _refuse("several_garments", "The photograph shows more than one garment.")
    near = cv2.dilate((label == order[0]).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    kept = np.where(near, alpha, 0).astype(np.float32)
    holes, hole_label, hole_stats, _ = cv2.connectedComponentsWithStats((kept < 0.5).astype(np.uint8), connectivity=4)
    for hole in range(1, holes):
        x, y, w, h, area = hole_stats[hole]
        at_border = x == 0 or y == 0 or x + w == kept.shape[1] or y + h == kept.shape[0]
        if not at_border and area < 0.02 * largest:
            kept[hole_label == hole] = 1.0
    return kept


def fill_own_colour(image: U8, alpha: F32) -> F32:
    """Fill holes that look like the cloth around them; gaps through which the ground is seen stay open."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    garment, out = alpha > 0.5, alpha.copy()
    count, label, _, _ = cv2.connectedComponentsWithStats((~garment).astype(np.uint8), connectivity=4)
    borders = np.unique(np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]]))
    outside = np.isin(label, borders) & ~garment
    ground = np.median(lab[outside], axis=0) if outside.any() else np.full(3, np.inf)
    for hole in range(1, count):
        if hole in borders:
            continue
        inside = label == hole
        ring = (cv2.dilate(inside.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0) & garment
        if not ring.any():
            continue
        colour = np.median(lab[inside], axis=0)
        if np.linalg.norm(colour - np.median(lab[ring], axis=0)) < np.linalg.norm(colour - ground):
            out[cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = 1.0
    return out


def _without_hanger(alpha: F32) -> F32:
    """Thin things that stand up from the collar or waist are hooks and wires: off with them."""
    rows = np.nonzero((alpha > 0.5).any(1))[0]
    if not len(rows):
        return alpha
    height = rows[-1] - rows[0] + 1
    width = max(3, round(0.022 * max(alpha.shape))) | 1
    solid = (alpha > 0.5).astype(np.uint8)
    opened = cv2.morphologyEx(solid, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    opened = cv2.dilate(opened, np.ones((5, 5), np.uint8))
    top = int(rows[0] + 0.18 * height)
    out = alpha.copy()
    thin = (solid[:top] > 0) & (opened[:top] == 0)
    count, label, stats, _ = cv2.connectedComponentsWithStats(thin.astype(np.uint8), connectivity=8)
    for part in range(1, count):
        if stats[part, cv2.CC_STAT_TOP] <= rows[0] + 2 and stats[part, cv2.CC_STAT_HEIGHT] > 0.02 * height:
            out[:top][cv2.dilate((label == part).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = 0
    return alone(out)


def _check_frame(alpha: F32, problems: list[str]) -> None:
    """Refuse a garment that runs out of the picture; note one that touches its edge."""
    edges = {"top": alpha[0], "bottom": alpha[-1], "left": alpha[:, 0], "right": alpha[:, -1]}
    touching = {name: float((edge > 0.5).mean()) for name, edge in edges.items()}
    worst = max(touching, key=lambda name: touching[name])
    if touching[worst] > 0.45:
        raise _refuse("cut_off", f"The garment runs out of the picture at the {worst}.")
    problems += [f"the garment touches the picture's {name} edge" for name, share in touching.items() if share > 0.05]


def _check_certainty(image: U8, raw: F32, alpha: F32) -> None:
    """Refuse a cut-out that the network only half believes, or along whose outline the picture shows no edge."""
    if float(raw[alpha > 0.5].mean()) < LEAST_CERTAINTY:
        raise _refuse("unclear", "The garment cannot be told from its ground with any certainty.")
    if edge_contrast(image, alpha) < LEAST_CONTRAST:
        raise _refuse("no_garment", "No garment can be found in the photograph.")


def edge_contrast(image: U8, alpha: F32) -> float:
    """Median difference in CIELAB between the two sides of the outline, each averaged over a small window."""
    scale = min(1.0, WORK / max(alpha.shape))
    size = (max(8, round(alpha.shape[1] * scale)), max(8, round(alpha.shape[0] * scale)))
    lab = cv2.cvtColor(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255, cv2.COLOR_RGB2LAB
    )
    inside = (cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > 0.5).astype(np.uint8)
    window, means = (13, 13), []
    for side in (inside, 1 - inside):
        weight = cv2.erode(side, np.ones((5, 5), np.uint8)).astype(np.float32)
        total, share = cv2.boxFilter(lab * weight[..., None], -1, window), cv2.boxFilter(weight, -1, window)
        means.append(np.where(share[..., None] > 0.02, total / np.maximum(share, 1e-6)[..., None], np.nan))
    rim = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    difference = np.linalg.norm(means[0] - means[1], axis=2)[rim]
    known = difference[np.isfinite(difference)]
    return float(np.median(known)) if len(known) else 0.0


def _check_marks(marks: Landmarks, category: Category) -> None:
    if not marks.points:
        raise _refuse("no_garment", "No garment can be found in the photograph.")
    if marks.confidence < LEAST_CONFIDENCE:
        why = "; ".join(marks.problems) or "its outline is too uneven"
        raise _refuse("crumpled", f"The outline is not that of a {category} laid flat: {why}.")


def decontaminate(image: U8, alpha: F32) -> U8:
    """Colours of half-covered pixels replaced by those of the nearest pixels that are wholly inside."""
    inside = (alpha > 0.97).astype(np.float32)
    if not inside.any():
        return image
    total, weight = image.astype(np.float32) * inside[..., None], inside
    out, missing = image.astype(np.float32), alpha <= 0.97
    for radius in (3, 9, 25):
        size = (2 * radius + 1, 2 * radius + 1)
        colour, share = cv2.blur(total, size), cv2.blur(weight, size)
        reached: npt.NDArray[np.bool_] = missing & (share > 1e-3)
        out[reached] = colour[reached] / share[reached][:, None]
        missing = missing & ~reached
    return np.asarray(np.clip(np.rint(out), 0, 255), np.uint8)
