"""The page as its readers have it: in Chromium, before an embedded exchange that is in trouble."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser, Page, expect
from tests.gateway.serving import TOKEN, serving

from perpwire.clock import SystemClock
from perpwire.gateway.gateway import Gateway
from perpwire.gateway.pages import Pages
from perpwire.gateway.showing import Shown
from perpwire.model.incident import Incident, OrderFailed, UnknownSeen
from perpwire.monitoring.observer import Observer
from perpwire.simulator.faults import Cut, Refuse
from perpwire.testing import World

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WAIT_MS = 20_000
expect.set_options(timeout=WAIT_MS)


@asynccontextmanager
async def opened(browser: Browser, address: str, **options: Any) -> AsyncIterator[Page]:
    """The page, in a window of its own. It must ask for nothing elsewhere, and have nothing to complain of."""
    async with await browser.new_context(**({"locale": "en-GB"} | options)) as context:
        page = await context.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        await page.goto(address)
        yield page
    at = re.match(r"https?://[^/]+", address)
    assert at is not None
    assert [url for url in asked if not url.startswith(at[0] + "/")] == []
    # A server that is away is the browser's own complaint, and the point of some tests.
    assert [one for one in complaints if "net::ERR" not in one and "401" not in one] == []


async def all_well(page: Page) -> None:
    await expect(page.locator("#verdict")).to_have_attribute("data-state", "good")
    await expect(page.locator(".venue")).to_have_count(2)


async def kinds(page: Page, *, venue: str) -> list[str]:
    """Of incidents on the page, oldest first."""
    rows = page.locator("#incident-list > li").filter(has=page.locator(".incident-venue", has_text=venue))
    return list(reversed(await rows.evaluate_all("rows => rows.map((row) => row.dataset.kind)")))


def tell(gateway: Gateway, venue: str, incident: Incident) -> None:
    """As the connector does."""
    gateway.connectors[venue]._tell(incident)


async def trade(world: World) -> None:
    for connector in world.connectors.values():
        await connector.place_order("BTCUSDT", "BUY", "0.25", "MARKET")
        await connector.place_order("BTCUSDT", "BUY", "0.05", "LIMIT", price="50000")


def incidents_of(venue: str, exposition: str) -> dict[str, int]:
    """By kind, as Prometheus reads them."""
    found = {}
    for labels, value in re.findall(r"^perpwire_incidents_total\{(.*)\} (\S+)$", exposition, re.MULTILINE):
        said = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if said["venue"] == venue:
            found[said["incident"]] = int(float(value))
    return found


# --- a fault ----------------------------------------------------------------------------------------------------------


async def test_before_during_and_after_a_fault_the_page_agrees_with_the_exchange(chromium: Browser) -> None:
    async with serving() as (world, gateway), opened(chromium, gateway.address) as page:
        # Before.
        await all_well(page)
        binance = page.locator('[data-venue="binance"]')
        line = binance.locator('[data-connection="binance/public"]')
        await expect(line).to_have_attribute("data-now", "live")
        await expect(page.locator("#missing")).to_be_hidden()
        await expect(page.locator("#incident-list > li")).to_have_count(0)
        await expect(page).to_have_title("perpwire status")
        journal = world.simulation.journal["binance"]
        before = journal.last
        # During: every socket of the venue is cut, and none can be made for some seconds.
        world.simulation.faults["binance"].add(Refuse(seconds=4))
        world.simulation.faults["binance"].add(Cut())
        await expect(line).not_to_have_attribute("data-now", "live")
        await expect(page.locator("#verdict")).to_have_attribute("data-state", "bad")
        await expect(page.locator("#missing-list li").filter(has_text="binance · public")).to_have_count(1)
        await expect(page.locator("#missing-list li").filter(has_text="order book of BTCUSDT")).to_have_count(1)
        await expect(page).to_have_title(re.compile(r"^\(\d+\) perpwire status"))
        await expect(binance.locator('[data-fact="books"] dd')).to_have_text("0 of 1 in sync")
        bybit = page.locator('[data-venue="bybit"]')
        assert await bybit.locator('[data-connection]:not([data-now="live"])').count() == 0
        # After: all of it by itself.
        await all_well(page)
        await expect(page.locator("#missing")).to_be_hidden()
        cut = [one for one in journal.entries(after=before) if one.kind == "closed"]
        opened_anew = [one for one in journal.entries(after=before) if one.kind == "opened"]
        assert len(cut) == 3  # market, public, private
        assert len(opened_anew) == 3
        await expect(page.locator('[data-kind="connection_recovered"]')).to_have_count(3)
        told = await kinds(page, venue="binance")
        assert told.count("connection_lost") == len(cut)
        assert told.count("connection_recovered") == len(opened_anew)
        assert told.count("book_gap") == told.count("book_recovered") == 1
        assert await kinds(page, venue="bybit") == []
        assert await binance.locator(".strip rect.bad").count() >= 3
        label = await line.locator(".strip").get_attribute("aria-label")
        assert label is not None
        assert "1 interruptions" in label
        await expect(line.locator(".line-name")).to_contain_text("reconnected 1×")
        # And the same to programs.
        async with ClientSession(gateway.address) as client:
            snapshot = (await (await client.get("/api/snapshot")).json())["snapshot"]
            counted = next(one for one in snapshot["venues"] if one["name"] == "binance")["incidents"]
            assert counted["connection_lost"] == len(cut)
            async with asyncio.timeout(10):  # what came while the page was looked at
                while {name: told.count(name) for name in counted} != counted:
                    await asyncio.sleep(0.1)
                    told = await kinds(page, venue="binance")
            exposed = await (await client.get("/metrics")).text()
            assert incidents_of("binance", exposed) == counted
            assert incidents_of("bybit", exposed) == {}


async def test_what_the_account_has_is_shown_to_the_last_digit(chromium: Browser) -> None:
    async with serving() as (world, gateway), opened(chromium, gateway.address) as page:
        await all_well(page)
        await trade(world)
        for venue in ("binance", "bybit"):
            part = page.locator(f'[data-venue="{venue}"]')
            order = part.locator("section", has=page.get_by_role("heading", name="Open orders")).locator("tbody tr")
            await expect(order).to_have_count(1)
            await expect(order.locator("td")).to_have_text(["BTCUSDT", "buy", "limit", "50,000", "0.05", "0", "new"])
            position = part.locator("section", has=page.get_by_role("heading", name="Positions")).locator("tbody tr")
            await expect(position).to_have_count(1)
            await expect(position.locator("td").nth(2)).to_have_text("0.25")
            await expect(position.locator("td").nth(5)).to_have_text(re.compile(r"^[+−]?\d+\.\d\d$"))
            balance = part.locator("section", has=page.get_by_role("heading", name="Balances")).locator("tbody tr")
            held = world.connectors[venue]
            wallet = (await held.get_account_info()).balance("USDT")
            assert wallet is not None
            # Cut, not rounded: the page never shows a cent that is not there.
            whole, _, rest = str(wallet.wallet).partition(".")
            await expect(balance.locator("td").nth(1)).to_have_text(f"{int(whole):,}.{rest[:2]}")


# --- the page and its server ------------------------------------------------------------------------------------------


async def test_each_kind_of_stream_has_its_times(chromium: Browser) -> None:
    async with serving() as (_, gateway), opened(chromium, gateway.address) as page:
        await all_well(page)
        streams = page.locator('[data-venue="bybit"] details').filter(has_text="Times by kind of stream")
        await streams.locator("summary").click()
        for kind in ("Trade", "BookTicker", "MarkPrice"):
            row = streams.locator("tbody tr").filter(has=page.locator("td.name", has_text=re.compile(f"^{kind}$")))
            await expect(row.locator("td").nth(4)).to_have_text(re.compile(r"^[\d.,]+\s(µs|ms)$"))
            names = await row.locator("td").evaluate_all("cells => cells.map((cell) => cell.dataset.name)")
            assert names == [
                "Stream",
                "Venue to here p50",
                "Venue to here p99",
                "Here to handler p50",
                "Here to handler p99",
            ]


async def test_a_page_that_has_lost_its_server_says_so_and_comes_back_by_itself(chromium: Browser) -> None:
    async with serving() as (_, gateway), opened(chromium, gateway.address) as page:
        await all_well(page)
        tell(gateway, "bybit", UnknownSeen(venue="bybit", time_ns=1, why="the first life", where="x", word="y"))
        await expect(page.locator("#incident-list > li")).to_have_count(1)
        port = int(gateway.address.rpartition(":")[2])
        await gateway.pages.close()
        banner = page.get_by_role("alert").filter(has_text="lost its server")
        await expect(banner).to_be_visible()
        await expect(page.locator("#stale-age")).to_have_text(re.compile(r"is \d+\ss old"))
        assert float(await page.locator("main").evaluate("main => getComputedStyle(main).opacity")) < 1
        await expect(page).to_have_title(re.compile("stale"))
        await expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
        await expect(page.locator("#verdict-words")).to_have_text(re.compile(r"^Not known since \d\d:\d\d:\d\d$"))
        # Another process, at the same address: nothing of the first is left.
        clock = SystemClock()
        again = Pages(Shown(Observer(clock), clock), lambda: (b"", ""), clock, port=port)
        await again.start()
        await expect(banner).to_be_hidden()
        await expect(page.locator("body")).not_to_have_class(re.compile("is-stale"))
        await expect(page.locator("#incident-list > li")).to_have_count(0)
        await expect(page.locator(".venue")).to_have_count(0)
        await again.close()


async def test_a_server_that_says_nothing_any_more_is_as_good_as_lost(chromium: Browser) -> None:
    async with serving() as (_, gateway), opened(chromium, gateway.address) as page:
        await all_well(page)
        feed = gateway.pages.feed
        looking = feed._task
        assert looking is not None
        looking.cancel()
        # The connection stands; only nothing comes.
        await expect(page.locator("#stale")).to_be_visible()
        assert feed.visitors == 1
        await expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
        feed.start()
        await expect(page.locator("#stale")).to_be_hidden()
        await all_well(page)


async def test_what_happened_while_a_page_was_cut_off_is_told_once_when_it_is_back(chromium: Browser) -> None:
    async with serving() as (_, gateway), opened(chromium, gateway.address) as page:
        await all_well(page)

        def happen(n: int) -> None:
            tell(gateway, "binance", UnknownSeen(venue="binance", time_ns=n, why=f"word {n}", where="x", word=str(n)))

        happen(1)
        await expect(page.locator("#incident-list > li")).to_have_count(1)
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.headers.get("last-event-id", "") + one.url))
        for task in tuple(gateway.pages.feed._visitors):
            task.cancel()
        happen(2)
        happen(3)
        await expect(page.locator("#incident-list .incident-detail")).to_contain_text(["'3'", "'2'", "'1'"])
        assert "events" in "".join(asked)


async def test_many_pages_leave_the_later_ones_waiting_until_there_is_room(chromium: Browser) -> None:
    async with serving() as (_, gateway):
        gateway.pages.feed._most = 1
        async with await chromium.new_context() as context:
            async with opened(chromium, gateway.address) as one:
                await all_well(one)
                other = await context.new_page()
                await other.goto(gateway.address)
                await expect(other.locator("#stale")).to_be_visible()
            await all_well(other)
            await expect(other.locator("#stale")).to_be_hidden()


async def test_the_token_is_asked_for_and_leaves_the_address_line(chromium: Browser) -> None:
    async with serving(token=TOKEN) as (_, gateway), opened(chromium, gateway.address) as page:
        await page.get_by_label("Token").fill("wrong, and long enough")
        await page.get_by_role("button").click()
        await expect(page.get_by_label("Token")).to_be_visible()
        await page.get_by_label("Token").fill(TOKEN)
        await page.get_by_role("button").click()
        await all_well(page)
        assert "token" not in page.url
        assert await page.evaluate("document.cookie") == ""  # no script can read the pass
        await page.reload()
        await all_well(page)


# --- hostile texts ----------------------------------------------------------------------------------------------------

HOSTILE = '<img src="/x" onerror="window.hit=1"><script>window.hit=1</script>"\'&lt;b&gt;${window.hit=1}{{7*7}}\u202e'


async def test_no_text_of_a_venue_becomes_markup(chromium: Browser) -> None:
    async with serving() as (_, gateway), opened(chromium, gateway.address) as page:
        await all_well(page)
        tell(
            gateway,
            "binance",
            OrderFailed(
                venue="binance",
                time_ns=1,
                why=f"refused: {HOSTILE}",
                symbol=HOSTILE,
                client_order_id="a",
                code=HOSTILE,
            ),
        )
        detail = page.locator("#incident-list .incident-detail")
        await expect(detail).to_contain_text(f"refused: {HOSTILE}")
        assert await detail.evaluate("one => one.children.length") == 0
        assert await page.locator("img, script:not([src])").count() == 0
        assert await page.evaluate("window.hit") is None


async def test_where_a_mistake_of_ours_would_make_markup_of_a_text_the_browser_refuses(chromium: Browser) -> None:
    async with serving() as (_, gateway), await chromium.new_context() as context:
        page = await context.new_page()
        await page.goto(gateway.address)
        await all_well(page)
        # Where a mistake of ours would make markup of it, the browser itself refuses.
        refused = await page.evaluate(
            "try { document.body.innerHTML = '<b>x</b>'; 'taken' } catch (error) { error.name }"
        )
        assert refused == "TypeError"


async def test_no_symbol_or_reason_becomes_markup(chromium: Browser) -> None:
    async with serving(books=("BTCUSDT", "<B>X</B>")) as (_, gateway), opened(chromium, gateway.address) as page:
        row = page.locator("#missing-list li").filter(has_text="book of <B>X</B>")
        await expect(row).to_have_count(2)  # at both venues
        await expect(row.first.locator("span")).to_contain_text("<B>X</B>")
        assert await row.first.evaluate("one => [...one.children].every((child) => child.children.length === 0)")


# --- readers ----------------------------------------------------------------------------------------------------------


async def test_it_speaks_the_readers_language(chromium: Browser) -> None:
    async with serving() as (_, gateway):
        tell(gateway, "bybit", UnknownSeen(venue="bybit", time_ns=1, why="d", where="x", word="y"))
        for locale, asked, speaks in (
            ("ko-KR", "", "ko"),
            ("ko-KR", "?lang=en", "en"),
            ("de-DE", "", "en"),
            ("en-GB", "?lang=ko", "ko"),
            ("en-GB", "?lang=xx", "en"),
        ):
            async with opened(chromium, f"{gateway.address}/{asked}", locale=locale) as page:
                await all_well(page)
                assert await page.locator("html").get_attribute("lang") == speaks
                kind = page.locator("#incident-list .incident-kind")
                await expect(kind).to_have_text(
                    "알 수 없는 바이비트 응답: ‘y’" if speaks == "ko" else "bybit says 'y', which is not known"
                )
                detail = page.locator("#incident-list .incident-detail")
                await expect(detail).to_contain_text(
                    "변경 공지를 확인하세요" if speaks == "ko" else "nothing was lost by it"
                )
                texts = await page.locator("h2, h3, th, dt, button").all_inner_texts()
                has_korean = [
                    bool(re.search("[가-힣]", text)) for text in texts if text and text not in ("Binance", "Bybit")
                ]
                latin = {"p50", "p95", "p99"}
                if speaks == "en":
                    assert not any(has_korean)
                else:
                    assert [text for text in texts if text.strip() and not re.search("[가-힣]", text)] in (
                        ["Binance", "Bybit"], ["Binance", *latin, "Bybit", *latin],
                    )  # fmt: skip
                await page.locator("#language").click()
                await expect(page.locator("html")).to_have_attribute("lang", "en" if speaks == "ko" else "ko")


async def test_nothing_is_wider_than_the_screen(chromium: Browser) -> None:
    async with serving() as (world, gateway):
        await trade(world)
        tell(gateway, "bybit", UnknownSeen(venue="bybit", time_ns=1, why="w" * 400, where="x", word="y"))
        for language in ("en", "ko"):
            async with opened(chromium, f"{gateway.address}/?lang={language}") as page:
                await all_well(page)
                await expect(page.locator("#incident-list > li").first).to_be_visible()
                for width in (1920, 1280, 1024, 768, 360, 320):
                    await page.set_viewport_size({"width": width, "height": 800})
                    assert await page.evaluate("document.documentElement.scrollWidth") <= width, (language, width)


CONTRAST = """
() => {
  const channel = (value) => ((value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour[3] > 200) return colour;
    }
    return parse(getComputedStyle(document.documentElement).backgroundColor);
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let looked = 0;
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const text = walk.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest("svg, noscript")) continue;
    looked += 1;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5) poor.push(`${contrast.toFixed(2)} ${element.className} ${text.slice(0, 40)}`);
  }
  return { looked, poor };
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_can_be_read_against_its_ground(chromium: Browser, scheme: Any) -> None:
    async with serving() as (world, gateway), opened(chromium, gateway.address, color_scheme=scheme) as page:
        await all_well(page)
        await trade(world)
        world.simulation.faults["binance"].add(Refuse(seconds=3))
        world.simulation.faults["binance"].add(Cut())
        await expect(page.locator("#missing")).to_be_visible()
        found = await page.evaluate(CONTRAST)
        assert found["poor"] == []
        await all_well(page)
        found = await page.evaluate(CONTRAST)
        assert found["poor"] == []
        assert found["looked"] > 150
        is_dark = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", is_dark)[:3])) < 200) == (scheme == "dark")


async def test_it_can_be_heard_and_used_without_a_mouse(chromium: Browser) -> None:
    async with serving() as (_, gateway), opened(chromium, gateway.address) as page:
        await all_well(page)
        for role, count in (("banner", 1), ("main", 1), ("contentinfo", 1), ("navigation", 1)):
            await expect(page.get_by_role(role)).to_have_count(count)  # type: ignore[arg-type]
        for name in ("Quality", "Incidents", "Binance", "Bybit"):
            await expect(page.get_by_role("region", name=re.compile(name, re.IGNORECASE))).to_have_count(1)
        nameless = await page.evaluate(
            "() => [...document.querySelectorAll('[role=img], button, a, meter, [role=group]')]"
            ".filter((one) => !one.closest('[hidden]') && !(one.getAttribute('aria-label') || one.textContent.trim()))"
            ".map((one) => one.outerHTML.slice(0, 80))"
        )
        assert nameless == []
        # What is past when the page is opened is not read aloud; what comes is, but for notes.
        said = page.get_by_role("status")
        await expect(said).to_have_text("")
        tell(gateway, "bybit", UnknownSeen(venue="bybit", time_ns=1, why="a strange word", where="x", word="y"))
        await expect(said).to_have_text(
            re.compile(r"^warning: bybit: bybit says 'y', which is not known\. .*: a strange word$")
        )
        # The first stop leads past the top; the plots answer to arrow keys.
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        plot = page.locator(".plot-frame").first
        await expect(plot).to_have_attribute("aria-label", re.compile(r"now 100"))
        await plot.focus()
        await page.keyboard.press("Home")
        await expect(page.locator(".plot").first.locator(".plot-time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
        await page.keyboard.press("Escape")
        await expect(page.locator(".plot").first.locator(".plot-time")).to_have_count(0)
        # Choosing a severity by keyboard.
        button = page.get_by_role("button", name=re.compile("critical"))
        await button.focus()
        await page.keyboard.press("Enter")
        await expect(button).to_have_attribute("aria-pressed", "true")
        await expect(page.locator("#incident-list > li")).to_have_count(0)
        await expect(page.locator("#incident-none")).to_have_text("None of this severity.")
