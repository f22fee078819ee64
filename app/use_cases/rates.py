"""Limits of what a key may ask for: they hold over all replicas, and cost a write for many requests, not for each.

A replica takes tokens in blocks from a count that all share, and spends them from memory. A block is as large as the
key is busy and shrinks as the window runs out, so that little of the quota lies unused. A hundredth of each quota is
spent before anything is asked for and told with the first block, so that quiet keys cost no write at all: by so much
for each replica the limit may be overstepped. While the database is away a replica goes on with the share that it had
of what was used before.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from app.ports.audit import CLI, Action, key_subject
from app.ports.ledger import StoreUnavailableError
from app.ports.rates import EVERY_KEY, UNITS, Override, Rate, Rates, Unit
from app.use_cases.errors import InvalidRequestError, RateLimitedError
from app.use_cases.keys import Principal
from app.use_cases.recent import Recent
from app.use_cases.unheard import UNHEARD

__all__ = ["Allowance", "RateLimits", "Refusals"]

_MOST_KEYS: Final = 20_000
_MOST_TENANTS: Final = 20_000
_OVERRIDES_HOLD: Final = 30.0
"""Seconds until overrides are read again, beside what goes on."""
_AWAY: Final = 1.0
"""Seconds for which nobody is asked after it went wrong."""
_FREE_SHARE: Final = 100
_FIRST_SHARE: Final = 50
_MOST_SHARE: Final = 8
_LEAST_SHARE: Final = 500
"""What part of a quota a block is: the first one, the largest and the smallest."""

_log = logging.getLogger("partwise.rates")


class _Bucket:
    """What a replica knows of one policy of one key."""

    __slots__ = ("asked_at", "block", "debt", "ends", "free", "gained", "left", "local", "rate", "share")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.ends = -math.inf
        self.block = max(1, rate.quota // _FIRST_SHARE)
        self.asked_at = -math.inf
        # Of all that was used in the last window that was asked about: how much was ours.
        self.share = 1.0
        self.free = self.debt = self.gained = self.left = 0
        self.local = False

    def roll(self, now: float, offset: float) -> None:
        """Begin another window where the last one is over."""
        if now < self.ends:
            return
        if self.gained > self.debt and not self.local:
            used = max(self.rate.quota - self.left, self.gained)
            self.share = self.gained / used
        began = (now + offset) // self.rate.seconds * self.rate.seconds
        self.ends = began + self.rate.seconds - offset
        self.free = self.debt = self.gained = self.rate.quota // _FREE_SHARE
        self.left = self.rate.quota - self.free
        self.local = False

    @property
    def is_low(self) -> bool:
        """Whether more should be asked for before it is needed."""
        return self.left > 0 and self.free < (self.debt if self.debt else self.block) // 2

    def wanted(self, need: int, now: float) -> int:
        """How many tokens to ask for, at least those that are needed."""
        quota = self.rate.quota
        pause, self.asked_at = now - self.asked_at, now
        if pause < self.rate.seconds / 64:
            self.block = max(1, min(self.block * 2, quota // _MOST_SHARE))
        elif pause > self.rate.seconds / 8:
            self.block = max(1, self.block // 2, quota // _FREE_SHARE)
        usual = max(1, min(self.block, max(self.left // 4, quota // _LEAST_SHARE)))
        return max(usual, need - self.free)

    def granted(self, asked: int, paid: int, used: int) -> None:
        """Take what there was of what was asked for; so many of those had been spent before."""
        before = used - asked
        got = max(0, min(asked, self.rate.quota - before)) - paid
        self.debt = max(0, self.debt - paid)
        self.local = False
        self.gained += got
        self.free = max(0, self.free + got)
        self.left = max(0, self.rate.quota - used)

    def alone(self) -> None:
        """Go on with our share, as nobody can be asked."""
        if not self.local:
            self.local = True
            self.free += max(0, int(self.rate.quota * self.share) - self.gained)
            self.left = 0


class Allowance:
    """What one key may still ask for, as far as this replica knows."""

    __slots__ = ("_limits", "buckets", "policy_field", "read_at", "refilling", "shut", "tenant_id", "who")

    def __init__(self, limits: "RateLimits", tenant_id: str, who: str, rates: Iterable[Rate], read_at: float) -> None:
        """Begin with nothing used."""
        self._limits = limits
        self.tenant_id = tenant_id
        self.who = who
        self.read_at = read_at
        self.refilling: asyncio.Task[None] | None = None
        self.shut = (-math.inf, 0, "")
        self.buckets: tuple[_Bucket, ...] = ()
        self.policy_field = b""
        self.set(rates)

    def set(self, rates: Iterable[Rate]) -> None:
        """Hold to other rates from now on; a window goes on where its rate stays."""
        kept = {bucket.rate: bucket for bucket in self.buckets}
        self.buckets = tuple(kept.get(rate) or _Bucket(rate) for rate in rates)
        self.policy_field = ", ".join(
            f'"{one.rate.name}";q={one.rate.quota};w={one.rate.seconds}' for one in self.buckets
        ).encode()

    def rate_field(self) -> bytes:
        """What is left, as the field `RateLimit` says it."""
        now = self._limits.now()
        told = []
        for one in self.buckets:
            one.roll(now, self._limits.offset)
            told.append(f'"{one.rate.name}";r={one.free + one.left};t={math.ceil(one.ends - now)}')
        return ", ".join(told).encode()

    async def take(self, unit: Unit, count: int = 1, size: int = 0) -> None:
        """Take what something costs; more than a whole quota counts as that.

        Args:
            unit: what is counted.
            count: how many.
            size: of the body that holds them, in bytes: where it is refused, so are others of its size until the
                window ends, before they are read.

        Raises:
            RateLimitedError: there is not as much left; nothing was taken.
        """
        try:
            await self._limits.take(self, unit, count)
        except RateLimitedError as error:
            if size:
                self.shut = (self._limits.now() + error.wait, size, error.policy)
            raise

    def check(self, unit: Unit, size: int = 0) -> None:
        """Find out whether there is anything left, as far as is known, without taking it.

        Raises:
            RateLimitedError: there is nothing, or not enough for a body of some bytes.
        """
        until, least, policy = self.shut
        now = self._limits.now()
        if now < until and size >= least:
            self._limits.refusals.limited(unit)
            wait = max(1, math.ceil(until - now))
            raise RateLimitedError(f"not as much is left for this key; come again in {wait} s", policy, wait)
        self._limits.check(self, unit)

    def most_at_once(self, unit: Unit) -> int:
        """How many are to be taken at once at most, so that many may go on beside each other: a tenth of a quota."""
        return min((max(1, one.rate.quota // 10) for one in self.buckets if one.rate.unit is unit), default=1_000_000)


class Refusals(Protocol):
    """Is told who may not go on, for metrics."""

    def limited(self, unit: Unit) -> None:
        """A key has asked for too much."""
        ...


class RateLimits:
    """Counts what keys ask for."""

    def __init__(
        self,
        rates: Rates,
        defaults: Sequence[Rate],
        now: Callable[[], float] = time.monotonic,
        refusals: Refusals = UNHEARD,
    ) -> None:
        """Share tokens with other replicas.

        Args:
            rates: keeps what is shared.
            defaults: hold for every key that has no others; none for no limits.
            now: seconds that only go forward.
            refusals: is told of each.
        """
        self._rates = rates
        self.refusals = refusals
        self._defaults = {rate.name: rate for rate in defaults}
        self.now = now
        self.offset = time.time() - now()
        """What the shared clock is ahead of ours."""
        self._keys: Recent[tuple[str, str], Allowance] = Recent(_MOST_KEYS)
        self._overrides: Recent[str, list[Override]] = Recent(_MOST_TENANTS)
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._away_until = -math.inf

    async def of(self, principal: Principal) -> Allowance:
        """What a key may ask for."""
        key = (principal.tenant_id, principal.name)
        found = self._keys.get(key)
        if found is None and self._overrides.get(principal.tenant_id) is None:
            await asyncio.shield(self._read(principal.tenant_id))
            # Another request of the key may have been quicker.
            found = self._keys.get(key)
        if found is None:
            found = Allowance(self, *key, self._rates_of(*key), self.now())
            self._keys.put(key, found)
        elif self.now() - found.read_at > _OVERRIDES_HOLD:
            found.read_at = self.now()
            self._read(principal.tenant_id)
            found.set(self._rates_of(*key))
        return found

    async def override(self, tenant_id: str, override: Override) -> None:
        """Let something else hold for a key, or for all keys of a tenant: here at once, elsewhere within a minute.

        Raises:
            InvalidRequestError: it names no policy.
        """
        if override.name not in UNITS:
            raise InvalidRequestError("/name", f"expected {', '.join(UNITS)}")
        told = {"name": override.name, "quota": override.quota, "seconds": override.seconds}
        entry = CLI.did(Action.RATE_SET, _subject(override.who), self._instant(), **told)
        await self._rates.put_override(tenant_id, override, entry)
        await self._renew(tenant_id)

    async def drop_override(self, tenant_id: str, who: str, name: str) -> None:
        """Go back to what holds for others."""
        entry = CLI.did(Action.RATE_UNSET, _subject(who), self._instant(), name=name)
        await self._rates.drop_override(tenant_id, who, name, entry)
        await self._renew(tenant_id)

    async def overrides(self, tenant_id: str) -> list[Override]:
        """All of a tenant."""
        return await self._rates.overrides(tenant_id)

    def _instant(self) -> datetime:
        return datetime.fromtimestamp(self.now() + self.offset, UTC)

    async def _renew(self, tenant_id: str) -> None:
        self._overrides.put(tenant_id, await self._rates.overrides(tenant_id))
        for one in self._keys.values():
            if one.tenant_id == tenant_id:
                one.set(self._rates_of(tenant_id, one.who))

    def check(self, allowance: Allowance, unit: Unit) -> None:
        """See `Allowance.check`."""
        now = self.now()
        for bucket in allowance.buckets:
            if bucket.rate.unit is unit:
                bucket.roll(now, self.offset)
                if self._is_over(bucket, 1, now):
                    raise self._refusal(bucket, now)

    async def take(self, allowance: Allowance, unit: Unit, count: int) -> None:
        """See `Allowance.take`."""
        while True:
            now, missing = self.now(), False
            for bucket in allowance.buckets:
                if bucket.rate.unit is unit:
                    bucket.roll(now, self.offset)
                    if bucket.free < min(count, bucket.rate.quota):
                        if self._is_over(bucket, count, now):
                            raise self._refusal(bucket, now)
                        missing = True
            if not missing:
                break
            await self._refilled(allowance, unit, count)
        is_low = False
        for bucket in allowance.buckets:
            if bucket.rate.unit is unit:
                bucket.free -= min(count, bucket.rate.quota)
                is_low = is_low or bucket.is_low
        if is_low and allowance.refilling is None and now >= self._away_until:
            allowance.refilling = asyncio.create_task(self._refill(allowance, None, 0))

    def _is_over(self, bucket: _Bucket, count: int, now: float) -> bool:
        if bucket.free >= min(count, bucket.rate.quota) or bucket.left > 0:
            return False
        # What we could not ask for we ask for again, once we can.
        return not bucket.local or now < self._away_until

    def _refusal(self, bucket: _Bucket, now: float) -> RateLimitedError:
        rate, wait = bucket.rate, max(1, math.ceil(bucket.ends - now))
        self.refusals.limited(rate.unit)
        message = f"this key may have {rate.quota} {rate.unit} in {rate.seconds} s; come again in {wait} s"
        return RateLimitedError(message, rate.name, wait)

    async def _refilled(self, allowance: Allowance, unit: Unit, count: int) -> None:
        task = allowance.refilling
        if task is None:
            task = allowance.refilling = asyncio.create_task(self._refill(allowance, unit, count))
        # Who waits may go; the others still want it.
        await asyncio.shield(task)

    async def _refill(self, allowance: Allowance, unit: Unit | None, count: int) -> None:
        """Ask for tokens of a unit, and of all others that are low."""
        try:
            await self._leased(allowance, unit, count)
        finally:
            allowance.refilling = None

    async def _leased(self, allowance: Allowance, unit: Unit | None, count: int) -> None:
        now = self.now()
        asked: list[tuple[_Bucket, int]] = []
        for bucket in allowance.buckets:
            bucket.roll(now, self.offset)
            need = min(count, bucket.rate.quota) if bucket.rate.unit is unit else 0
            if bucket.free < need or bucket.is_low:
                asked.append((bucket, bucket.wanted(need, now)))
        if not asked:
            return
        if now < self._away_until:
            for bucket, _ in asked:
                bucket.alone()
            return
        debts = [(bucket, tokens + bucket.debt, bucket.debt, bucket.ends) for bucket, tokens in asked]
        try:
            found = await self._rates.lease(
                allowance.tenant_id, allowance.who, [(bucket.rate, tokens) for bucket, tokens, _, _ in debts]
            )
        except Exception as error:
            # Whatever it is, nobody is refused for it.
            if not isinstance(error, StoreUnavailableError):
                _log.exception("tokens could not be had")
            self._away_until = self.now() + _AWAY
            for bucket, _ in asked:
                bucket.alone()
            return
        now = self.now()
        self.offset = next(iter(found.values())).now - now
        for bucket, tokens, debt, ended in debts:
            got = found[bucket.rate.name]
            ends, slack = got.began + bucket.rate.seconds - self.offset, bucket.rate.seconds / 2
            if ends > bucket.ends + slack:
                # Another window has begun, by the clock of all.
                bucket.ends = -math.inf
                bucket.roll(now, self.offset)
            elif ends < bucket.ends - slack:
                # What was granted has passed meanwhile.
                continue
            bucket.granted(tokens, debt if bucket.ends == ended else 0, got.used)

    def _rates_of(self, tenant_id: str, who: str) -> list[Rate]:
        found = dict(self._defaults)
        overrides = self._overrides.get(tenant_id) or ()
        # What is said of the key itself counts more.
        for one in sorted(overrides, key=lambda one: one.who != EVERY_KEY):
            if one.who in (EVERY_KEY, who):
                found.pop(one.name, None)
                if one.quota is not None:
                    found[one.name] = Rate(one.name, UNITS[one.name], one.quota, one.seconds)
        return [found[name] for name in UNITS if name in found]

    def _read(self, tenant_id: str) -> asyncio.Task[None]:
        task = self._reading.get(tenant_id)
        if task is None:
            task = self._reading[tenant_id] = asyncio.create_task(self._read_overrides(tenant_id))
            task.add_done_callback(lambda _: self._reading.pop(tenant_id, None))
        return task

    async def _read_overrides(self, tenant_id: str) -> None:
        try:
            self._overrides.put(tenant_id, await self._rates.overrides(tenant_id))
        except StoreUnavailableError:
            # The defaults, or what was known before, until somebody can be asked.
            pass
        except Exception:
            _log.exception("rates could not be read")


def _subject(who: str) -> str:
    """How the audit log names the keys for which a rate holds."""
    return "keys" if who == EVERY_KEY else key_subject(who.removeprefix("key:"))
