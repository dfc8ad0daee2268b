"""Binance USDⓈ-M futures: REST /fapi v1-v3 and the routed streams of fstream.binance.com.

Official pages: https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info and those beside it,
as of 2026-10-23. In scope: market data, account, positions and ordinary (LIMIT, MARKET) orders over REST, and the
public, market and private streams. Not yet: conditional orders (the algo service) and the trading WebSocket API.
"""
