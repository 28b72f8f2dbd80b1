"""Draws the sample twins: `python -m samples.make.twins --cache FOLDER [--only tw-ada …]`. Nobody in it exists.

Needs the `make` extras (anny). World axes of what is written: metres, x to the image's right, y up, z to the viewer.
"""

import argparse
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from samples.make.body import BodyModel, Rotations
from samples.make.portrait import CAMERA_DISTANCE, Looks, Portrait, Studio
from samples.make.raster import F32, F64
from samples.make.shading import shade
from schemas.twin import PARTS

PACK = Path(__file__).parent.parent / "pack" / "twins"
WIDTH = 960
JOINTS = {
    "neck": "neck01", "shoulder.L": "upperarm01.L", "shoulder.R": "upperarm01.R", "elbow.L": "lowerarm01.L",
    "elbow.R": "lowerarm01.R", "wrist.L": "wrist.L", "wrist.R": "wrist.R", "hip.L": "upperleg01.L",
    "hip.R": "upperleg01.R", "knee.L": "lowerleg01.L", "knee.R": "lowerleg01.R", "ankle.L": "foot.L",
    "ankle.R": "foot.R",
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    name: str
    body: dict[str, float]
    looks: Looks
    arms: tuple[float, float] = (27.0, 27.0)
    legs: tuple[float, float] = (3.0, 3.0)
    head: tuple[float, float] = (0.0, 0.0)
    """Turn and tilt in degrees."""
    local: dict[str, float] = field(default_factory=dict)


def _body(gender: float, age: float, muscle: float, weight: float, height: float, african: float, asian: float,
          caucasian: float, **other: float) -> dict[str, float]:  # fmt: skip
    base = {"proportions": 0.65, "cupsize": 0.45, "firmness": 0.6}
    return {
        "gender": gender, "age": age, "muscle": muscle, "weight": weight, "height": height, "african": african,
        "asian": asian, "caucasian": caucasian, **base, **other,
    }  # fmt: skip


GENTLE = {
    "mouth-angles-up": 0.35,
    "l-eye-height2-incr": -0.35,
    "r-eye-height2-incr": -0.35,
    "nipple-point-incr": -1.0,
    "nipple-size-incr": -1.0,
    "breast-point-incr": -0.7,
}
"""Given to everybody: a friendlier mouth, and a smooth chest below the base clothing."""


PEOPLE = {
    "ada": Person("Ada", _body(1, 0.69, 0.5, 0.45, 0.45, 0.05, 0.05, 0.9), Looks((236, 196, 172), (104, 68, 42), "long", (92, 110, 96), seed=1), head=(4, 0), local={"head-scale-horiz-incr": -0.2, "nose-scale-vert-incr": 0.2, "chin-width-incr": -0.4, "l-cheek-bones-incr": 0.4, "r-cheek-bones-incr": 0.4}),
    "bo": Person("Bo", _body(0, 0.69, 0.68, 0.5, 0.44, 0.9, 0.05, 0.05), Looks((98, 64, 48), (24, 20, 19), "buzz", (60, 40, 30), seed=2), arms=(26, 28), local={"nose-width3-incr": 0.3, "chin-prominent-incr": 0.3}),
    "cleo": Person("Cleo", _body(1, 0.72, 0.25, 1.0, 0.40, 0.5, 0.1, 0.4, cupsize=0.6, firmness=0.45), Looks((168, 118, 86), (30, 23, 20), "bob", (70, 46, 30), seed=3), arms=(23, 24), head=(-4, 0), local={"head-fat-incr": 0.3, "l-cheek-volume-incr": 0.5, "r-cheek-volume-incr": 0.5, "mouth-scale-horiz-incr": 0.2}),
    "dara": Person("Dara", _body(1, 0.70, 0.5, 0.38, 0.36, 0.05, 0.9, 0.05, cupsize=0.3), Looks((226, 184, 152), (26, 22, 21), "bob", (58, 40, 30), seed=4), head=(3, 2), local={"nose-scale-horiz-incr": -0.2, "mouth-scale-horiz-incr": -0.2, "chin-width-incr": -0.2}),
    "elin": Person("Elin", _body(1, 0.94, 0.42, 0.62, 0.38, 0.05, 0.05, 0.9, firmness=0.35), Looks((238, 204, 186), (186, 182, 176), "short", (110, 126, 134), seed=5), arms=(25, 26), local={"head-age-incr": 0.4, "nose-hump-incr": 0.4, "nose-scale-depth-incr": 0.3}),
    "femi": Person("Femi", _body(0, 0.70, 0.85, 0.58, 0.48, 0.75, 0.05, 0.2), Looks((124, 84, 60), (22, 18, 17), "curls", (56, 38, 28), beard=0.75, seed=6), arms=(24, 24), local={"chin-height-incr": 0.2, "mouth-lowerlip-volume-incr": 0.3}),
    "goro": Person("Goro", _body(0, 0.70, 0.45, 0.36, 0.42, 0.05, 0.9, 0.05), Looks((222, 178, 144), (24, 21, 21), "short", (54, 38, 28), seed=7), head=(-3, 0), local={"head-scale-horiz-incr": -0.25, "nose-curve-convex": 0.2, "chin-prominent-incr": 0.2}),
    "hana": Person("Hana", _body(1, 0.74, 0.55, 0.62, 0.42, 0.3, 0.4, 0.3), Looks((206, 156, 122), (40, 28, 23), "bun", (80, 56, 36), seed=8), head=(4, -1), local={"nose-point-up": 0.2, "mouth-upperlip-volume-incr": 0.3}),
    "ines": Person("Ines", _body(1, 0.69, 0.6, 0.5, 0.52, 0.55, 0.05, 0.4, cupsize=0.35), Looks((150, 102, 74), (34, 25, 21), "afro", (66, 46, 32), seed=9), local={"l-cheek-bones-incr": 0.5, "r-cheek-bones-incr": 0.5, "mouth-lowerlip-volume-incr": 0.4}),
    "jun": Person("Jun", _body(0, 0.80, 0.22, 1.0, 0.45, 0.1, 0.25, 0.65), Looks((232, 190, 164), (92, 62, 42), "short", (96, 104, 92), beard=0.4, seed=10), arms=(22, 23), head=(3, 0), local={"head-fat-incr": 0.3, "nose-width1-incr": 0.3, "chin-width-incr": 0.3}),
}  # fmt: skip


def rotations(person: Person) -> Rotations:
    """A relaxed stance: arms lowered, elbows a little bent, feet under the hips, head turned by a few degrees."""
    left, right = person.arms
    return [
        ("upperarm01.L", "y", left), ("upperarm01.R", "y", -right),
        ("lowerarm01.L", "x", 12.0), ("lowerarm01.R", "x", 12.0),
        ("upperleg01.L", "y", person.legs[0]), ("upperleg01.R", "y", -person.legs[1]),
        ("head", "z", person.head[0]), ("head", "y", person.head[1]),
    ]  # fmt: skip


def draw(model: BodyModel, twin: str, folder: Path, studio: Studio) -> dict[str, Any]:
    """Write every file of one twin; returns its twin.json."""
    person = PEOPLE[twin]
    vertices, bones = model.pose(person.body, rotations(person), GENTLE | person.local)
    portrait = Portrait(model, vertices, studio, person.looks)
    portrait.add_body()
    portrait.add_clothing()
    portrait.add_hair()
    colour, alpha = (_pad(a) for a in shade(portrait))
    folder.mkdir(parents=True, exist_ok=True)
    step = studio.samples
    parts = _pad(_downsample_labels(portrait.layers.label, portrait.layers.material >= 0, step))
    body_parts = _pad(_downsample_labels(portrait.bare_label, portrait.bare_depth < 1e8, step))
    parts[alpha < 0.02] = 0
    _write_image(folder / "standing.webp", colour, alpha)
    _write_png(folder / "standing.parts.png", parts)
    _write_png(folder / "standing.body.png", body_parts)
    depth = _pad(portrait.bare_depth[step // 2 :: step, step // 2 :: step], 1e9)
    _write_png(folder / "standing.depth.png", np.where(depth < 1e8, depth * 10_000, 0).astype(np.uint16))
    normal = (
        _pad(portrait.bare_normal[step // 2 :: step, step // 2 :: step]) * np.where(body_parts > 0, 1, 0)[..., None]
    )
    camera_normal = np.stack([normal[..., 0], -normal[..., 2], normal[..., 1]], -1)
    encoded = np.where((body_parts > 0)[..., None], np.rint((camera_normal + 1) * 127.5), 0).astype(np.uint8)
    Image.fromarray(encoded).save(folder / "standing.normal.png", optimize=True)
    used = _write_body(folder / "body.npz", model, vertices)
    record = _record(twin, person, portrait, vertices, bones, used, colour, alpha, parts, body_parts)
    (folder / "twin.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return record


def _pad(drawn: np.ndarray, value: float = 0) -> np.ndarray:
    """Widen what was drawn (only the frame's middle holds anybody) to the full width."""
    side = (WIDTH - drawn.shape[1]) // 2
    return np.pad(drawn, ((0, 0), (side, side)) + ((0, 0),) * (drawn.ndim - 2), constant_values=value)


def _downsample_labels(label: np.ndarray, covered: np.ndarray, step: int) -> np.ndarray:
    """The label of most covered samples of each pixel (ties: the larger label); 0 where none is covered."""
    height, width = label.shape[0] // step, label.shape[1] // step
    samples = (
        np.where(covered, label, 0).reshape(height, step, width, step).transpose(0, 2, 1, 3).reshape(height, width, -1)
    )
    votes = np.stack([(samples == value).sum(-1) for value in range(len(PARTS))], -1)
    votes[..., 0] = 0
    return np.where(votes.max(-1) > 0, votes.argmax(-1), 0).astype(np.uint8)


def _write_image(path: Path, colour: F32, alpha: F32) -> None:
    """sRGB with straight alpha; colours bled outward under alpha 0 so that edges stay clean when scaled."""
    srgb = np.clip(np.clip(colour, 0, 1) ** (1 / 2.2) * 255, 0, 255).astype(np.float32)
    weight = (alpha > 0.5).astype(np.float32)
    filled, total = srgb * weight[..., None], weight
    for sigma in (2, 6):
        filled, total = cv2.GaussianBlur(filled, (0, 0), sigma), cv2.GaussianBlur(total, (0, 0), sigma)
        srgb = np.where(
            (alpha > 0.02)[..., None] | (total < 1e-3)[..., None], srgb, filled / np.maximum(total, 1e-3)[..., None]
        )
    rgba = np.dstack([np.clip(srgb, 0, 255), np.clip(alpha * 255, 0, 255)])
    Image.fromarray(np.rint(rgba).astype(np.uint8)).save(path, quality=96, method=6, exact=True)


def _write_png(path: Path, values: np.ndarray) -> None:
    if not cv2.imwrite(str(path), values, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"could not write {path}")


def _world(points: F64) -> F64:
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def _write_body(path: Path, model: BodyModel, vertices: F64) -> np.ndarray:
    triangles = model.groups["body"][0]
    used, flat = np.unique(triangles, return_inverse=True)
    np.savez_compressed(
        path,
        vertices=_world(vertices[used]).astype(np.float32),
        triangles=flat.reshape(-1, 3).astype(np.int32),
        parts=model.part_weights[used].argmax(1).astype(np.uint8),
    )
    return used


def _record(twin: str, person: Person, portrait: Portrait, vertices: F64, bones: dict[str, F64], used: np.ndarray,
            colour: F32, alpha: F32, parts: np.ndarray, body_parts: np.ndarray) -> dict[str, Any]:  # fmt: skip
    model, view, step = portrait.model, portrait.view, portrait.scale
    points = {name: bones[bone] for name, bone in JOINTS.items()}
    for side in "lr":
        points[f"eye.{side.upper()}"] = vertices[np.unique(model.groups[f"helper-{side}-eye"][0])].mean(0)
    xy, _ = view.project(np.stack(list(points.values())))
    margin = (WIDTH - portrait.studio.width) / 2
    xy = xy / step + [margin, 0]
    keypoints = {name: [round(float(v), 1) for v in at] for name, at in zip(points, xy, strict=True)}
    keypoints |= _silhouette_points(body_parts, keypoints)
    face = (parts == PARTS["head"]) & (alpha > 0.95)
    tone = np.clip(np.median(colour[face], 0), 0, 1) ** (1 / 2.2) * 255
    folder = PACK / f"tw-{twin}"
    files = [
        "standing.webp",
        "standing.parts.png",
        "standing.body.png",
        "standing.depth.png",
        "standing.normal.png",
        "body.npz",
    ]
    height = float(np.ptp(vertices[used][:, 2]))
    ys = np.nonzero((alpha > 0.5).any(1))[0]
    return {
        "twin_id": f"tw-{twin}", "talent_id": f"tal-{twin}", "display_name": person.name, "adult": True,
        "height_m": round(height, 3), "measurements_cm": _measure(model, vertices, bones),
        "skin_tone": "#" + "".join(f"{round(float(v)):02x}" for v in tone),
        "hair": {"colour": "#{:02x}{:02x}{:02x}".format(*person.looks.hair), "style": person.looks.hairstyle}, "synthetic": True,
        "poses": [{
            "pose": "standing", "image": "standing.webp", "parts": "standing.parts.png", "body_parts": "standing.body.png",
            "depth": "standing.depth.png", "normals": "standing.normal.png", "width": WIDTH,
            "height": portrait.studio.height, "keypoints": keypoints,
            "camera": {
                "focal_px": view.focal / step, "cx": view.cx / step + margin, "cy": view.cy / step,
                "rotation": [[1, 0, 0], [0, -1, 0], [0, 0, -1]], "translation": [0.0, view.level, CAMERA_DISTANCE],
            },
            "ground_y": float(ys.max()),
        }],
        "body": "body.npz", "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files},
    }  # fmt: skip


def _silhouette_points(body: np.ndarray, keypoints: dict[str, list[float]]) -> dict[str, list[float]]:
    """Waist, crotch, underarms, nose and ears found on the bare body's part mask."""
    torso = body == PARTS["torso"]
    out: dict[str, list[float]] = {}
    hip_y = (keypoints["hip.L"][1] + keypoints["hip.R"][1]) / 2
    shoulder_y = (keypoints["shoulder.L"][1] + keypoints["shoulder.R"][1]) / 2
    rows = range(int(shoulder_y + 0.45 * (hip_y - shoulder_y)), int(shoulder_y + 0.85 * (hip_y - shoulder_y)))
    widths = {y: np.nonzero(torso[y])[0] for y in rows}
    waist = min((y for y in rows if len(widths[y])), key=lambda y: np.ptp(widths[y]))
    out["waist.R"], out["waist.L"] = (
        [float(widths[waist].min()), float(waist)],
        [float(widths[waist].max()), float(waist)],
    )
    centre = int((keypoints["hip.L"][0] + keypoints["hip.R"][0]) / 2)
    column = np.nonzero(body[int(hip_y) :, centre] > 0)[0]
    gap = np.nonzero(np.diff(column) > 1)[0]
    out["crotch"] = [float(centre), float(int(hip_y) + (column[gap[0]] if len(gap) else column[-1]))]
    for side, arm, sign in (("L", "upperarm.L", 1), ("R", "upperarm.R", -1)):
        upper = body == PARTS[arm]
        for y in range(int(shoulder_y) + 20, int(hip_y)):
            trunk, limb = np.nonzero(torso[y])[0], np.nonzero(upper[y])[0]
            if len(trunk) and len(limb):
                inner = limb.min() if sign > 0 else limb.max()
                outer = trunk.max() if sign > 0 else trunk.min()
                if (inner - outer) * sign > 1:
                    out[f"underarm.{side}"] = [float(outer), float(y)]
                    break
        else:
            out[f"underarm.{side}"] = [keypoints[f"shoulder.{side}"][0], shoulder_y + 60]
    eye_y = (keypoints["eye.L"][1] + keypoints["eye.R"][1]) / 2
    head = np.nonzero(body[int(eye_y) + 8] == PARTS["head"])[0]
    out["ear.R"], out["ear.L"] = [float(head.min()), eye_y + 8], [float(head.max()), eye_y + 8]
    spread = keypoints["eye.L"][0] - keypoints["eye.R"][0]
    out["nose"] = [(keypoints["eye.L"][0] + keypoints["eye.R"][0]) / 2, eye_y + 0.75 * spread]
    return {name: [round(v, 1) for v in at] for name, at in out.items()}


def _measure(model: BodyModel, vertices: F64, bones: dict[str, F64]) -> dict[str, float]:
    """Girths by the convex hull of a slice of the trunk, lengths between bones; centimetres."""
    body = np.unique(model.groups["body"][0])
    label = model.part_weights[body].argmax(1)
    points = vertices[body]
    trunk = np.isin(label, (PARTS["torso"], PARTS["upperleg.L"], PARTS["upperleg.R"]))
    template = model.template[body]

    def levels(low: float, high: float) -> list[float]:
        return [float(level) for level in np.linspace(low, high, 13)]

    def girth(level: float) -> float:
        band = trunk & (np.abs(template[:, 2] - level) < 0.012)
        hull = cv2.convexHull((points[band][:, :2] * 1000).astype(np.float32))
        return round(float(cv2.arcLength(hull, True)) / 10, 1)

    length = lambda a, b: round(float(np.linalg.norm(bones[a] - bones[b])) * 100, 1)  # noqa: E731 - used thrice below
    return {
        "bust": max(map(girth, levels(0.28, 0.42))), "waist": min(map(girth, levels(0.10, 0.22))),
        "hip": max(map(girth, levels(-0.08, 0.06))),
        "shoulder_width": length("upperarm01.L", "upperarm01.R"),
        "arm_length": round(length("upperarm01.L", "lowerarm01.L") + length("lowerarm01.L", "wrist.L"), 1),
        "inseam": round(float(bones["upperleg01.L"][2] - points[:, 2].min()) * 100 - 6, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", required=True, help="folder for anny's cache (about 1 GB)")
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    os.environ["ANNY_CACHE_DIR"] = arguments.cache  # anny reads it when it is imported, which is later
    cv2.setNumThreads(1)
    model = BodyModel()
    for twin in PEOPLE:
        if not arguments.only or f"tw-{twin}" in arguments.only:
            record = draw(model, twin, PACK / f"tw-{twin}", Studio())
            print(record["twin_id"], record["height_m"], record["measurements_cm"])


if __name__ == "__main__":
    main()
