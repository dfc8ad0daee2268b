"""perpwire: trading connector for Binance USD-M futures and Bybit v5 linear perpetuals."""

__version__ = "0.1.0"
