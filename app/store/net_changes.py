"""Net changes in Postgres: one pass over a part of the feed, whatever the number of clients."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from app.core.net_change import NetChange, NetKind
from app.core.reading import STEP, Reading
from app.core.verdict import Verdict
from app.ports.changes import ForgottenPlaceError
from app.ports.net_changes import FeedPart, Net
from app.store.reads import Reads

__all__ = ["PostgresNetChanges"]

_ENDS: Final = "SELECT removed_until, place FROM change_feed WHERE tenant_id = $1"
# Places are given in order of time, so that the place of an instant is found by halves, without an index by time which
# every writer would have to keep. What lies up to `low` was stored before the instant, what lies after `high` was not.
_PLACE_AT: Final = """
    WITH RECURSIVE search (low, high) AS (
        SELECT removed_until, place FROM change_feed WHERE tenant_id = $1
        UNION ALL
        SELECT
            CASE WHEN following.at < $2 THEN following.place ELSE search.low END,
            CASE WHEN following.at < $2 THEN search.high ELSE (search.low + search.high) / 2 END
        FROM search LEFT JOIN LATERAL (
            SELECT place, at FROM assessment_change
            WHERE tenant_id = $1 AND place > (search.low + search.high) / 2 AND place <= search.high
            ORDER BY place LIMIT 1
        ) AS following ON true
        WHERE search.low < search.high
    )
    SELECT low FROM search WHERE low >= high
"""
_REACHED: Final = """
    SELECT at FROM assessment_change WHERE tenant_id = $1 AND place <= $2::bigint ORDER BY place DESC LIMIT 1
"""
# The rules are those of `app.core.net_change.net_kind`, to which a test holds them.
_NET: Final = """
    WITH told AS MATERIALIZED (
        SELECT client_id, place, at, score_before, verdict_before, client_type_before, score, verdict, client_type,
            array_position(ARRAY['keep', 'watch', 'renegotiate', 'part'], verdict) AS level
        FROM assessment_change
        WHERE tenant_id = $1 AND place > $2::bigint AND place <= $3::bigint
            AND client_id NOT IN (SELECT client_id FROM erasure WHERE tenant_id = $1 AND client_id IS NOT NULL)
        ORDER BY place DESC LIMIT $4::bigint
    ), ends AS (
        SELECT client_id, min(place) AS opening, max(place) AS closing, min(level) AS best, max(level) AS worst
        FROM told GROUP BY client_id
    ), moved AS (
        SELECT ends.client_id, ends.best, ends.worst, closing.level, opening.score_before, opening.verdict_before,
            opening.client_type_before, closing.score, closing.verdict, closing.client_type,
            closing.level - array_position(ARRAY['keep', 'watch', 'renegotiate', 'part'], opening.verdict_before)
                AS steps,
            closing.score - opening.score_before AS points
        FROM ends
            JOIN told AS opening ON opening.place = ends.opening
            JOIN told AS closing ON closing.place = ends.closing
    ), net AS MATERIALIZED (
        SELECT *, CASE
            WHEN verdict_before IS NULL THEN 'new'
            WHEN steps > 0 OR (steps = 0 AND points >= $6::float8) THEN 'worse'
            WHEN steps < 0 OR (steps = 0 AND points <= -$6::float8) THEN 'better'
            WHEN best < level OR worst > level THEN 'returned'
            ELSE 'slight'
        END AS kind
        FROM moved
    ), listed AS (
        SELECT *, row_number() OVER () AS number FROM (
            SELECT * FROM net WHERE kind <> 'slight'
            ORDER BY
                CASE kind
                    WHEN 'worse' THEN 1 WHEN 'new' THEN CASE level WHEN 1 THEN 4 ELSE 2 END WHEN 'better' THEN 3 ELSE 5
                END,
                level DESC, abs(coalesce(points, score)) DESC, client_id COLLATE "C"
            LIMIT $5::bigint
        ) AS first
    )
    SELECT
        (SELECT json_object_agg(kind, clients)::text FROM (
            SELECT kind, count(*) AS clients FROM net GROUP BY kind
        ) AS counted) AS counts,
        (SELECT min(at) FROM told HAVING count(*) = $4::bigint) AS cut,
        listed.client_id, listed.kind, listed.score_before, listed.verdict_before, listed.client_type_before,
        listed.score, listed.verdict, listed.client_type, listed.level, listed.best, listed.worst
    FROM (SELECT 1) AS one LEFT JOIN listed ON true
    ORDER BY listed.number
"""
_LEVELS: Final = list(Verdict)


class PostgresNetChanges:
    """Keeps the promise of `app.ports.net_changes.NetChanges`."""

    def __init__(self, reads: Reads) -> None:
        """Read by single statements."""
        self._reads = reads

    async def part(self, tenant_id: str, since: datetime | int, until: datetime | None) -> FeedPart:
        """Find a part of the feed; see the port."""
        removed_until, newest = await self._reads.row(tenant_id, _ENDS) or (0, 0)
        if isinstance(since, int):
            if not removed_until <= since <= newest:
                raise ForgottenPlaceError
            after = since
        else:
            after = await self._place_at(tenant_id, since)
        ends = newest if until is None else await self._place_at(tenant_id, until)
        return FeedPart(after, max(after, ends))

    async def reached(self, tenant_id: str, place: int) -> datetime | None:
        """Find when a place was given; see the port."""
        found: datetime | None = await self._reads.value(tenant_id, _REACHED, place)
        return found

    async def net(self, tenant_id: str, part: FeedPart, most: int, limit: int) -> Net:
        """Put a part of the feed together; see the port."""
        rows = await self._reads.rows(tenant_id, _NET, part.after, part.until, most, limit, STEP)
        counts = msgspec.json.decode(rows[0][0] or "{}", type=dict[str, int])
        first = [_net_change(row[2:]) for row in rows if row[2] is not None]
        return Net({kind: counts.get(kind, 0) for kind in NetKind}, first, rows[0][1])

    async def _place_at(self, tenant_id: str, instant: datetime) -> int:
        return await self._reads.value(tenant_id, _PLACE_AT, instant) or 0


def _net_change(row: Sequence[Any]) -> NetChange:
    client_id, kind, *readings, level, best, worst = row
    before = None if readings[1] is None else Reading(readings[0], Verdict(readings[1]), readings[2])
    after = Reading(readings[3], Verdict(readings[4]), readings[5])
    farthest = worst if worst - level >= level - best else best
    return NetChange(client_id, NetKind(kind), before, after, _LEVELS[farthest - 1])
