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

/**
 * Events after a position, in order, at most `limit`. None after one that is not published yet: it
 * would be missed when it is. (Versions are committed one by one, so ids become visible in order.)
 */
export async function readFeed(
  client: Queryable,
  after: bigint,
  limit: number,
): Promise<FeedEvent[]> {
  const { rows } = await client.query<FeedEvent>(
    `SELECT id, kind, value FROM outbox
     WHERE id > $1 AND id < coalesce((SELECT min(id) FROM outbox WHERE published_at IS NULL),
                                     9223372036854775807)
     ORDER BY id LIMIT $2`,
    [after, limit],
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
