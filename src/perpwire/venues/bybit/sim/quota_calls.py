"""/v5/apilimit: how much of order entry an account may use. Source: docs/v5/rate-limit, as of 2026-07-24."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit.sim.asked import Asked, in_order, limit_of, paged
from perpwire.venues.bybit.sim.quotas import MOST_A_SECOND
from perpwire.venues.bybit.sim.refusal import bad_param
from perpwire.venues.bybit.sim.rows import user_id
from perpwire.venues.bybit.sim.settings import Settings

BUSINESSES = ("SPOT", "DERIVATIVES", "OPTIONS")
DEFAULT_RATE = 10
INSTITUTION_CAP = 60_000


class QuotaCalls:
    """An account sees and sets its own quota, and nobody else's."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        self._exchange = exchange
        self._settings = settings

    def set(self, account: AccountSpec, asked: Asked) -> Any:
        items = asked.get("list")
        if not isinstance(items, list) or not items:
            raise bad_param("list is required")
        return {"list": [row for item in items for row in self._set_one(account, item)]}

    def _set_one(self, account: AccountSpec, item: Any) -> Iterator[dict[str, Any]]:
        fields: Asked = item if isinstance(item, dict) else {}
        business, rate = fields.get("bizType"), fields.get("rate")
        for uid in str(fields.get("uids") or "").split(","):
            failure = ""
            if uid != str(user_id(account.name)):
                failure = "The uid is not under this master account"
            elif business not in BUSINESSES:
                failure = "bizType invalid"
            elif not isinstance(rate, int) or isinstance(rate, bool) or not 0 < rate <= MOST_A_SECOND:
                failure = "requested limit over the cap per UID"
            elif business == "DERIVATIVES":
                self._settings.set(account.name, "rate", str(rate))
            yield {
                "uids": uid,
                "bizType": business,
                "rate": rate,
                "success": not failure,
                "msg": failure or "API limit updated successfully",
            }

    def query(self, account: AccountSpec, asked: Asked) -> Any:
        uids = [uid for uid in str(asked.get("uids") or "").split(",") if uid]
        if not uids:
            raise bad_param("uids is required")
        own = str(user_id(account.name))
        return {"list": [row for uid in uids if uid == own for row in self._rates(account)]}

    def query_all(self, account: AccountSpec, asked: Asked) -> Any:
        limit_of(asked, 1000, 1000)
        rows, cursor = paged(in_order(self._rates(account)), asked, default=1000, most=1000)
        return {"list": rows, "nextPageCursor": cursor}

    def query_cap(self, account: AccountSpec, asked: Asked) -> Any:
        used = {row["bizType"]: row["rate"] for row in self._rates(account)}
        return {
            "list": [
                {
                    "bizType": business,
                    "totalRate": str(used[business]),
                    "ebCap": str(INSTITUTION_CAP),
                    "uidCap": str(MOST_A_SECOND),
                }
                for business in BUSINESSES
            ]
        }

    def _rates(self, account: AccountSpec) -> list[dict[str, Any]]:
        given = self._settings.rate(account.name)
        return [
            {
                "uids": str(user_id(account.name)),
                "bizType": business,
                "rate": given if given and business == "DERIVATIVES" else DEFAULT_RATE,
            }
            for business in BUSINESSES
        ]
