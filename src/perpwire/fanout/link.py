"""One connection to a Redis server; the only place that knows the client. Its errors are ours, without the password."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from perpwire.errors import BadInput, PerpwireError

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONNECT_S = 5.0
ANSWER_S = 5.0
"""A server that has not answered by then is taken for lost: the question is asked again on another connection."""


class RedisFailed(PerpwireError):
    """Redis can't be reached, does not answer, or says no. What was asked for is asked again.

    Attributes:
        is_refusal: It does not take our name or password, or they may not do this: somebody has to mend that.
        is_slow: It did not answer in time.
    """

    def __init__(self, reason: str, *, is_refusal: bool = False, is_slow: bool = False) -> None:
        super().__init__(reason)
        self.is_refusal = is_refusal
        self.is_slow = is_slow


class Entry(NamedTuple):
    """One entry of one stream, to be written.

    Attributes:
        stream: Its key.
        number: Of its stream and producer, from 1 on, without holes.
        text: The event as JSON.
    """

    stream: str
    number: int
    text: bytes


class Stored(NamedTuple):
    """One entry as it stands in Redis; `id` is Redis' own, milliseconds and a number. `producer` is "" where somebody
    else wrote it."""

    id: str
    producer: str
    number: int
    text: bytes


# A batch is written whole or not at all, and once, however often it is sent: it may have been written though no answer
# came, and a connection that was given up may still be heard later than the one in its place. Redis refuses for want of
# memory before a script's first change, and not after it.
_APPEND = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return {} end
redis.call('SET', KEYS[1], ARGV[1], 'EX', 86400)
redis.call('SADD', KEYS[2], unpack(KEYS, 3))
local refused = {}
for i = 4, #ARGV, 3 do
  local done = redis.pcall('XADD', KEYS[tonumber(ARGV[i])], 'MAXLEN', '~', ARGV[3], '*',
                           'producer', ARGV[2], 'n', ARGV[i + 1], 'event', ARGV[i + 2])
  if type(done) == 'table' and done.err then refused[#refused + 1] = KEYS[tonumber(ARGV[i])] .. ': ' .. done.err end
end
return refused
"""


class Link:
    """See module docstring. Connects by itself, anew after each failure.

    Args:
        url: redis://, rediss:// or unix://, with user and password in it where there are some.
        prefix: Of all keys.

    Raises:
        BadInput: No such URL, or the client is not installed.
    """

    def __init__(self, url: str, prefix: str) -> None:
        parts = check_url(url)
        import redis.asyncio
        import redis.backoff
        import redis.exceptions
        from redis.asyncio.retry import Retry

        asked = parse_qs(parts.query)
        secrets = {parts.password, unquote(parts.password or ""), *asked.get("password", ())}
        self._secrets = tuple(one for one in secrets if one)
        self._failures: tuple[type[BaseException], ...] = (redis.exceptions.RedisError, OSError, TimeoutError)
        self._refusals: tuple[type[BaseException], ...] = (
            redis.exceptions.AuthenticationError,
            redis.exceptions.AuthorizationError,
            redis.exceptions.NoPermissionError,
        )
        self.address = _address(parts.scheme, parts.hostname, parts.port, parts.path)
        self.prefix = prefix
        try:
            self._client: Redis = redis.asyncio.Redis.from_url(
                url, socket_timeout=None, socket_connect_timeout=CONNECT_S, decode_responses=False,
                retry=Retry(redis.backoff.NoBackoff(), 0),
            )  # fmt: skip
        except (ValueError, TypeError) as error:
            raise BadInput(
                self.redact(f"no URL of a Redis server: {error}"), code="BAD_REDIS_URL", advice=_ADVICE
            ) from None

    def __repr__(self) -> str:
        return f"<Link {self.address}>"

    def redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._client.aclose(), 0.5)
        except self._failures:
            pass  # it is gone either way

    # --- writing ----------------------------------------------------------------------------------------------------

    async def append(self, producer: str, batch: int, entries: Sequence[Entry], most: int) -> list[str]:
        """Write a batch. May be called again with the same until it passes: nothing is written twice.

        Args:
            batch: Its number: each is greater than the one before.
            most: Entries that a stream keeps, about.

        Returns:
            What Redis said to entries that it refused for what they are, such as a key that is no stream.

        Raises:
            RedisFailed: It may or may not have been written.
        """
        keys = [f"{self.prefix}:sent:{producer}", f"{self.prefix}:streams"]
        places: dict[str, int] = {}
        said: list[str | bytes | int] = [batch, producer, most]
        for entry in entries:
            place = places.get(entry.stream)
            if place is None:
                keys.append(entry.stream)
                place = places[entry.stream] = len(keys)
            said += (place, entry.number, entry.text)
        refused = await self._ask(self._client.eval(_APPEND, len(keys), *keys, *said), ANSWER_S)
        return [self.redact(one.decode(errors="replace")) for one in refused]

    # --- reading ----------------------------------------------------------------------------------------------------

    async def streams(self) -> set[str]:
        """All that producers of this prefix have written.

        Raises:
            RedisFailed: See class.
        """
        found = await self._ask(cast("Awaitable[Any]", self._client.smembers(f"{self.prefix}:streams")), ANSWER_S)
        return {one.decode() for one in found}

    async def ends(self, streams: Iterable[str]) -> dict[str, tuple[Stored | None, Stored | None]]:
        """The oldest and the newest entry of each; None where there is none.

        Raises:
            RedisFailed: See class.
        """
        names = list(streams)
        asking = self._client.pipeline(transaction=False)
        for name in names:
            asking.xrange(name, count=1)
            asking.xrevrange(name, count=1)
        found = await self._ask(asking.execute(), ANSWER_S) if names else []
        rows = [_stored(one[0]) if one else None for one in found]
        return {name: (rows[2 * at], rows[2 * at + 1]) for at, name in enumerate(names)}

    async def after(self, places: Mapping[str, str], most: int, wait_s: float) -> list[tuple[str, list[Stored]]]:
        """What follows on these ids, of each stream at most so many; waits until there is something, or for `wait_s`.

        Raises:
            RedisFailed: See class.
        """
        asking = self._client.xread(dict[Any, Any](places), count=most, block=round(wait_s * 1000))
        found = await self._ask(asking, wait_s + ANSWER_S)
        rows = found.items() if isinstance(found, dict) else found or ()
        return [(name.decode(), [_stored(one) for one in entries]) for name, entries in rows]

    async def _ask(self, asking: Awaitable[Any], within_s: float) -> Any:
        try:
            return await asyncio.wait_for(asking, within_s)
        except self._failures as error:
            said = str(error) or f"no answer within {within_s:g} s"
            text = f"{type(error).__name__}: {self.redact(said)}"
            is_refusal = isinstance(error, self._refusals)
            await self._hang_up()
            is_slow = isinstance(error, TimeoutError)
            raise RedisFailed(f"{self.address}: {text}", is_refusal=is_refusal, is_slow=is_slow) from None
        except asyncio.CancelledError:
            await self._hang_up()  # an answer that comes later is none to the next question
            raise

    async def _hang_up(self) -> None:
        try:
            await self._client.connection_pool.disconnect()
        except self._failures:
            pass


_ADVICE = "Such as redis://127.0.0.1:6379/0, or redis://user:password@host:6379/0; rediss:// where it speaks TLS."


def check_url(url: str) -> SplitResult:
    """The parts of a server's URL.

    Raises:
        BadInput: It is none, or the client of Redis is not installed.
    """
    try:
        parts = urlsplit(url)
        assert parts.port is None or parts.port >= 0  # reading it is what raises
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path):
        raise BadInput("this is no URL of a Redis server", code="BAD_REDIS_URL", advice=_ADVICE)
    if find_spec("redis") is None:
        raise BadInput(
            "the client of Redis is not installed", code="NO_REDIS",
            advice="Install it: pip install 'perpwire[redis]'.",
        )  # fmt: skip
    return parts


def _address(scheme: str, host: str | None, port: int | None, path: str) -> str:
    return f"redis at {path}" if scheme == "unix" else f"redis at {host}:{port or 6379}"


def _stored(row: Any) -> Stored:
    entry_id, fields = row
    try:
        return Stored(entry_id.decode(), fields[b"producer"].decode(), int(fields[b"n"]), fields[b"event"])
    except (KeyError, ValueError):
        return Stored(entry_id.decode(), "", 0, b"")
