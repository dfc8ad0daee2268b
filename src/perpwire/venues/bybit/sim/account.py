"""The account: its wallet, its key, its fees, and what it has chosen.

Source: docs/v5/account and docs/v5/user, as of 2026-07-24.
"""

from __future__ import annotations

from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire, wire_sent
from perpwire.venues.bybit.sim.answer import Answer
from perpwire.venues.bybit.sim.asked import Asked, check_linear, flag, integer, is_linear, specs_of
from perpwire.venues.bybit.sim.key_rules import KeyRules
from perpwire.venues.bybit.sim.numbers import ZERO, cut
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param
from perpwire.venues.bybit.sim.rows import Rows, user_id
from perpwire.venues.bybit.sim.settings import Settings

MOST_COINS = 20
LEAST_WINDOW_S, MOST_WINDOW_S = 3, 300
PRODUCTS = ("OPTIONS", "DERIVATIVES", "SPOT")


class AccountCalls:
    """One account's calls about itself."""

    def __init__(self, exchange: Exchange, rows: Rows, settings: Settings, keys: KeyRules) -> None:
        self._keys = keys
        self._exchange = exchange
        self._rows = rows
        self._settings = settings

    # --- money --------------------------------------------------------------------------------------------------------

    def wallet(self, account: AccountSpec, asked: Asked) -> wire.Wallets:
        if asked.get("accountType") != "UNIFIED":
            raise CallRefused(10001, "accountType only support UNIFIED.")
        coins = frozenset(asked["coin"].split(",")) if asked.get("coin") else None
        return wire.Wallets([self._rows.wallet(account.name, coins)])

    def withdrawal(self, account: AccountSpec, asked: Asked) -> Any:
        """What could be moved out: of the first coin by itself, and of each in a table."""
        coins = [coin for coin in str(asked.get("coinName") or "").split(",") if coin]
        if not coins or len(coins) > MOST_COINS:
            raise bad_param("coinName invalid")
        free = self._exchange.view(account.name).available
        wallet = self._exchange.wallet(account.name)
        held = {coin: wallet.get(coin, ZERO) for coin in coins}
        amounts = {
            coin: cut(max(ZERO, min(free, cash) if coin == account.asset else cash)) for coin, cash in held.items()
        }
        return {"availableWithdrawal": amounts[coins[0]], "availableWithdrawalMap": amounts}

    def collateral(self, account: AccountSpec, asked: Asked) -> Any:
        """Borrow rates and limits; only the settle coin is here, and it is its own collateral."""
        coin = asked.get("currency")
        rows = [
            wire_sent.CollateralRow(currency=asset, usdBorrow="0", freeBorrowAmount="", availableToBorrow="5000000")
            for asset in (account.asset,)
            if coin in (None, "", asset)
        ]
        return {"list": rows}

    def coins(self, account: AccountSpec, asked: Asked) -> Any:
        """/v5/asset/coin/query-info: the coins that there are, and the chains that they move on."""
        wanted = asked.get("coin")
        instruments = [spec.instrument for spec in self._exchange.specs()]
        names = dict.fromkeys([*(one.settle for one in instruments), *(one.base for one in instruments)])
        rows = [wire_sent.AssetRow(name=coin, coin=coin) for coin in names if wanted in (None, "", coin)]
        return {"rows": rows}

    # --- who it is ----------------------------------------------------------------------------------------------------

    def fee_rate(self, account: AccountSpec, asked: Asked) -> Any:
        asked = {**asked, "category": asked.get("category") or "linear"}
        if not is_linear(asked):
            return {"list": []}
        return {
            "list": [
                wire.FeeRateRow(spec.instrument.symbol, cut(spec.taker_fee), cut(spec.maker_fee))
                for spec in specs_of(self._exchange, asked)
            ]
        }

    def api_key(self, account: AccountSpec, asked: Asked) -> Any:
        number = user_id(account.name)
        return {
            "id": str(number),
            "note": account.name,
            "apiKey": account.api_key,
            "secret": "",
            **self._keys.shown(account),
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": [],
                "Wallet": ["Withdraw"] if account.key.withdrawals else [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"],
                "CopyTrading": [],
                "BlockTrade": [],
                "Exchange": [],
                "NFT": [],
                "Affiliate": [],
                "Earn": [],
                "FiatP2P": [],
                "FiatBybitPay": [],
                "FiatConvertBroker": [],
                "FiatGlobalPay": [],
                "FiatBitPay": [],
                "BitCard": [],
                "ByXPost": [],
            },
            "type": 1,
            "createdAt": "2026-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": number,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": account.public_key,
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_1",
            "kycRegion": "",
            "userIDInt64": str(number),
            "inviterIDInt64": "0",
            "affiliateIDInt64": "0",
        }

    def smp_group(self, account: AccountSpec, asked: Asked) -> Any:
        """0: of no group."""
        return {"smpGroup": 0}

    # --- what it has chosen -------------------------------------------------------------------------------------------

    def settings(self, account: AccountSpec, asked: Asked) -> Any:
        """lpaPerp True: an order beyond the price limit is refused, not moved to it."""
        return {
            "lpaSpot": False,
            "lpaPerp": self._settings.rejects_beyond_limit(account.name),
            "deltaEnable": self._settings.is_delta_neutral(account.name),
            "smsef": False,
            "fmsef": False,
        }

    def set_limit_action(self, account: AccountSpec, asked: Asked) -> Any:
        if asked.get("category") not in ("linear", "inverse", "spot"):
            raise bad_param("category invalid")
        modify = asked.get("modifyEnable")
        if not isinstance(modify, bool):
            raise bad_param("modifyEnable invalid")
        if asked["category"] == "linear":
            self._settings.set(account.name, "lpa_perp", "" if modify else "1")
        return {}

    def set_delta_mode(self, account: AccountSpec, asked: Asked) -> Any:
        wanted = asked.get("deltaEnable")
        if wanted not in ("0", "1"):
            raise bad_param("deltaEnable invalid")
        self._settings.set(account.name, "delta", "1" if wanted == "1" else "")
        return {}

    def agree(self, account: AccountSpec, asked: Asked) -> Any:
        """The terms of stock and commodity contracts, of which there are none here."""
        if not flag(asked, "agree"):
            raise bad_param("agree must be true")
        if integer(asked, "categoryV2", integer(asked, "category", 0)) not in (1, 2):
            raise bad_param("categoryV2 invalid")
        return {}

    # --- cancel on disconnect -----------------------------------------------------------------------------------------

    def set_disconnect(self, account: AccountSpec, asked: Asked) -> Any:
        """/v5/order/disconnected-cancel-all."""
        product = asked.get("product") or "OPTIONS"
        if product not in PRODUCTS:
            raise bad_param("product invalid")
        window_s = integer(asked, "timeWindow")
        if not LEAST_WINDOW_S <= window_s <= MOST_WINDOW_S:
            raise bad_param("timeWindow invalid")
        if product == "DERIVATIVES":
            self._settings.set(account.name, "dcp", str(window_s))
        return Answer({}, {}, "success")

    def disconnect(self, account: AccountSpec, asked: Asked) -> Any:
        """/v5/account/query-dcp-info."""
        window_s = self._settings.disconnect_window_s(account.name)
        rows = [{"product": "DERIVATIVES", "dcpStatus": "ON", "timeWindow": str(window_s)}] if window_s else []
        return {"dcpInfos": rows}

    # --- what is only for others --------------------------------------------------------------------------------------

    def settlements(self, account: AccountSpec, asked: Asked) -> Any:
        """/v5/asset/settlement-record: sessions of USDC contracts, of which there are none here."""
        check_linear(asked)
        return wire.Page([], "", "linear")
