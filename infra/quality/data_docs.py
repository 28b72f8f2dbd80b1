"""Reports of the checks as a folder of web pages that can be read offline, made by Great Expectations.

Its pages ask for fonts, scripts and styles from elsewhere; those references are taken out and a small style sheet of
our own is put in, so that a report opens the same on a plane, in an archive, and under a strict content policy.
"""

import re
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig

from infra.quality.great_expectations import as_frame, suite_of
from tasks.judge import THRESHOLDS

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:72rem;padding:1.5rem;color:#1c1c1e;background:#fff}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{border-bottom:1px solid #ddd;padding:.35rem .6rem;
text-align:left;vertical-align:top}h1,h2,h3,h4,h5{line-height:1.25;margin:1.2rem 0 .4rem}a{color:#0b57d0}
.alert-success,.text-success,.fa-check-circle{color:#0a6b2d}.alert-danger,.text-danger,.fa-times{color:#b3261e}
.badge{border:1px solid #bbb;border-radius:.6rem;padding:0 .5rem}ul{padding-left:1.2rem}pre{white-space:pre-wrap}
.collapse{display:block}.modal,.navbar,.cookie,button,img,[class*=logo]{display:none}
.fa-check-circle::before{content:"passed "}.fa-times::before{content:"failed "}
"""
_FOREIGN = [
    re.compile(r"<script\b.*?</script>", re.S | re.I),
    re.compile(r"<link\b[^>]*>", re.I),
    re.compile(r"<style\b.*?</style>", re.S | re.I),
    re.compile(r"<(?:img|iframe)\b[^>]*>", re.I),
    re.compile(r"<!--.*?-->", re.S),
    re.compile(r"\s(?:on\w+)=(?:\"[^\"]*\"|'[^']*')", re.I),
]
_FOREIGN_LINK = re.compile(r"""<a\b[^>]*href=["'](?:https?:)?//[^"']*["'][^>]*>(.*?)</a>""", re.S | re.I)
_FOREIGN_URL = re.compile(r"""https?://[^\s"'<>)]*""", re.I)
_lock = threading.Lock()


def readable_offline(page: str) -> str:
    """A page without any reference to another host and without scripts."""
    for pattern in _FOREIGN:
        page = pattern.sub("", page)
    page = _FOREIGN_LINK.sub(r"\1", page)
    page = _FOREIGN_URL.sub("", page)
    return page.replace("</head>", f"<style>{_STYLE}</style></head>", 1)


def build(rows: Sequence[Mapping[str, Any]], folder: Path, *, title: str = "looks") -> Path:
    """Judge the rows, write the report into `folder` (replacing what is there) and return its first page.

    Half a second and more: on demand or on a schedule, never per image.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _lock:
        _render(rows, folder, title)
    for static in ("static",):
        shutil.rmtree(folder / static, ignore_errors=True)
    for page in folder.rglob("*.html"):
        page.write_text(readable_offline(page.read_text(encoding="utf-8")), encoding="utf-8")
    return folder / "index.html"


def _render(rows: Sequence[Mapping[str, Any]], folder: Path, title: str) -> None:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.enable_analytics(False)
    site: Any = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())},
    }
    context.add_data_docs_site("report", site)
    source = context.data_sources.add_pandas("measures")
    batch = source.add_dataframe_asset(title).add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(suite_of(THRESHOLDS))
    definition = gx.ValidationDefinition(name=title, data=batch, suite=suite)
    checkpoint = gx.Checkpoint(
        name=title,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["image_id"]},
    )
    context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": as_frame(rows)})
    context.build_data_docs(site_names=["report"])
