import type { Queryable } from './database.js';

/** What the model-versions topic was told, in order. */
export type FeedEvent = {
  /** Its position: grows from event to event. */
  readonly id: bigint;
  readonly kind: 'published' | 'retired';
  /** A CloudEvent, JSON in UTF-8. */
  readonly value: Buffer;
};

/** Where the feed begins, as seen by one who comes without a position, and its last position. */
export type FeedEnds = { readonly start: bigint; readonly last: bigint };

/** How much to read at a time: more than one event only within so many bytes in all. */
export type FeedLimit = { readonly events: number; readonly bytes: number };

/**
 * Events after a position, in order. None after one that is not published yet: it would be missed when
 * it is. (Versions are committed one by one, so ids become visible in order.)
 */
export async function readFeed(
  client: Queryable,
  after: bigint,
  limit: FeedLimit,
): Promise<FeedEvent[]> {
  const { rows } = await client.query<FeedEvent>(
    `SELECT id, kind, value FROM
       (SELECT *, sum(octet_length(value)) OVER ordered AS bytes, row_number() OVER ordered AS nth
        FROM (SELECT id, kind, value FROM outbox
              WHERE id > $1 AND id < coalesce((SELECT min(id) FROM outbox WHERE published_at IS NULL),
                                              9223372036854775807)
              ORDER BY id LIMIT $2) AS part
        WINDOW ordered AS (ORDER BY id)) AS sized
     WHERE nth = 1 OR bytes <= $3 ORDER BY id`,
    [after, limit.events, limit.bytes],
  );
  return rows;
}

/** The start is just before the version in service was published. */
export async function readFeedEnds(client: Queryable): Promise<FeedEnds> {
  const { rows } = await client.query<FeedEnds>(
    `SELECT coalesce((SELECT id - 1 FROM outbox WHERE kind = 'published' AND version =
                        (SELECT max(version) FROM versions WHERE published_at IS NOT NULL)),
                     0::bigint) AS start,
            coalesce((SELECT max(id) FROM outbox), 0::bigint) AS last`,
  );
  return rows[0] ?? { start: 0n, last: 0n };
}
