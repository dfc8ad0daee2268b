"""Bybit API v5, category linear, on a unified trading account: USDT perpetuals, one-way or hedge mode.

Official pages: https://bybit-exchange.github.io/docs/v5/intro, read as of 2026-07-24. `venue.py` ties the tables
together; `sim.py` is the same protocol from the other side.
"""
