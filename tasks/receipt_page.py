"""The readable face of a receipt: one HTML file without scripts, fonts or addresses of anyone else."""

from datetime import datetime
from html import escape

from schemas.receipt import Receipt

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
code{font-size:.85em;word-break:break-all}.done{color:#05682d;font-weight:600}
"""
_WHY = {
    "identity": "its id and perceptual hash, no image: so that copies found elsewhere can be told",
    "run_off": "shown until its run-off ends",
    "stop_new": "the withdrawal stops new work only",
    "other_grant": "made under a grant that was not withdrawn",
}


def receipt_page(receipt: Receipt, *, file_name: str) -> str:
    """HTML. `file_name` is the signed file that lies beside it; this page is no proof, that file is."""
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Receipt {escape(receipt.withdrawal_id)}</title><style>{_STYLE}</style>
<h1>Receipt of withdrawal {escape(receipt.withdrawal_id)}</h1>
<p class="done">{receipt.targets_total} objects were taken down and verified.</p>
{_summary(receipt)}
<h2>What vanished</h2>{_targets(receipt)}
<h2>What was kept, and why</h2>{_kept(receipt)}
<h2>How this can be checked</h2>
<p>The signed receipt is <code>{escape(file_name)}</code> (JWS, EdDSA). With the public key:
<code>likeness receipt verify {escape(file_name)} --key receipt.pub.jwk</code>. It rests on row
{receipt.evidence.position} of the evidence chain, hash <code>{receipt.evidence.hash}</code>.</p>
<p>{escape(receipt.store.statement)}</p>
</html>
"""


def _summary(receipt: Receipt) -> str:
    rows = [
        ("Talent", f"<code>{escape(receipt.talent)}</code>"),
        ("Grants", ", ".join(f"<code>{escape(grant)}</code>" for grant in receipt.grants) or "all"),
        ("Effect", escape(receipt.effect)),
        ("Recorded; from here on the gate refused", _time(receipt.recorded_at)),
        ("Planned", _time(receipt.planned_at)),
        ("Completed", _time(receipt.completed_at)),
        ("Objects", ", ".join(f"{count} {escape(kind)}" for kind, count in receipt.targets_by_kind.items()) or "none"),
    ]
    return _table((), [(f"<b>{name}</b>", value) for name, value in rows])


def _targets(receipt: Receipt) -> str:
    if receipt.targets is None:
        return f"<p>{receipt.targets_total} objects, listed in the manifest <code>{receipt.manifest_sha256}</code>.</p>"
    return _table(
        ("Object", "Kind", "Bytes before (sha256)", "Found", "Tombstone placed", "Verified", "Old versions deleted"),
        [
            (
                f"<code>{escape(target.object)}</code>",
                escape(target.kind),
                f"<code>{target.sha256[:16]}…</code>",
                escape(target.found),
                _time(target.tombstoned_at),
                _time(target.second_look_at or target.verified_at),
                str(target.versions_deleted),
            )
            for target in receipt.targets
        ],
    )


def _kept(receipt: Receipt) -> str:
    if not receipt.kept:
        return "<p>Nothing.</p>" if not receipt.kept_total else f"<p>{receipt.kept_total} rows of the manifest.</p>"
    return _table(
        ("Asset", "Perceptual hash", "What and why", "Until"),
        [
            (
                f"<code>{escape(kept.asset)}</code>",
                f"<code>{escape(kept.phash)}</code>",
                _WHY[kept.why],
                _time(kept.until) if kept.until else "",
            )
            for kept in receipt.kept
        ],
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    titles = "".join(f"<th>{title}</th>" for title in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>{f'<tr>{titles}</tr>' if head else ''}\n{body}</table>"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
