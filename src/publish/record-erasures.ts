import { toBase64, utf8 } from '../audit/bytes.js';
import { sha256 } from '../audit/hash.js';
import { canonicalText } from '../audit/json.js';
import { encodeLeaf } from '../audit/leaves.js';
import { int4Array, textArray } from '../store/arrays.js';
import { type Database, transaction } from '../store/database.js';
import { REPLAYING } from '../store/offsets.js';
import { queueEntries } from '../store/tlog-queue.js';

type Row = {
  sample_id: string;
  commitment: Buffer;
  deleted: Date;
  built: Date;
  erased: Date;
};

const BATCH = 1000;

/**
 * Enters into the audit log that nothing is left of a deleted sample, once that is so: not while a replay may still come
 * to records of it in another partition. Returns how many.
 */
export async function recordErasures({ pool }: Database): Promise<number> {
  let done = 0;
  for (;;) {
    const count = await transaction(pool, async (client) => {
      const { rows } = await client.query<Row>(
        `SELECT e.sample_id, e.commitment, e.deleted_at AS deleted, v.created_at AS built,
                t.erased_at AS erased
         FROM evidence e JOIN tombstones t USING (sample_id) JOIN versions v ON v.version = e.applied_in
         WHERE e.erasure IS NULL AND t.erased_at IS NOT NULL AND NOT ${REPLAYING}
         ORDER BY e.sample_id LIMIT ${BATCH} FOR UPDATE OF e SKIP LOCKED`,
      );
      if (rows.length === 0) return 0;
      const records = rows.map((row) => ({ ...row, text: erasureRecord(row) }));
      const batch = await queueEntries(
        client,
        records.map(({ commitment, text }) =>
          encodeLeaf({ kind: 'erase', commitment, record: sha256(utf8(text)) }),
        ),
      );
      await client.query(
        `UPDATE evidence e SET erasure = r.record, erase_batch = $1, erase_entry = r.entry
         FROM unnest($2::text[], $3::text[], $4::int[]) AS r(sample_id, record, entry)
         WHERE e.sample_id = r.sample_id`,
        [
          batch,
          textArray(rows.map((row) => row.sample_id)),
          textArray(records.map(({ text }) => text)),
          int4Array(rows.map((_, i) => i)),
        ],
      );
      return rows.length;
    });
    done += count;
    if (count < BATCH) return done;
  }
}

/** What was erased and when, as the certificate shows it and the entry commits to it. */
function erasureRecord({ commitment, deleted, built, erased }: Row): string {
  const places = [
    { what: 'projection, with encoding, salt and memberships', at: deleted },
    { what: 'statistics of its adapters', at: deleted },
    { what: 'superseded weights', at: built },
    { what: 'event log', at: erased },
  ];
  return canonicalText({
    commitment: toBase64(commitment),
    places: places.map(({ what, at }) => ({ what, at: at.toISOString() })),
  });
}
