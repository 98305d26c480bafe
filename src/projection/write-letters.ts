import { textArray } from '../store/arrays.js';
import type { Queryable } from '../store/database.js';
import { keyText } from '../store/key-text.js';
import type { Changes, Letter } from './changes.js';

/** Takes back the conflicts that are none any more, and writes the new dead letters. */
export async function writeLetters(
  client: Queryable,
  { withdrawn, letters }: Changes,
): Promise<void> {
  if (withdrawn.length > 0) {
    await client.query(
      `DELETE FROM dead_letters d USING unnest($1::text[], $2::text[]) AS w(key, digest)
       WHERE d.key = w.key AND d.digest = w.digest`,
      [
        textArray(withdrawn.map(({ key }) => key)),
        textArray(withdrawn.map(({ digest }) => digest)),
      ],
    );
  }
  for (const letter of letters) await writeLetter(client, letter, false);
}

export async function writeLetter(
  client: Queryable,
  { at, key, value, headers, time, code, reason, digest }: Letter,
  stopping: boolean,
): Promise<void> {
  await client.query(
    `INSERT INTO dead_letters (partition, position, key, value, headers, record_time, code, reason,
                               digest, stopping)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT ${digest === null ? '(partition, position) WHERE digest IS NULL' : '(key, digest) WHERE digest IS NOT NULL'}
     DO UPDATE SET redriven_at = NULL, announced_at = NULL, revision = dead_letters.revision + 1
       -- A partition that still stands before it is no news.
       WHERE NOT dead_letters.stopping OR dead_letters.redriven_at IS NOT NULL`,
    [
      at.partition,
      at.position,
      keyText(key),
      value,
      JSON.stringify(headers),
      time,
      code,
      reason,
      digest,
      stopping,
    ],
  );
}
