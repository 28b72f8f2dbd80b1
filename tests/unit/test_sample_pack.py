"""The sample pack is what it says: hashes, adults, labels, alpha, keypoints, body, scenes, grants."""

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from schemas.base import CATEGORIES
from schemas.garment import Garment
from schemas.grant import Grant
from schemas.scene import Scene
from schemas.twin import PARTS, Twin, TwinPose

LABELS = {
    "en": "AI-generated image", "sv": "AI-genererad bild", "fr": "Image générée par IA", "ja": "AI生成画像",
}  # fmt: skip
PACK = Path(__file__).resolve().parents[2] / "samples" / "pack"
TWINS = sorted((PACK / "twins").iterdir())
JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "underarm", "waist")
NAMES = {"neck", "nose", "crotch"} | {f"{n}.{s}" for n in (*JOINTS, "eye", "ear") for s in "LR"}
LIMBS = ("upperarm", "forearm", "hand", "upperleg", "lowerleg", "foot")


def read(name: str) -> Any:
    return json.loads((PACK / name).read_text())


def twin_of(folder: Path) -> Twin:
    return Twin.model_validate_json((folder / "twin.json").read_text())


def standing(folder: Path) -> TwinPose:
    return next(p for p in twin_of(folder).poses if p.pose == "standing")


def picture(path: Path, mode: str | None = None) -> np.ndarray[Any, Any]:
    with Image.open(path) as image:
        return np.asarray(image.convert(mode) if mode else image)


every_twin = pytest.mark.parametrize("folder", TWINS, ids=lambda p: p.name)


def test_every_file_is_as_the_manifest_states() -> None:
    stated = read("manifest.json")["sha256"]
    there = {str(p.relative_to(PACK)) for p in PACK.rglob("*") if p.is_file()} - {"manifest.json"}
    assert set(stated) == there
    wrong = [n for n, digest in stated.items() if hashlib.sha256((PACK / n).read_bytes()).hexdigest() != digest]
    assert wrong == []


def test_the_pack_stays_small() -> None:
    assert sum(p.stat().st_size for p in PACK.rglob("*") if p.is_file()) < 25_000_000


def test_there_is_enough_to_tell_the_story() -> None:
    garments = read("garments/garments.json")
    assert len(TWINS) >= 8
    assert len(garments) >= 8
    assert {"top", "dress", "trousers", "skirt", "outerwear"} <= {g["category"] for g in garments}
    assert len(read("scenes/scenes.json")) >= 4
    assert read("parts.json") == PARTS


@every_twin
def test_a_twin_is_a_synthetic_adult_of_plausible_size(folder: Path) -> None:
    twin = twin_of(folder)
    assert twin.adult
    assert twin.synthetic
    assert twin.height_m is not None
    assert 1.50 <= twin.height_m <= 2.0
    m = twin.measurements_cm
    assert m["waist"] < m["hip"] + 15
    assert all(55 < m[name] < 150 for name in ("bust", "waist", "hip"))
    assert 0.40 < m["inseam"] / 100 / twin.height_m < 0.54


@every_twin
def test_a_twins_files_are_as_its_record_states(folder: Path) -> None:
    twin = twin_of(folder)
    listed = {n for p in twin.poses for n in (p.image, p.parts, p.body_parts, p.depth, p.normals)} | {twin.body}
    assert set(twin.sha256) == listed
    for name, digest in twin.sha256.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


@every_twin
def test_picture_and_labels_show_the_same_person(folder: Path) -> None:
    pose = standing(folder)
    rgba, parts = picture(folder / pose.image, "RGBA"), picture(folder / pose.parts)
    body = picture(folder / pose.body_parts)
    assert rgba.shape == (pose.height, pose.width, 4)
    assert parts.shape == body.shape == (pose.height, pose.width)
    assert parts.max() <= PARTS["clothing"]
    alpha = rgba[..., 3]
    assert (parts[alpha > 250] > 0).mean() > 0.999
    assert (parts[alpha < 5] == 0).mean() > 0.9999
    assert set(np.unique(body)) <= set(range(16)), "the body below has neither hair nor clothing"
    labels = set(np.unique(parts))
    assert {PARTS[n] for n in ("head", "neck", "torso", "hair", "clothing")} <= labels
    assert {PARTS[f"{n}.{s}"] for n in LIMBS for s in "LR"} <= set(np.unique(body))


@every_twin
def test_a_person_is_one_piece_within_the_frame(folder: Path) -> None:
    alpha = picture(folder / standing(folder).image, "RGBA")[..., 3]
    _, _, stats, _ = cv2.connectedComponentsWithStats((alpha > 128).astype(np.uint8))
    areas = np.sort(stats[1:, cv2.CC_STAT_AREA])[::-1]
    assert areas[1:].sum() < 40
    assert areas[1:].max(initial=0) < 12, "nothing but the tip of a hair may stand alone"
    rows = np.nonzero((alpha > 128).any(1))[0]
    assert 1100 <= np.ptp(rows) <= 1245  # with the hair
    assert not alpha[[0, -1]].any()
    assert not alpha[:, [0, -1]].any()


@every_twin
def test_edges_carry_no_background(folder: Path) -> None:
    rgba = picture(folder / standing(folder).image, "RGBA").astype(int)
    alpha = rgba[..., 3]
    solid = (alpha == 255).astype(np.float32)
    near = cv2.blur(solid, (7, 7))
    around = cv2.blur(rgba[..., :3].astype(np.float32) * solid[..., None], (7, 7)) / np.maximum(near, 1e-3)[..., None]
    edge = (alpha > 20) & (alpha < 235) & (near > 0.2)
    assert np.median(np.abs(rgba[..., :3] - around)[edge]) < 30


@every_twin
def test_keypoints_lie_on_the_person_and_their_own_side(folder: Path) -> None:
    pose = standing(folder)
    points = pose.keypoints
    assert set(points) >= NAMES
    inside = cv2.dilate(
        (picture(folder / pose.image, "RGBA")[..., 3] > 128).astype(np.uint8), np.ones((7, 7), np.uint8)
    )
    for name in NAMES:
        x, y = points[name]
        assert inside[round(y), round(x)], name
    for joint in (*JOINTS, "eye", "ear"):
        assert points[f"{joint}.L"][0] > points[f"{joint}.R"][0], "the person's left is image right"
    assert points["neck"][1] < points["waist.L"][1] < points["crotch"][1] < points["knee.L"][1] < points["ankle.L"][1]


@every_twin
def test_camera_depth_normals_and_body_agree(folder: Path) -> None:
    twin, pose = twin_of(folder), standing(folder)
    assert twin.body
    assert pose.depth
    assert pose.normals
    assert pose.camera
    with np.load(folder / twin.body) as data:
        names = list(data)
        vertices, triangles = data[names[0]], data[names[1]]
    assert triangles.max() < len(vertices)
    camera = pose.camera
    at = vertices @ np.array(camera.rotation).T + np.array(camera.translation)
    xy = at[:, :2] / at[:, 2:] * camera.focal_px + [camera.cx, camera.cy]
    body = picture(folder / pose.body_parts) > 0
    rows, columns = np.clip(np.round(xy[:, ::-1]).astype(int).T, 0, [[pose.height - 1], [pose.width - 1]])
    assert cv2.dilate(body.astype(np.uint8), np.ones((5, 5), np.uint8))[rows, columns].mean() > 0.99
    depth = picture(folder / pose.depth).astype(float) / 10_000
    solid = cv2.erode(body.astype(np.uint8), np.ones((5, 5), np.uint8))[rows, columns] > 0
    behind = at[solid, 2] - depth[rows[solid], columns[solid]]
    assert np.quantile(behind, 0.02) > -0.02, "no vertex lies before the surface seen"
    normals = picture(folder / pose.normals, "RGB").astype(float) / 127.5 - 1
    assert abs(np.median(np.linalg.norm(normals[body], axis=1)) - 1) < 0.05


def test_garments_are_what_an_event_may_say() -> None:
    for entry in read("garments/garments.json"):
        path = PACK / "garments" / entry["image"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
        assert picture(path).shape == (1200, 900, 3)
        fields = {k: v for k, v in entry.items() if k not in ("image", "sha256")}
        image = {"uri": path.as_uri(), "sha256": entry["sha256"]}
        garment = Garment.model_validate(fields | {"version": 1, "images": [image]})
        assert garment.brand == "example"
        assert garment.sizes["M"]


def test_scenes_can_be_stood_in() -> None:
    for entry in read("scenes/scenes.json"):
        scene = Scene.model_validate(entry)
        path = PACK / "scenes" / scene.backdrop
        assert hashlib.sha256(path.read_bytes()).hexdigest() == scene.sha256
        assert path.stat().st_size <= 500_000
        assert picture(path).shape == (scene.height, scene.width, 3)
        assert scene.horizon_y < scene.floor_y
        assert scene.label_text == LABELS[scene.language]


def test_grants_permit_most_cells_and_block_some() -> None:
    grants = [Grant.model_validate(g) for g in read("grants.json")]
    assert {g.talent_id for g in grants} == {twin_of(folder).talent_id for folder in TWINS}
    assert [g.on_withdrawal for g in grants[:3]] == ["take_down"] * 3
    assert len({g.on_withdrawal for g in grants}) == 3
    assert any("JP" not in g.scope.territories for g in grants)
    assert any(set(CATEGORIES) - set(g.scope.garment_categories) for g in grants)
    assert any("social" not in g.scope.channels for g in grants)
    everything = [
        g for g in grants if set(g.scope.garment_categories) == set(CATEGORIES) and "JP" in g.scope.territories
    ]
    assert len(everything) > len(grants) / 2
