import { createHash } from 'node:crypto';
import { LegonetError } from '../errors.js';
import { type EncoderFiles, encoderFilesDigest } from '../model/encoder-files.js';
import type { Queryable } from './database.js';

const PART_BYTES = 16 * 1024 * 1024;

/** Stores the files of the model's encoder: part 0 is model.json, the others are its weights. */
export async function saveEncoder(
  client: Queryable,
  { manifest, weights }: EncoderFiles,
): Promise<void> {
  const save = (part: number, bytes: Uint8Array) =>
    client.query('INSERT INTO encoder_files (part, bytes) VALUES ($1, $2)', [part, bytes]);
  await save(0, manifest);
  for (let at = 0, part = 1; at < weights.length; at += PART_BYTES, part++) {
    await save(part, weights.subarray(at, at + PART_BYTES));
  }
}

/** The files of the model's encoder. Throws `model_corrupt` if their digest is another. */
export async function loadEncoder(client: Queryable, sha256: string): Promise<EncoderFiles> {
  const [, ...parts] = await listParts(client);
  const manifest = await readPart(client, 0);
  // One part at a time: as text they are more than twice as large.
  const weights = new Uint8Array(parts.reduce((sum, { bytes }) => sum + bytes, 0));
  let at = 0;
  for (const { part, bytes } of parts) {
    weights.set(await readPart(client, part), at);
    at += bytes;
  }
  const files = { manifest, weights };
  if (encoderFilesDigest(files) === sha256) return files;
  throw new LegonetError('model_corrupt', 'stored encoder and its digest differ', 'stop');
}

/** The digest of the files that are stored, or null if there are none. Holds one part in memory at a time. */
export async function readEncoderDigest(client: Queryable): Promise<string | null> {
  const parts = await listParts(client);
  if (parts.length === 0) return null;
  const hash = createHash('sha256');
  for (const { part } of parts) hash.update(await readPart(client, part));
  return hash.digest('hex');
}

async function listParts(client: Queryable) {
  const { rows } = await client.query<{ part: number; bytes: number }>(
    'SELECT part, length(bytes) AS bytes FROM encoder_files ORDER BY part',
  );
  return rows;
}

async function readPart(client: Queryable, part: number): Promise<Uint8Array> {
  const { rows } = await client.query<{ bytes: Buffer }>(
    'SELECT bytes FROM encoder_files WHERE part = $1',
    [part],
  );
  return rows[0]?.bytes ?? new Uint8Array();
}
