import { encodeLeaf } from '../audit/leaves.js';
import type { Model } from '../model/model.js';
import { byteaArray, int4Array, textArray } from '../store/arrays.js';
import { type Database, type Queryable, transaction } from '../store/database.js';
import { queueEntries } from '../store/tlog-queue.js';
import { drawSalts, sealSample } from './seals.js';

type Row = { sample_id: string; label: number; encoding: Buffer; adapters: number[] };

const BATCH = 2000;

/**
 * Seals the samples that a database has from before there was an audit log, and puts their ingest into it.
 * Each process does so before it projects anything, so that nobody ever meets a sample without a seal; several
 * at once share the work. Returns how many samples were sealed: none, but for the first time.
 */
export async function sealOld({ pool }: Database, model: Model): Promise<number> {
  let done = 0;
  for (;;) {
    // A batch that another process has sealed meanwhile is empty here, and not the last one.
    if (!(await hasUnsealed(pool))) return done;
    done += await transaction(pool, (client) => sealSome(client, model));
  }
}

/** Whether there are such samples still. */
export async function hasUnsealed(client: Queryable): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM samples WHERE commitment IS NULL LIMIT 1');
  return rowCount === 1;
}

async function sealSome(client: Queryable, model: Model): Promise<number> {
  const { rows } = await client.query<Row>(
    `SELECT sample_id, label, encoding, adapters FROM samples WHERE commitment IS NULL
     ORDER BY sample_id LIMIT ${BATCH} FOR UPDATE`,
  );
  if (rows.length === 0) return 0;
  const saltOf = drawSalts(rows.length);
  const { classes } = model.configuration;
  const seals = rows.map(({ sample_id, label, encoding, adapters }, i) =>
    sealSample(saltOf(i), sample_id, classes[label] ?? '', new Int8Array(encoding), adapters),
  );
  const entries = seals.map(({ commitment, membership }) =>
    encodeLeaf({ kind: 'ingest', commitment, membership }),
  );
  const batch = await queueEntries(client, entries);
  await client.query(
    `UPDATE samples s SET salt = n.salt, commitment = n.commitment, membership = n.membership,
                          leaf_batch = $1, leaf_entry = n.entry
     FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::bytea[], $6::int[])
       AS n(sample_id, salt, commitment, membership, entry)
     WHERE s.sample_id = n.sample_id`,
    [
      batch,
      textArray(rows.map(({ sample_id }) => sample_id)),
      byteaArray(seals.map(({ salt }) => salt)),
      byteaArray(seals.map(({ commitment }) => commitment)),
      byteaArray(seals.map(({ membership }) => membership)),
      int4Array(rows.map((_, entry) => entry)),
    ],
  );
  return rows.length;
}
