"""Marked files carry credentials that others can read and that no one can change unseen."""

import hashlib
import io
import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from defusedxml import ElementTree
from PIL import Image

from infra.marking.c2pa_marker import C2paMarker
from infra.marking.certificates import Chain, development_chain, make_development_chain, read_chain
from tasks.errors import ChecksFailed, Misconfigured
from tasks.mark import SOURCE_TYPES
from tasks.ports import Marked
from tests.fakes.drawn import draw_backdrop

IMAGE = draw_backdrop(320, 400)
FACTS = {"generator": "draft-1", "recipe": "ab" * 32}


@pytest.fixture(scope="module")
def chain() -> Chain:
    return development_chain()


@pytest.fixture(scope="module")
def marker(chain: Chain) -> C2paMarker:
    return C2paMarker(chain)


def mark(marker: C2paMarker, **facts: str) -> Marked:
    return marker.mark(
        IMAGE, title='Dress "A" & <B>', asset_id="as-1", scene_label="AI生成画像", facts={**FACTS, **facts}
    )


def xmp_of(data: bytes) -> str:
    return str(Image.open(io.BytesIO(data)).info["xmp"].decode())


def test_a_marked_file_is_trusted_and_its_hash_is_that_of_the_final_bytes(marker: C2paMarker) -> None:
    marked = mark(marker)
    assert marked.content_type == "image/jpeg"
    assert marked.sha256 == hashlib.sha256(marked.data).hexdigest()
    assert (marked.width, marked.height) == (320, 400)
    assert marker.read(marked.data)["validation_state"] == "Trusted"
    assert np.asarray(Image.open(io.BytesIO(marked.data))).shape == IMAGE.shape


def test_the_picture_survives_marking(marker: C2paMarker) -> None:
    shown = np.asarray(Image.open(io.BytesIO(mark(marker).data))).astype(int)
    assert np.abs(shown - IMAGE).mean() < 2


@pytest.mark.parametrize(
    ("generator", "kind"),
    [
        ("draft-1", "compositeSynthetic"),
        ("simulate-2", "compositeSynthetic"),
        ("flux2-klein", "trainedAlgorithmicMedia"),
        ("", "trainedAlgorithmicMedia"),
    ],
)
def test_the_source_type_says_how_the_image_was_made(marker: C2paMarker, generator: str, kind: str) -> None:
    marked = mark(marker, generator=generator)
    assert f'DigitalSourceType="{SOURCE_TYPES}{kind}"' in xmp_of(marked.data)
    [action] = next(
        a["data"]["actions"] for a in marked.manifest["manifest"]["assertions"] if a["label"].startswith("c2pa.actions")
    )
    assert action["digitalSourceType"] == SOURCE_TYPES + kind


def test_the_xmp_is_well_formed_wrapped_and_names_asset_credit_and_description(marker: C2paMarker) -> None:
    packet = xmp_of(mark(marker).data)
    assert packet.startswith("<?xpacket begin=")
    assert packet.endswith('<?xpacket end="w"?>')
    text = "".join(ElementTree.fromstring(packet[packet.index("<x:xmpmeta") : packet.rindex("<?xpacket")]).itertext())
    assert 'AI生成画像. Dress "A" & <B>' in text
    assert 'DigImageGUID="as-1"' in packet
    assert "photoshop:Credit=" in packet


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed; the raw XMP is tested above")
def test_another_program_reads_the_source_type(marker: C2paMarker, tmp_path: Path) -> None:
    path = tmp_path / "look.jpg"
    path.write_bytes(mark(marker).data)
    command = ["exiftool", "-s3", "-XMP-iptcExt:DigitalSourceType", "-Warning", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == SOURCE_TYPES + "compositeSynthetic"


@pytest.mark.parametrize("part", [0.5, 0.9, 0.99])
def test_one_flipped_bit_of_the_picture_is_invalid(marker: C2paMarker, part: float) -> None:
    data = bytearray(mark(marker).data)
    data[int(len(data) * part)] ^= 1
    assert marker.read(bytes(data))["validation_state"] == "Invalid"


def test_a_file_encoded_again_has_no_credentials(marker: C2paMarker) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(mark(marker).data)).save(buffer, "JPEG")
    with pytest.raises(ChecksFailed) as refused:
        marker.read(buffer.getvalue())
    assert refused.value.code == "no_credentials"


def test_an_expired_chain_is_refused() -> None:
    long_ago = datetime.now(UTC) - timedelta(days=400)
    with pytest.raises(ChecksFailed):
        mark(C2paMarker(development_chain(valid_from=long_ago, days=30)))


def test_a_chain_whose_root_is_not_trusted_is_refused(chain: Chain) -> None:
    other = development_chain()
    with pytest.raises(ChecksFailed, match="Valid"):
        mark(C2paMarker(Chain(chain.certificates, chain.private_key, other.anchors)))


def test_a_key_that_does_not_fit_its_certificate_is_refused(chain: Chain) -> None:
    with pytest.raises((ChecksFailed, Misconfigured)):
        mark(C2paMarker(Chain(chain.certificates, development_chain().private_key, chain.anchors)))


def test_threads_share_one_marker(marker: C2paMarker) -> None:
    with ThreadPoolExecutor(4) as pool:
        marked = list(pool.map(lambda _: mark(marker), range(12)))
    assert len({m.sha256 for m in marked}) == 12


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_worker_makes_its_own_context(marker: C2paMarker) -> None:
    mark(marker)
    child = os.fork()
    if child == 0:
        try:
            mark(marker)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_set_up_makes_a_chain_once_and_keeps_its_key_private(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = make_development_chain(folder)
    assert make_development_chain(folder) == made == read_chain(folder)
    assert stat.S_IMODE((folder / "c2pa-key.pem").stat().st_mode) == 0o600


def test_a_home_without_certificates_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="likeness up"):
        read_chain(tmp_path)
