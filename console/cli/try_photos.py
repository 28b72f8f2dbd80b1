"""`likeness try PHOTO…`: dress twins in any photograph, without events, services or publishing."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from infra.settings import Settings
from schemas.base import CATEGORIES
from tasks.errors import NotFound

PACK = Path(__file__).resolve().parents[2] / "samples" / "pack"


def try_photos(
    photos: Annotated[list[Path], typer.Argument(help="Photographs of garments: flat, hanging, or on a person.")],
    out: Annotated[Path, typer.Option(help="Folder for images, contact sheet and verdicts.json.")],
    category: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(CATEGORIES)}. Left out: what is seen in the photograph.")
    ] = None,
    twins: Annotated[list[str] | None, typer.Option(help="A twin's id, again for more, or `all`.")] = None,
    generator: Annotated[str, typer.Option(help="Generator, by name.")] = "draft",
    scene: Annotated[list[str] | None, typer.Option(help="A scene by name, again for more, or `all`.")] = None,
    format: Annotated[list[str] | None, typer.Option(help="4:5, 1:1, 9:16 or 16:9, again for more, or `all`.")] = None,
    steps: Annotated[bool, typer.Option("--steps", help="Also write the cut-out and the landmarks.")] = False,
    pack: Annotated[Path, typer.Option(help="Folder with `twins` and `scenes`.")] = PACK,
) -> None:
    """Dress twins in any photograph and say of each image whether it could be published, and why not.

    Writes images (previews, labelled as such), contact_sheet.jpg and verdicts.json. Exit code 0 when every photograph
    was handled, refused ones included.
    """
    from console.cli.contact_sheet import draw_sheet
    from console.cli.trial import Tried, try_photo
    from console.cli.trial_bench import check_category, open_bench

    chosen = check_category(category)
    out.mkdir(parents=True, exist_ok=True)
    if not photos:
        raise NotFound("give at least one photograph")
    bench = open_bench(Settings.load(running=False), generator, pack, twins or [], scene or [], format or [])
    tried: list[Tried] = []
    names: Counter[str] = Counter()
    for number, photo in enumerate(photos, start=1):
        names[photo.stem] += 1
        stem = photo.stem if names[photo.stem] == 1 else f"{photo.stem}-{names[photo.stem]}"
        one = try_photo(photo, chosen, bench, out, stem=stem, steps=steps)
        tried.append(one)
        words = [row["verdict"] for row in one.verdicts]
        told = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        print(f"[{number}/{len(photos)}] {photo.name}: {told}", file=sys.stderr)
    verdicts = [row for one in tried for row in one.verdicts]
    (out / "verdicts.json").write_text(json.dumps(verdicts, indent=1, ensure_ascii=False))
    draw_sheet([one.line for one in tried if one.line is not None]).save(out / "contact_sheet.jpg", quality=88)
    print(f"{out / 'verdicts.json'}\n{out / 'contact_sheet.jpg'}")
