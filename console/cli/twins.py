"""`likeness twins import|list|show`: digital replicas taken in, file by file under rows of their own."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from console.cli.lists import AsJson, with_core
from console.cli.printing import print_json, print_list, print_one
from infra.bootstrap.core import Core
from schemas.envelope import explain
from schemas.scene import Scene
from schemas.twin import Twin
from tasks.errors import Misconfigured, NotFound, UnusableTwin
from tasks.library import take_in_scene, take_in_twin

_SCENES = TypeAdapter(list[Scene])
twins = typer.Typer(help="Digital replicas of talents.", no_args_is_help=True)


def read_twins(folder: Path) -> list[tuple[Twin, Path]]:
    """Every twin.json in or below `folder`, with the folder it lies in. Raises UnusableTwin."""
    found = sorted(folder.rglob("twin.json"))
    if not found:
        raise UnusableTwin(f"{folder}: no twin.json here or below")
    return [(_read_twin(file), file.parent) for file in found]


def _read_twin(file: Path) -> Twin:
    try:
        return Twin.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise UnusableTwin(f"{file}: {explain(error)}") from None


def read_scenes(folder: Path) -> list[tuple[Scene, Path]]:
    """The scenes of scenes.json, a list, with the folder of their backdrops. Raises NotFound, Misconfigured."""
    file = folder / "scenes.json"
    if not file.is_file():
        raise NotFound(f"{folder}: no scenes.json here")
    try:
        return [(scene, folder) for scene in _SCENES.validate_json(file.read_bytes())]
    except ValidationError as error:
        raise Misconfigured(f"{file}: {explain(error)}") from None


def reader(folder: Path) -> Any:
    """Reads the files of one twin by name, and nothing outside its folder."""
    root = folder.resolve()

    def read(name: str) -> bytes:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise UnusableTwin(f"{name} lies outside the twin's folder")
        return path.read_bytes()

    return read


async def import_twins(folder: Path, core: Core) -> list[dict[str, Any]]:
    """Take in every twin of the folder. Doing it again stores only what is missing."""
    return [
        {
            "twin_id": twin.twin_id,
            "talent_id": twin.talent_id,
            "display_name": twin.display_name,
            "poses": [pose.pose for pose in twin.poses],
            "files_stored": await take_in_twin(twin, reader(where), core.ledger, core.store),
        }
        for twin, where in read_twins(folder)
    ]


async def import_scenes(folder: Path, core: Core) -> list[str]:
    scenes = read_scenes(folder)
    for scene, where in scenes:
        await take_in_scene(scene, (where / scene.backdrop).read_bytes(), core.ledger, core.store)
    return [scene.scene for scene, _ in scenes]


@twins.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(help="A folder of twin folders, each with its twin.json.", exists=True)],
    as_json: AsJson = False,
) -> None:
    """Validate twins, store their files, put them in the catalogue. Importing again changes nothing."""
    rows = with_core(lambda core: import_twins(folder, core))
    columns = ("twin_id", "talent_id", "display_name", "poses", "files_stored")
    print_list(rows, columns, as_json=as_json, empty="No twin was found.")


@twins.command("list")
def list_twins(as_json: AsJson = False) -> None:
    """Every twin in the catalogue."""
    found = with_core(lambda core: core.ledger.twins(available=False))
    rows = [twin.model_dump(mode="json", include={"twin_id", "talent_id", "display_name", "height_m", "synthetic"})
            for twin in found]  # fmt: skip
    columns = ("twin_id", "talent_id", "display_name", "height_m", "synthetic")
    print_list(rows, columns, as_json=as_json, empty="No twin is known yet: likeness twins import DIR")


@twins.command("show")
def show_twin(twin_id: str, as_json: AsJson = False) -> None:
    """One twin as it was imported."""
    twin = with_core(lambda core: core.ledger.twin(twin_id))
    if twin is None:
        raise NotFound(f"There is no twin {twin_id}.")
    if as_json:
        print_json(twin)
    else:
        print_one(twin.model_dump(mode="json", exclude={"sha256"}), as_json=False)
