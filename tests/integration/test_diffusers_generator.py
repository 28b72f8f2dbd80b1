"""A real diffusers pipeline with tiny random weights behind the Generator port."""

from pathlib import Path

import numpy as np
import pytest

from infra.models.diffusers import DiffusersGenerator
from tasks.errors import Interrupted, Misconfigured
from tasks.generate import generate_look
from tasks.imaging.pictures import GenerateRequest
from tasks.imaging.studio import over_ground
from tests.fakes.mannequin import garment, mannequin
from tests.fakes.tiny_pipelines import save_tiny_klein_inpaint, tiny_profile


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("tiny-klein")
    save_tiny_klein_inpaint(at)
    return at


@pytest.fixture(scope="module")
def generator(folder: Path) -> DiffusersGenerator:
    return DiffusersGenerator(tiny_profile(folder))


@pytest.fixture
def request_for_top() -> GenerateRequest:
    return GenerateRequest(mannequin(), garment("top"), seed=7)


@pytest.fixture
def own_copy(folder: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, tmp_path / "copy"))


def never() -> bool:
    return False


def test_it_redraws_the_garment_and_nothing_else(
    generator: DiffusersGenerator, request_for_top: GenerateRequest
) -> None:
    look = generate_look(request_for_top, generator, never)
    assert look.garment_alpha is not None
    inside = look.garment_alpha > 0.99
    own = request_for_top.garment.rgba[300, 200, :3].astype(int)
    assert np.abs(look.image[inside].astype(int) - own).mean() > 20  # noise, no longer the draft's plain colour
    free = look.covered == 0
    assert free.mean() > 0.5
    assert (look.image[free] == over_ground(request_for_top.twin.rgba)[free]).all()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    generator: DiffusersGenerator, request_for_top: GenerateRequest
) -> None:
    first, again = (generate_look(request_for_top, generator, never).image for _ in range(2))
    assert first.tobytes() == again.tobytes()
    other = GenerateRequest(request_for_top.twin, request_for_top.garment, seed=8)
    assert generate_look(other, generator, never).image.tobytes() != first.tobytes()


def test_stop_ends_the_denoising_at_the_very_next_step(folder: Path, request_for_top: GenerateRequest) -> None:
    generator = DiffusersGenerator(tiny_profile(folder, steps=12))
    asked = 0

    def stop_at_the_fourth_question() -> bool:
        nonlocal asked
        asked += 1
        return asked >= 4

    with pytest.raises(Interrupted):
        generator.generate([request_for_top], stop_at_the_fourth_question)
    assert asked == 4
    assert len(generator.generate([request_for_top], never)) == 1  # and it still works


def test_a_changed_file_is_refused_before_anything_is_loaded(own_copy: Path, request_for_top: GenerateRequest) -> None:
    profile = tiny_profile(own_copy)
    weights = own_copy / "transformer" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(Misconfigured) as caught:
        DiffusersGenerator(profile).generate([request_for_top], never)
    assert caught.value.code == "weights_changed"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.ckpt", "pipeline.py"])
def test_files_that_can_run_code_are_refused_even_when_listed(
    own_copy: Path, request_for_top: GenerateRequest, name: str
) -> None:
    (own_copy / "transformer" / name).write_bytes(b"\x80\x04N.")
    with pytest.raises(Misconfigured) as caught:
        DiffusersGenerator(tiny_profile(own_copy)).generate([request_for_top], never)
    assert caught.value.code == "weights_unsafe"


def test_files_that_nobody_listed_and_files_that_went_are_refused(own_copy: Path) -> None:
    profile = tiny_profile(own_copy)
    extra = own_copy / "extra.safetensors"
    extra.write_bytes(b"")
    with pytest.raises(Misconfigured) as caught:
        DiffusersGenerator(profile).load()
    assert caught.value.code == "weights_unlisted"
    extra.unlink()
    (own_copy / "model_index.json").unlink()
    with pytest.raises(Misconfigured) as caught:
        DiffusersGenerator(profile).load()
    assert caught.value.code == "weights_missing"


def test_a_licence_without_commercial_use_makes_previews_only(folder: Path, request_for_top: GenerateRequest) -> None:
    generator = DiffusersGenerator(tiny_profile(folder, commercial_use=False))
    assert not generator.commercial_use
    assert "preview_only" in generate_look(request_for_top, generator, never).notes
