import type { ClientBase } from 'pg';
import type { Keys } from '../model/activation.js';
import { joinKeys } from '../model/keyed.js';
import type { Model } from '../model/model.js';
import { int4Array, int8Array, textArray } from '../store/arrays.js';
import { copyRow, copyRows } from '../store/copy.js';
import type { Queryable } from '../store/database.js';
import { REPLAYING } from '../store/offsets.js';
import { UNPLACED } from '../store/placement.js';

/* Which retained samples are the adapters' keys (`anchors`), as the database has them. */

/** Whether samples wait for their adapters, or an anchor has gone: a look at small tables. */
export async function needsPlacing(client: Queryable): Promise<boolean> {
  const { rows } = await client.query<{ needed: boolean }>(
    `SELECT NOT ${REPLAYING}
            AND (EXISTS (SELECT FROM dirty_adapters WHERE adapter = ${UNPLACED})
                 OR EXISTS (SELECT FROM removals JOIN anchors USING (sample_id))) AS needed`,
  );
  return rows[0]?.needed === true;
}

type FoundAnchor = {
  adapter: number;
  /** Null: no sample falls to it any more. */
  sample_id: string | null;
  partition: number | null;
  position: bigint | null;
};

/** Puts the anchors in force that the samples give now. Returns the adapters that have another key, or none now. */
export async function renewAnchors(client: Queryable): Promise<Int32Array> {
  const { rows } = await client.query<FoundAnchor>(
    // Only where samples came or anchors went can there be another.
    `WITH concerned AS (
       SELECT anchor_adapter AS adapter FROM samples WHERE unplaced
       UNION
       SELECT adapter FROM removals JOIN anchors USING (sample_id)
     )
     SELECT c.adapter, s.sample_id, s.partition, s.position
     FROM concerned c LEFT JOIN anchors a USING (adapter) LEFT JOIN LATERAL
       (SELECT * FROM samples WHERE anchor_adapter = c.adapter
        ORDER BY anchor_priority, sample_id LIMIT 1) AS s ON true
     WHERE (s.sample_id, s.partition, s.position)
             IS DISTINCT FROM (a.sample_id, a.partition, a.position)
     ORDER BY c.adapter`,
  );
  const adapters = rows.map(({ adapter }) => adapter);
  if (rows.length === 0) return Int32Array.from(adapters);
  await client.query('DELETE FROM anchors WHERE adapter = ANY($1::int[])', [int4Array(adapters)]);
  const there = rows.filter(({ sample_id }) => sample_id !== null);
  await client.query(
    `INSERT INTO anchors (adapter, sample_id, partition, position)
     SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::int8[])`,
    [
      int4Array(there.map(({ adapter }) => adapter)),
      textArray(there.map(({ sample_id }) => sample_id)),
      int4Array(there.map(({ partition }) => partition)),
      int8Array(there.map(({ position }) => position)),
    ],
  );
  return Int32Array.from(adapters);
}

const KEYS = 'SELECT a.adapter, s.encoding FROM anchors a JOIN samples s USING (sample_id)';

/** The keys in force. */
export async function readKeys(client: ClientBase, { configuration, shape }: Model): Promise<Keys> {
  const keys = new Array<Int8Array | null>(configuration.adapters).fill(null);
  for (const [adapter, encoding] of await copyRows(client, KEYS)) {
    if (adapter && encoding) keys[adapter.readInt32BE()] = new Int8Array(encoding);
  }
  return joinKeys(keys, shape);
}

/** One adapter's key; null if it has none. */
export async function readKey(client: ClientBase, adapter: number): Promise<Int8Array | null> {
  const row = await copyRow(client, `${KEYS} WHERE a.adapter = ${adapter}`);
  return row?.[1] ? new Int8Array(row[1]) : null;
}
