"""The report of the checks opens offline and names what failed."""

from pathlib import Path

from tests.contract.test_judge import good


def test_the_report_refers_to_no_other_host_and_names_the_failing_image(tmp_path: Path) -> None:
    from infra.quality.data_docs import build  # seconds to import: only where it is used

    first = build([good("look-a"), good("look-b", halo=0.9)], tmp_path / "docs")
    pages = sorted((tmp_path / "docs").rglob("*.html"))
    assert first in pages
    assert len(pages) >= 3
    texts = [page.read_text() for page in pages]
    for text in texts:
        assert "http" not in text
        assert 'src="//' not in text
        assert "<script" not in text
    assert any("halo" in text and "look-b" in text for text in texts)
    assert any("publishable image" in text for text in texts)
