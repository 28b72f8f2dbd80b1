"""What a publishable image must measure: thresholds as data, what each protects, and the port of the judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

RULES_VERSION = "rules-1"


@dataclass(frozen=True)
class Threshold:
    """Least and most that a measure may be, inclusive. `sentence` says in plain words what is wrong beyond them."""

    measure: str
    least: float | None
    most: float | None
    protects: str
    sentence: str


@dataclass(frozen=True)
class Failure:
    measure: str
    value: float | None
    limit: str
    protects: str
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """`failures` is empty if and only if the image passed."""

    image_id: str
    passed: bool
    failures: tuple[Failure, ...] = ()

    def as_checks(self) -> dict[str, Any]:
        """JSON-able form, for the ledger and for pages."""
        limits = {t.measure: {"min": t.least, "max": t.most} for t in THRESHOLDS}
        failures = [vars(failure) for failure in self.failures]
        return {"passed": self.passed, "rules": RULES_VERSION, "failures": failures, "thresholds": limits}


THRESHOLDS: tuple[Threshold, ...] = (
    Threshold("garment_delta_e", None, 5.0, "customer", "the garment's colour is not that of its photograph"),
    Threshold("palette_delta_e", None, 6.5, "customer", "a main colour of the garment is missing or new"),
    Threshold("chroma_ratio", 0.7, 1.4, "customer", "the garment is much duller or more vivid than its photograph"),
    Threshold("print_detail", 0.5, 2.0, "customer", "the print or pattern is lost or invented"),
    Threshold("silhouette_iou", 0.95, None, "talent", "the body is not the talent's: its outline differs"),
    Threshold("silhouette_hd95", None, 0.012, "talent", "the body's outline has moved from the talent's"),
    Threshold("body_lost", None, 0.01, "talent", "part of the talent's body is missing or was slimmed"),
    Threshold("skin_delta_e", None, 2.0, "talent", "the skin is not the talent's tone"),
    Threshold("face_difference", None, 0.3, "talent", "the face is not the talent's"),
    Threshold("face_delta_e", None, 3.0, "talent", "the face has other colours than the talent's"),
    Threshold("sharpness", 0.75, 1.6, "brand", "the image is blurred or over-sharpened"),
    Threshold("exposure", 0.88, 1.13, "brand", "the person is lit too brightly or too darkly"),
    Threshold("clipped_white", None, 0.02, "brand", "large areas are pure white"),
    Threshold("clipped_black", None, 0.05, "brand", "large areas are pure black"),
    Threshold("halo", None, 0.1, "brand", "a bright or dark rim surrounds the person"),
    Threshold("holes", None, 0.002, "brand", "there are holes in the person or the garment"),
    Threshold("margin", 0.02, None, "brand", "the person is cropped by the frame"),
    Threshold("cut_by_look", None, 0.0, "brand", "the person was cropped before framing"),
    Threshold("person_height", 0.4, 0.92, "brand", "the person is too small or too large in the frame"),
    Threshold("feet_gap", None, 0.02, "brand", "the feet do not stand on the floor"),
    Threshold("scale", None, 2.0, "brand", "the image was enlarged more than twice: a preview only"),
    Threshold("label_match", 0.75, None, "public", "the visible label is missing or unreadable"),
    Threshold("label_contrast", 4.5, None, "public", "the visible label has too little contrast"),
    Threshold("right_size", 1, 1, "brand", "the image does not have its format's size"),
    Threshold("nearest", 3, None, "brand", "the same image was made twice"),
)
MEASURES: tuple[str, ...] = tuple(threshold.measure for threshold in THRESHOLDS)


class Judge(Protocol):
    name: str

    def judge(self, rows: Sequence[Mapping[str, Any]]) -> list[Verdict]:
        """One verdict per row, in order, in one pass. Every row has `image_id` and all MEASURES.

        A missing (None or NaN) value fails its measure. Raises ChecksFailed if the batch as a whole cannot be judged:
        no rows, or a measure that is in no row.
        """


def limit_of(threshold: Threshold) -> str:
    if threshold.least is not None and threshold.least == threshold.most:
        return f"= {threshold.least:g}"
    parts = [] if threshold.least is None else [f">= {threshold.least:g}"]
    return " and ".join([*parts, *([] if threshold.most is None else [f"<= {threshold.most:g}"])])


def failure_of(threshold: Threshold, value: float | None) -> Failure:
    return Failure(threshold.measure, value, limit_of(threshold), threshold.protects, threshold.sentence)


def with_nearest(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `nearest`: differing bits of `fine_print` to the most similar other row; 256 if a row is alone."""
    prints = [int(str(row["fine_print"]), 16) for row in rows]
    nearest = [
        min(((mine ^ other).bit_count() for j, other in enumerate(prints) if j != i), default=256)
        for i, mine in enumerate(prints)
    ]
    return [{**row, "nearest": bits} for row, bits in zip(rows, nearest, strict=True)]
