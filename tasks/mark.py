"""What a published file says about itself: the IPTC source type, credit and description, as XMP, and the C2PA manifest.

IPTC Digital Source Type (https://cv.iptc.org/newscodes/digitalsourcetype/): a drafted or simulated look is put together
from a digital twin, a photograph of a garment and a backdrop by plain algorithms, so it is `compositeSynthetic`; any
look that a trained model painted is `trainedAlgorithmicMedia`, even where it painted only the garment, since the
stronger statement is the honest one and the one that shops and platforms act on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ALGORITHMIC_GENERATORS = ("draft", "simulate")
GENERATOR_NAME = "Likeness"


@dataclass(frozen=True)
class Statement:
    """All that is written into one file. `facts` are short extra assertions, e.g. generator, recipe, brand."""

    title: str
    asset_id: str
    description: str
    credit: str
    source_type: str
    facts: Mapping[str, str]


def source_type(generator: str) -> str:
    """IRI of the IPTC source type for a look made by this generator; unknown generators count as trained models."""
    algorithmic = generator.startswith(ALGORITHMIC_GENERATORS)
    return SOURCE_TYPES + ("compositeSynthetic" if algorithmic else "trainedAlgorithmicMedia")


def state(title: str, asset_id: str, scene_label: str, facts: Mapping[str, str]) -> Statement:
    """`facts` may name `generator` and `credit`; the scene's label text is the description's first words."""
    credit = facts.get("credit") or f"{GENERATOR_NAME}, digital twin of a consenting person"
    kind = source_type(facts.get("generator", ""))
    return Statement(title, asset_id, f"{scene_label}. {title}", credit, kind, dict(facts))


def xmp_packet(statement: Statement) -> bytes:
    """XMP (ISO 16684-1) with its packet wrapper; properties by IPTC Photo Metadata Standard 2024.1."""
    text = {name: escape(value) for name, value in (("title", statement.title), ("description", statement.description))}
    packet = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType={quoteattr(statement.source_type)}
 Iptc4xmpExt:DigImageGUID={quoteattr(statement.asset_id)}
 photoshop:Credit={quoteattr(statement.credit)}
 xmp:CreatorTool={quoteattr(GENERATOR_NAME)}
 dc:identifier={quoteattr(statement.asset_id)}>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{text["title"]}</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text["description"]}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
    return packet.encode()


def c2pa_manifest(statement: Statement, content_type: str) -> dict[str, Any]:
    """Manifest definition (C2PA 2.1): who made it, by what kind of source, and our own facts."""
    created = {
        "action": "c2pa.created",
        "digitalSourceType": statement.source_type,
        "softwareAgent": {"name": GENERATOR_NAME},
    }
    facts = {"asset_id": statement.asset_id, **statement.facts}
    return {
        "claim_generator_info": [{"name": GENERATOR_NAME}],
        "title": statement.title,
        "format": content_type,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": "org.likeness.asset", "data": facts},
        ],
    }
