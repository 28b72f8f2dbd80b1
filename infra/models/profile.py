"""A diffusers profile: which pipeline, from which verified files, under which licence, with which arguments."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from schemas.base import Identifier, Schema, Sha256
from tasks.errors import Misconfigured

PICKLES = frozenset({".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth", ".npy", ".npz", ".msgpack", ".h5", ".py"})
"""File types that can run code when they are loaded, or that nothing here needs."""

Pipeline = Literal[
    "StableDiffusionInpaintPipeline",
    "StableDiffusionXLInpaintPipeline",
    "Flux2KleinInpaintPipeline",
    "FluxKontextInpaintPipeline",
    "QwenImageEditInpaintPipeline",
]
Argument = bool | int | float | str | tuple[int, ...]


class Licence(Schema):
    """`commercial_use` False: looks made with it are previews only, never published."""

    name: str
    commercial_use: bool


class Profile(Schema):
    """`folder` holds the pipeline as diffusers saves it; `sha256` names every file in it, relative to the folder.

    `width` x `height`: the size at which the garment's region is made. `reference`: the argument by which the pipeline
    takes the garment's picture, if it takes one. `memory_gb` is what the device must have.
    """

    name: Identifier
    pipeline: Pipeline
    folder: Path
    revision: str
    sha256: dict[str, Sha256]
    licence: Licence
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    device: str = "cuda"
    steps: Annotated[int, Field(ge=1, le=200)]
    width: Annotated[int, Field(ge=16, le=4096, multiple_of=16)]
    height: Annotated[int, Field(ge=16, le=4096, multiple_of=16)]
    memory_gb: float | None = None
    prompt: str = "a person wearing the garment, studio photograph, natural folds"
    reference: Literal["image_reference", "ip_adapter_image"] | None = None
    arguments: dict[str, Argument] = {}


def read_profile(file: Path) -> Profile:
    """A profile from its TOML file; a relative folder is taken from where the file lies. Raises Misconfigured."""
    try:
        profile = Profile.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise Misconfigured(f"profile {file.name}: {error}", code="profile_invalid") from error
    return profile.model_copy(update={"folder": file.parent / profile.folder})


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify_files(profile: Profile) -> None:
    """Every file there is listed and every file listed is there, unchanged, and none can run code.

    Raises Misconfigured (codes weights_missing, weights_unsafe, weights_unlisted, weights_changed).
    """
    folder = profile.folder
    if not folder.is_dir():
        raise Misconfigured(f"profile {profile.name}: its folder is not there", code="weights_missing")
    there = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if not path.is_dir()}
    for name, path in there.items():
        if path.suffix.lower() in PICKLES or path.is_symlink():
            message = f"profile {profile.name}: {name} may run code or lead elsewhere; only safetensors are loaded"
            raise Misconfigured(message, code="weights_unsafe")
        if name not in profile.sha256:
            raise Misconfigured(f"profile {profile.name}: no sha256 is recorded for {name}", code="weights_unlisted")
    for name, expected in profile.sha256.items():
        if name not in there:
            raise Misconfigured(f"profile {profile.name}: {name} is missing", code="weights_missing")
        if _sha256(there[name]) != expected:
            message = f"profile {profile.name}: {name} is not the file that was recorded (sha256 differs)"
            raise Misconfigured(message, code="weights_changed")
