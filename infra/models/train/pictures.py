"""Training pictures: drawn garments and figures on very varied grounds, and real photographs with their masks."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from infra.models.train.network import KINDS

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
REAL_LABELS = {
    "T-Shirt": "top", "Longsleeve": "top", "Shirt": "top", "Polo": "top", "Undershirt": "top", "Top": "top",
    "Blouse": "top", "Hoodie": "top", "Blazer": "outerwear", "Outwear": "outerwear", "Dress": "dress", "Skirt": "skirt",
    "Pants": "trousers", "Shorts": "shorts", "Shoes": "not_garment", "Hat": "not_garment",
}  # fmt: skip


def _with_alpha(path: Path) -> U8:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.shape[2] != 4:
        raise ValueError(f"{path}: not a picture with alpha")
    return np.asarray(image, np.uint8)


def _kind_in_name(path: Path) -> str:
    return path.stem.rsplit("-", 1)[-1]


def read_photographs(folder: Path) -> list[tuple[Path, str, str]]:
    """(file, sender, class) of every labelled photograph in a folder with images.csv and images/."""
    rows = []
    with (folder / "images.csv").open() as file:
        for row in csv.DictReader(file):
            path = folder / "images" / f"{row['image']}.jpg"
            if row["label"] in REAL_LABELS and path.exists():
                rows.append((path, row["sender_id"], REAL_LABELS[row["label"]]))
    return rows


def held_out(sender: str) -> bool:
    """Every fifth sender is never trained on."""
    return int(sender) % 5 == 0


class Pictures:
    """Makes training examples: `sample()` gives (BGR uint8 size x size x 3, mask float32 size x size or None, kind)."""

    def __init__(
        self,
        drawn: Sequence[Path],
        figures: Sequence[Path],
        real: Sequence[tuple[Path, str]],
        masks: Path | None,
        size: int,
        seed: int,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.size = size
        self.drawn = [(_with_alpha(path), _kind_in_name(path)) for path in drawn]
        self.figures = [_with_alpha(path) for path in figures]
        self.real: list[tuple[U8, U8 | None, str]] = []
        for path, name in real:
            image = cv2.imread(str(path))
            if image is None:
                continue
            mask_path = masks / f"{path.stem}.png" if masks else None
            mask = cv2.imread(str(mask_path), 0) if mask_path and mask_path.exists() else None
            scale = 360 / max(image.shape[:2])
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            if mask is not None:
                mask = cv2.resize(mask, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_AREA)
            self.real.append((image, mask, name))

    def sample(self) -> tuple[U8, F32 | None, int]:
        choice = self.rng.random()
        if choice < 0.40 and self.real:
            return self._real()
        return self._composed()

    # ------------------------------------------------------------ real
    def _real(self) -> tuple[U8, F32 | None, int]:
        image, mask, name = self.real[self.rng.integers(len(self.real))]
        image, known = self._place_real(image, mask)
        return self._develop(image), known, KINDS.index(name)

    def _place_real(self, image: U8, mask: U8 | None) -> tuple[U8, F32 | None]:
        height, width = image.shape[:2]
        angle, zoom = self.rng.normal(0, 6), self.size / max(height, width) * self.rng.uniform(0.9, 1.15)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, zoom)
        matrix[:, 2] += self.size / 2 - np.array([width / 2, height / 2]) + self.rng.normal(0, 8, 2)
        if self.rng.random() < 0.5:
            matrix = matrix @ np.array([[-1, 0, width], [0, 1, 0], [0, 0, 1.0]])
        full = (self.size, self.size)
        moved = cv2.warpAffine(image, matrix, full, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
        if mask is None:
            return moved, None
        return moved, cv2.warpAffine(mask, matrix, full).astype(np.float32) / 255

    # ------------------------------------------------------------ composed
    def _composed(self) -> tuple[U8, F32, int]:
        size, rng = self.size, self.rng
        figure = bool(self.figures) and rng.random() < 0.2
        if figure:
            subject, name = self.figures[rng.integers(len(self.figures))], "not_garment"
        else:
            subject, name = self.drawn[rng.integers(len(self.drawn))]
        ground = self._plain() if figure else self._ground()
        subject = self._recolour(subject) if rng.random() < 0.6 else subject
        height, width = subject.shape[:2]
        zoom = size / max(height, width) * rng.uniform(0.75, 1.18)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 8), zoom)
        matrix[:, 2] += size / 2 - np.array([width / 2, height / 2]) + rng.normal(0, 10, 2)
        if not figure:
            source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
            bent = source + rng.normal(0, 0.03 * width, source.shape).astype(np.float32)
            matrix = np.vstack([matrix, [0, 0, 1]]) @ cv2.getPerspectiveTransform(source, bent)
        else:
            matrix = np.vstack([matrix, [0, 0, 1]])
        moved = cv2.warpPerspective(subject, matrix, (size, size), flags=cv2.INTER_AREA)
        alpha = moved[..., 3].astype(np.float32) / 255
        colour = moved[..., :3].astype(np.float32)
        if rng.random() < 0.25 and not figure:  # tone on tone
            mean = colour[alpha > 0.5].mean(0) if (alpha > 0.5).any() else np.full(3, 128)
            ground = np.clip(ground + (mean + rng.normal(0, 22, 3) - ground.mean((0, 1))), 0, 255)
        shadow = cv2.GaussianBlur(np.roll(alpha, rng.integers(-6, 9, 2), (0, 1)), (0, 0), rng.uniform(2, 9))
        ground = ground * (1 - rng.uniform(0, 0.5) * shadow[..., None])
        if rng.random() < 0.4 and not figure:
            self._hanger(ground, alpha)
        shade = 1 + 0.18 * self._cloud(rng.uniform(20, 90))[..., None]
        image = colour * shade * alpha[..., None] + ground * (1 - alpha[..., None])
        return self._develop(np.clip(image, 0, 255).astype(np.uint8)), alpha, KINDS.index(name)

    def _recolour(self, subject: U8) -> U8:
        lab = cv2.cvtColor(subject[..., :3], cv2.COLOR_BGR2LAB).astype(np.float32)
        lab[..., 0] = np.clip(lab[..., 0] * self.rng.uniform(0.4, 1.3) + self.rng.uniform(-30, 70), 4, 251)
        lab[..., 1:] = (lab[..., 1:] - 128) * self.rng.uniform(0, 1.3) + 128 + self.rng.normal(0, 12, 2)
        changed = cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2BGR)
        return np.asarray(np.dstack([changed, subject[..., 3]]), np.uint8)

    def _cloud(self, scale: float) -> F32:
        cells = max(2, int(self.size / scale) + 2)
        grid = self.rng.standard_normal((cells, cells)).astype(np.float32)
        return np.asarray(cv2.resize(grid, (self.size, self.size), interpolation=cv2.INTER_CUBIC), np.float32)

    def _plain(self) -> F32:
        colour = self.rng.uniform(120, 245) + self.rng.normal(0, 5, 3)
        return np.clip(colour + 5 * self._cloud(120)[..., None], 0, 255).astype(np.float32)

    def _ground(self) -> F32:
        kind = self.rng.choice(5, p=[0.42, 0.18, 0.14, 0.14, 0.12])
        if kind == 0 and self.real:
            return self._real_ground()
        base = np.clip(self.rng.uniform(30, 245) + self.rng.normal(0, 22, 3), 5, 250)
        y, x = np.mgrid[0 : self.size, 0 : self.size].astype(np.float32)
        out = np.zeros((self.size, self.size, 3), np.float32) + base
        if kind == 1:  # boards
            angle, width = self.rng.uniform(0, np.pi), self.rng.uniform(18, 70)
            along = x * np.cos(angle) + y * np.sin(angle)
            board = np.floor(along / width)
            tone = self.rng.normal(0, 14, 200)[board.astype(int) % 200]
            grain = np.sin((-x * np.sin(angle) + y * np.cos(angle)) / 40 + 6 * np.sin(along / 9 + board)) * 5
            out += (tone + grain + np.where((along % width) < 1.6, -45, 0))[..., None]
        elif kind == 2:  # tiles, checks, quilts
            width = self.rng.uniform(24, 80)
            line = ((x % width) < 2) | ((y % width) < 2)
            out += np.where(line, self.rng.normal(0, 45), 0)[..., None]
            puff = np.sin(np.pi * (x % width) / width) * np.sin(np.pi * (y % width) / width)
            out += (puff * self.rng.uniform(-20, 30))[..., None]
        elif kind == 3:  # carpet, towel
            noise = self.rng.standard_normal((self.size, self.size)).astype(np.float32)
            out += (cv2.GaussianBlur(noise, (0, 0), self.rng.uniform(0.7, 3)) * self.rng.uniform(20, 70))[..., None]
        else:  # rumpled sheet
            for scale in (90, 45, 20):
                out += (self._cloud(scale) * self.rng.uniform(4, 22))[..., None]
        out += (self._cloud(140) * 14)[..., None]
        return np.clip(out, 0, 255)

    def _real_ground(self) -> F32:
        """A corner of a real photograph, mirrored until it fills the picture."""
        image = self.real[self.rng.integers(len(self.real))][0]
        height, width = image.shape[:2]
        side = int(min(height, width) * self.rng.uniform(0.18, 0.30))
        top, left = self.rng.choice([0, height - side]), self.rng.choice([0, width - side])
        corner = image[top : top + side, left : left + side].astype(np.float32)
        tile = np.vstack([np.hstack([corner, corner[:, ::-1]]), np.hstack([corner[::-1], corner[::-1, ::-1]])])
        tile = cv2.resize(tile, None, fx=(z := self.rng.uniform(1, 2.2)), fy=z)
        times = -(-self.size // min(tile.shape[:2]))
        return np.tile(tile, (times, times, 1))[: self.size, : self.size]

    def _hanger(self, ground: F32, alpha: F32) -> None:
        rows = np.nonzero(alpha.max(1) > 0.5)[0]
        if not len(rows):
            return
        columns = np.nonzero(alpha[min(rows[0] + 6, self.size - 1)] > 0.5)[0]
        if not len(columns):
            return
        x, y = int(columns.mean()), int(rows[0])
        colour = [float(v) for v in self.rng.uniform(10, 240, 3)]
        cv2.line(ground, (x, y + 5), (x, y - 16), colour, 2, cv2.LINE_AA)
        cv2.ellipse(ground, (x, y - 22), (7, 7), 0, 90, 340, colour, 2, cv2.LINE_AA)
        spread = int(self.rng.uniform(20, 60))
        cv2.line(ground, (x, y), (x - spread, y + spread // 3), colour, 4, cv2.LINE_AA)
        cv2.line(ground, (x, y), (x + spread, y + spread // 3), colour, 4, cv2.LINE_AA)

    def _develop(self, image: U8) -> U8:
        """A camera's doing: exposure, colour cast, blur, noise, JPEG."""
        out = np.asarray(image, np.float64)
        out = out * self.rng.uniform(0.7, 1.25) * self.rng.uniform(0.93, 1.07, 3) + self.rng.uniform(-15, 15)
        if self.rng.random() < 0.4:
            out = cv2.GaussianBlur(out, (0, 0), self.rng.uniform(0.4, 1.2))
        out += self.rng.normal(0, self.rng.uniform(0, 7), out.shape)
        return np.clip(out, 0, 255).astype(np.uint8)
