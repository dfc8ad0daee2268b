"""What the venue says of itself: announcements and fee groups. Nothing is announced here.

Source: docs/v5/announcement and docs/v5/market/fee-group-info, as of 2026-07-24.
"""

from __future__ import annotations

from typing import Any

from perpwire.venues.bybit.sim.asked import Asked, integer, limit_of
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param

LOCALES = (
    *("de-DE", "en-US", "es-AR", "es-ES", "es-MX", "fr-FR", "kk-KZ", "id-ID", "uk-UA", "ja-JP", "ru-RU"),
    *("th-TH", "pt-BR", "tr-TR", "vi-VN", "zh-TW", "ar-SA", "hi-IN", "fil-PH"),
)
FEE_GROUPS = (
    ("1", "G1 (Major Coins)", ("BTCUSDT", "ETHUSDT", "SOLUSDT"), "1.5"),
    ("2", "G2 (High Growth)", (), "2"),
    ("3", "G3 (Mid-Tier Liquidity)", (), "1"),
    ("6", "G6 (Others)", (), "0.5"),
)
"""Id, name, symbols and the factor by which a maker's volume counts."""

# Level -> taker and maker fee of Pro accounts; makers of a higher share in the volume are paid.
_PRO_RATES = (("Pro 1", "0.00028", "0.0001"), ("Pro 2", "0.00025", "0.00005"), ("Pro 3", "0.00022", "0"))
_MAKER_RATES = (("MM 1", "", "-0.000025"), ("MM 2", "", "-0.00005"), ("MM 3", "", "-0.000075"))


def announcements(asked: Asked) -> Any:
    """/v5/announcements/index."""
    if asked.get("locale") not in LOCALES:
        raise bad_param("locale invalid")
    if integer(asked, "page", 1) < 1:
        raise bad_param("page invalid")
    limit_of(asked, 20, 1000)
    return {"total": 0, "list": []}


def fee_groups(asked: Asked) -> Any:
    """/v5/market/fee-group-info: for Pro accounts and market makers."""
    if asked.get("productType") != "contract":
        raise bad_param("productType invalid")
    wanted = str(asked.get("groupId") or "")
    if wanted and wanted not in [group for group, *_ in FEE_GROUPS]:
        raise CallRefused(10001, "groupId invalid")
    rows = [
        {
            "groupName": name,
            "weightingFactor": int(weight) if weight.isdecimal() else float(weight),
            "symbolsNumbers": len(symbols),
            "symbols": list(symbols),
            "feeRates": {"pro": _rates(_PRO_RATES), "marketMaker": _rates(_MAKER_RATES)},
            "updateTime": "1761000000000",
            "groupId": int(group),
        }
        for group, name, symbols, weight in FEE_GROUPS
        if wanted in ("", group)
    ]
    return {"list": rows}


def _rates(rates: tuple[tuple[str, str, str], ...]) -> list[dict[str, str]]:
    return [
        {
            "level": level,
            "takerFeeRate": taker,
            "makerFeeRate": "" if level.startswith("MM") else maker,
            "makerRebate": maker if level.startswith("MM") else "",
        }
        for level, taker, maker in rates
    ]
