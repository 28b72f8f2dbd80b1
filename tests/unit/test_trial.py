"""Trying photographs: what a file's name says of its category."""

from pathlib import Path

import pytest

from console.cli.trial import category_in_name


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("jacket_green_quilted.jpg", "outerwear"), ("dress-sideways.png", "dress"), ("MY TEE 2.jpg", "top"),
        ("IMG_2031.jpg", None), ("addressed.jpg", None),
    ],
)  # fmt: skip
def test_whole_words_of_the_name_say_the_category(name: str, category: str | None) -> None:
    assert category_in_name(Path(name)) == category
