"""The console's pages and forms on a real ledger: every page shows what is there, and only the operator changes it."""

import asyncio
import hashlib
import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from console.auth import SESSION_COOKIE, OperatorSessions
from console.web.app import ConsoleServices, create_app
from infra.keys import RECEIPT_KEY, Ed25519Signer, load_pseudonyms, load_signer, make_development_keys
from infra.postgres.ledger import PostgresLedger
from infra.receipts import ReceiptFolder
from infra.store.local import LocalStore
from schemas.asset import Cell
from schemas.scene import Light, Scene
from schemas.twin import Twin
from tasks.decide import may_make
from tasks.judge import MEASURES, THRESHOLDS, Verdict, failure_of
from tasks.ports import DeadLetter, PublishRequest
from tasks.publish import publish
from tasks.receipts import verify_receipt
from tasks.suggest import suggest
from tasks.sweep import SweepServices, sweep_once
from tests.protocol.made import NOW, cell, granted, inbox_row, request, say

IMAGE = b"\xff\xd8image"
GATE = "http://gate.test"
SCENES = {"stockholm": "SE", "tokyo": "JP"}
PASSED = Verdict("image", True).as_checks()
BLURRED = Verdict("image", False, (failure_of(THRESHOLDS[MEASURES.index("sharpness")], 0.31),)).as_checks()
PAGES = ("/", "/talents", "/withdrawals", "/dead-letters", "/login")


@dataclass
class House:
    """A console over a ledger and a store, and who asks it."""

    ledger: PostgresLedger
    store: LocalStore
    sweeper: SweepServices
    signer: Ed25519Signer
    sessions: OperatorSessions
    client: httpx.AsyncClient

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        return html.unescape(answer.text)

    async def sign_in(self) -> str:
        """The session's CSRF token."""
        answer = await self.client.post("/login", data={"token": "the-token", "next": "/talents"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/talents")
        return self.sessions.csrf(self.client.cookies[SESSION_COOKIE])

    async def publish(self, of: Cell, preview_only: bool = False) -> str:
        asked = await self.asked(of, preview_only)
        outcome = await publish(asked, IMAGE, self.ledger, self.store)
        assert outcome.state == "PUBLISHED", outcome
        return asked.asset_id

    async def asked(self, of: Cell, preview_only: bool) -> PublishRequest:
        talent_id = of.use.talent_id
        decision = may_make(of.use, await self.ledger.view(talent_id), NOW)
        (decision_id,) = await self.ledger.record_decisions("run-1", [(of, decision, None)])
        measures = dict.fromkeys(MEASURES, 0.9) | {"phash": "00ff00ff00ff00ff"}
        return request(
            of, fence=await self.ledger.fence(talent_id), grant_id=f"gr-{talent_id}", decision_id=decision_id,
            measures=measures, checks=PASSED, preview_only=preview_only,
            sha256=hashlib.sha256(IMAGE).hexdigest(), size=len(IMAGE),
        )  # fmt: skip

    async def sweep(self, withdrawal_id: str) -> None:
        for _ in range(100):
            report = await sweep_once(self.sweeper)
            if any(issued.receipt.withdrawal_id == withdrawal_id for issued in report.issued):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{withdrawal_id} was never completed")


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    keys = make_development_keys(tmp_path)
    signer, store, receipts = load_signer(keys, RECEIPT_KEY), LocalStore(tmp_path / "store"), tmp_path / "receipts"
    receipts.mkdir()
    sessions = OperatorSessions("the-token")
    async with PostgresLedger.open(postgres_url, longest_put_seconds=0.2) as ledger:
        services = ConsoleServices(ledger, sessions, GATE, "http://prefect.test", signer.public_jwk)
        transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            sweeper = SweepServices(ledger, store, signer, load_pseudonyms(keys), ReceiptFolder(receipts))
            yield House(ledger, store, sweeper, signer, sessions, client)


def at(scene: str, talent: str = "ada", format: str = "4:5") -> Cell:
    return cell(scene=scene, talent_id=f"tal-{talent}", twin_id=f"tw-{talent}", territory=SCENES[scene], format=format)


async def furnish(house: House) -> None:
    """Three talents with twins, two scenes, one garment taken in."""
    for name in ("ada", "bo", "cleo"):
        twin = Twin(
            twin_id=f"tw-{name}", talent_id=f"tal-{name}", display_name=name.title(), adult=True, poses=(), sha256={}
        )
        await house.ledger.put_twin(twin, f"twins/{name}")
    for scene, market in SCENES.items():
        await house.ledger.put_scene(
            Scene(
                scene=scene, title=f"A street in {scene}", market=market, language="sv", backdrop="b.jpg",
                sha256="0" * 64, width=10, height=10, floor_y=0.9, horizon_y=0.5, light=Light(direction=(0, 1)),
                label_text="AI",
            ),
            f"scenes/{scene}",
        )  # fmt: skip
    rate = {"amount": "120.00", "currency": "SEK", "per": "asset"}
    await say(
        house.ledger,
        granted(talent_id="tal-ada", grant_id="gr-tal-ada", rate=rate),
        granted(talent_id="tal-bo", grant_id="gr-tal-bo", scope={"territories": ("JP",)}),
        granted(talent_id="tal-cleo", grant_id="gr-tal-cleo"),
    )
    await take_in(house, "SKU-1", 0)


async def take_in(house: House, sku: str, offset: int) -> None:
    row = inbox_row(f"e-{sku}", sku, offset=offset, markets=["SE", "JP"], formats=["4:5", "1:1"])
    await house.ledger.accept_garments("intake", [row], [], {("likeness.garments", 0): offset + 1})


async def block(house: House, of: Cell) -> None:
    views = await house.ledger.views(["tal-ada", "tal-bo", "tal-cleo"])
    decision = may_make(of.use, views[of.use.talent_id], NOW)
    await house.ledger.record_decisions("run-1", [(of, decision, suggest(of, views, NOW))])


def withdraw_form(csrf: str, **changes: str) -> dict[str, str]:
    return {"csrf": csrf, "effect": "take_down", "reason": "talent request", "grant": ""} | changes


# ---------------------------------------------------------------- looking
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_can_be_looked_at_before_anything_has_come_in(house: House, path: str) -> None:
    assert "<h1>" in await house.page(path)


@pytest.mark.parametrize(
    "path",
    [
        "/garments/SKU-9", "/looks/SKU-9/tw-x/stockholm/4:5", "/talents/tal-x", "/talents/tal-x/withdraw",
        "/withdrawals/wd-x", "/withdrawals/wd-x/receipt", "/withdrawals/wd-x/receipt.jws", "/nothing",
    ],
)  # fmt: skip
async def test_what_is_not_known_is_a_page_that_says_so(house: House, path: str) -> None:
    assert "<h1>Not" in await house.page(path, 404)


async def test_a_published_look_is_shown_by_the_gate_on_every_page_that_lists_it(house: House) -> None:
    await furnish(house)
    asset_id = await house.publish(at("stockholm"))
    image, link = f"{GATE}/assets/{asset_id}", "/looks/SKU-1/tw-ada/stockholm/4%3A5"
    for path in ("/", "/garments/SKU-1", "/talents/tal-ada", "/talents/tal-ada/withdraw"):
        page = await house.page(path)
        assert image in page, path
        assert link in page, path
    look = await house.page(link)
    for shown in (image, asset_id, "gr-tal-ada", "silhouette iou", "≥ 0.95", "generator", "A street in stockholm"):
        assert shown in look, shown
    assert "120.00 SEK per asset" in await house.page("/talents/tal-ada")


async def test_the_pages_policy_lets_images_come_from_the_gate_and_scripts_from_nowhere_else(house: House) -> None:
    answer = await house.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert f"img-src 'self' data: {GATE};" in policy
    assert "unsafe-inline" not in policy
    assert " style=" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_blocked_cell_says_why_and_what_is_permitted_instead(house: House) -> None:
    await furnish(house)
    await block(house, at("stockholm", "bo"))
    for path in ("/garments/SKU-1", "/looks/SKU-1/tw-bo/stockholm/4:5"):
        page = await house.page(path)
        assert "blocked" in page, path
        assert "the same for the market JP" in page, path
    assert "territory_not_permitted" in await house.page("/looks/SKU-1/tw-bo/stockholm/4:5")


async def test_a_rejected_cell_says_which_check_failed_in_words(house: House) -> None:
    await furnish(house)
    await block(house, at("tokyo", "cleo"))
    await house.ledger.record_rejections("run-1", [(at("tokyo", "cleo"), "r1", BLURRED)])
    why = "the image is blurred or over-sharpened"
    assert why in await house.page("/garments/SKU-1")
    look = await house.page("/looks/SKU-1/tw-cleo/tokyo/4:5")
    for shown in (why, "sharpness", "0.31", "0.75 to 1.6"):
        assert shown in look, shown


async def test_a_twin_that_could_not_be_dressed_says_why(house: House) -> None:
    await furnish(house)
    given_up = {"code": "unusable_twin", "reasons": ["the twin has no pose that fits"]}
    await block(house, at("tokyo", "cleo"))
    await house.ledger.record_rejections("run-1", [(at("tokyo", "cleo"), "r1", given_up)])
    for path in ("/garments/SKU-1", "/looks/SKU-1/tw-cleo/tokyo/4:5"):
        assert "the twin has no pose that fits" in await house.page(path), path


async def test_a_garment_that_failed_says_why_in_the_gallery_and_on_its_page(house: House) -> None:
    await furnish(house)
    claim = await house.ledger.claim("w1", 60)
    assert claim is not None
    await house.ledger.finish(claim, "failed", {"code": "unusable_photograph", "message": "no garment is seen in it"})
    for path in ("/", "/garments/SKU-1", "/dead-letters"):
        assert "no garment is seen in it" in await house.page(path), path


async def test_a_preview_is_listed_but_its_image_is_not_asked_of_the_gate(house: House) -> None:
    await furnish(house)
    asset_id = await house.publish(at("stockholm"), preview_only=True)
    for path in ("/", "/garments/SKU-1", "/talents/tal-ada", "/looks/SKU-1/tw-ada/stockholm/4:5"):
        assert f"{GATE}/assets/{asset_id}" not in await house.page(path), path
    assert "A preview" in await house.page("/garments/SKU-1")


async def test_a_dead_letter_is_listed_with_its_cause(house: House) -> None:
    dead = DeadLetter("likeness.garments", 0, 0, b"SKU-1", b"{", "invalid_event", "subject: is missing <b>")
    await house.ledger.accept_garments("intake", [], [dead], {("likeness.garments", 0): 1})
    answer = await house.client.get("/dead-letters")
    assert "invalid_event" in answer.text
    assert "is missing &lt;b&gt;" in answer.text


# ---------------------------------------------------------------- changing
async def test_a_withdrawal_by_form_takes_effect_and_ends_in_a_receipt_that_verifies(house: House) -> None:
    await furnish(house)
    asset_id = await house.publish(at("stockholm"))
    csrf = await house.sign_in()
    preview = await house.page("/talents/tal-ada/withdraw?effect=take_down")
    assert f'name="csrf" value="{csrf}"' in preview
    assert asset_id in preview
    answer = await house.client.post("/talents/tal-ada/withdraw", data=withdraw_form(csrf))
    assert answer.status_code == 303
    path = answer.headers["location"]
    withdrawal_id = path.removeprefix("/withdrawals/")
    assert (await house.ledger.talent("tal-ada") or {})["state"] == "withdrawn"
    assert "…" in await house.page(path)
    await house.page(f"{path}/receipt", 404)
    await house.sweep(withdrawal_id)
    page = await house.page(path)
    assert "talent request" in page
    assert f"{path}/receipt.jws" in page
    file = await house.client.get(f"{path}/receipt.jws")
    key = (await house.client.get("/receipt-key.json")).json()
    assert f'filename="{withdrawal_id}.jws"' in file.headers["content-disposition"]
    assert verify_receipt(file.text, key).valid
    receipt = await house.page(f"{path}/receipt")
    assert "signature verified" in receipt
    assert "1 asset" in receipt
    for secret in ("tal-ada", "gr-tal-ada", asset_id):
        assert secret not in receipt
    assert (await house.client.get(f"/api{path}")).json() == {"status": "complete", "total": 1, "done": 1, "open": 0}
    for shown in ("/talents/tal-ada", "/withdrawals"):
        assert path in await house.page(shown)
    for shown in ("/garments/SKU-1", "/looks/SKU-1/tw-ada/stockholm/4:5"):
        assert "the talent withdrew consent" in await house.page(shown)
    assert asset_id not in await house.page("/")


async def test_one_grant_can_be_withdrawn_and_the_others_stay(house: House) -> None:
    await furnish(house)
    await say(house.ledger, granted(talent_id="tal-ada", grant_id="gr-2"))
    await house.publish(at("stockholm"))
    csrf = await house.sign_in()
    preview = await house.page("/talents/tal-ada/withdraw?grant=gr-2&effect=stop_new")
    assert "made under another grant" in preview
    await house.client.post("/talents/tal-ada/withdraw", data=withdraw_form(csrf, grant="gr-2"))
    alive = {each.grant_id: each.current is not None for each in (await house.ledger.view("tal-ada")).grants}
    assert alive == {"gr-tal-ada": True, "gr-2": False}
    page = await house.page("/talents/tal-ada")
    assert re.findall(r'<option value="(gr-[^"]*)"', page) == ["gr-tal-ada"]


async def test_a_hold_is_shown_and_released_by_form(house: House) -> None:
    await furnish(house)
    await house.ledger.hold("tal-ada", "two contents for one version")
    assert "two contents for one version" in await house.page("/talents/tal-ada")
    csrf = await house.sign_in()
    assert "/talents/tal-ada/release" in await house.page("/talents/tal-ada")
    answer = await house.client.post("/talents/tal-ada/release", data={"csrf": csrf, "reason": "issuer asked"})
    assert answer.status_code == 303
    assert not (await house.ledger.talent("tal-ada") or {})["on_hold"]


async def refused(house: House, status: int, **asked: object) -> None:
    answer = await house.client.post("/talents/tal-ada/withdraw", **asked)  # type: ignore[arg-type]  # httpx's own
    assert answer.status_code == status, answer.text
    assert await house.ledger.withdrawals() == []


async def test_a_change_needs_a_session_and_that_sessions_own_csrf_token(house: House) -> None:
    await furnish(house)
    foreign = house.sessions.csrf(house.sessions.begin())
    await refused(house, 403, data=withdraw_form(foreign))
    csrf = await house.sign_in()
    await refused(house, 422, data={"effect": "take_down", "reason": "x"})
    await refused(house, 422, data=withdraw_form(""))
    await refused(house, 403, data=withdraw_form(foreign))
    await refused(house, 422, data=withdraw_form(csrf, reason=""))
    await refused(house, 422, data=withdraw_form(csrf, effect="explode"))
    await refused(house, 403, data=withdraw_form(csrf), cookies={SESSION_COOKIE: "made.up"})


async def test_another_machines_name_for_this_one_gets_nothing(house: House) -> None:
    await furnish(house)
    csrf = await house.sign_in()
    await refused(house, 421, data=withdraw_form(csrf), headers={"host": "evil.example"})
    assert (await house.client.get("/talents", headers={"host": "evil.example:80"})).status_code == 421


async def test_a_withdrawal_of_somebody_unknown_is_not_recorded(house: House) -> None:
    csrf = await house.sign_in()
    answer = await house.client.post("/talents/tal-nobody/withdraw", data=withdraw_form(csrf))
    assert answer.status_code == 404
    assert await house.ledger.withdrawals() == []


async def test_a_wrong_token_opens_nothing_and_no_sign_in_leads_elsewhere(house: House) -> None:
    answer = await house.client.post("/login", data={"token": "guess"})
    assert answer.status_code == 403
    assert SESSION_COOKIE not in answer.cookies
    answer = await house.client.post("/login", data={"token": "the-token", "next": "//evil.example/"})
    assert answer.headers["location"] == "/"
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]


async def test_signing_out_ends_the_session_in_this_browser(house: House) -> None:
    csrf = await house.sign_in()
    assert "sign out" in await house.page("/")
    assert (await house.client.post("/logout", data={"csrf": csrf})).status_code == 303
    assert "Sign in to make changes" in await house.page("/")
