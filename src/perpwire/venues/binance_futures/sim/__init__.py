"""Server shell: we are the venue. Bytes in, calls of the exchange, bytes out."""

from perpwire.venues.binance_futures.sim.dialect import make_dialect as make_dialect
from perpwire.venues.binance_futures.sim.margin import MARGIN as MARGIN
from perpwire.venues.binance_futures.sim.specs import default_specs as default_specs
