import { encodeBundle, parseBundle } from '../audit/log/bundle.js';
import { type Bundle, type Tile, tileHashes, tileWidth } from '../audit/log/tiles.js';
import type { Queryable } from './database.js';
import { missing } from './tlog.js';

/*
 * The audit log as everybody may see it: what the last signed checkpoint covers, and nothing beyond. Entries
 * that no checkpoint covers yet could still be taken back; nobody must have seen them.
 */

type Row = { readonly signed_size: bigint; readonly bytes: Buffer | null };

/** A tile's hashes, exactly as many as asked for; null if the signed log has not so many there. */
export async function readSignedTile(client: Queryable, tile: Tile): Promise<Uint8Array | null> {
  const { level, index, width } = tile;
  const { rows } = await client.query<Row>(
    `SELECT signed_size, hashes AS bytes FROM tlog_head
     LEFT JOIN tlog_tiles ON level = $1 AND tile = $2`,
    [level, index],
  );
  const bytes = signedBytes(rows, tile);
  return bytes && tileHashes(bytes, width);
}

/** A bundle's entries, exactly as many as asked for; null if the signed log has not so many there. */
export async function readSignedBundle(
  client: Queryable,
  bundle: Bundle,
): Promise<Uint8Array | null> {
  const { index, width } = bundle;
  const { rows } = await client.query<Row>(
    `SELECT signed_size, entries AS bytes FROM tlog_head LEFT JOIN tlog_bundles ON bundle = $1`,
    [index],
  );
  const bytes = signedBytes(rows, { level: 0, index, width });
  return bytes && encodeBundle(parseBundle(bytes).slice(0, width));
}

function signedBytes(rows: readonly Row[], { level, index, width }: Tile): Uint8Array | null {
  const [row] = rows;
  if (!row || tileWidth(level, index, Number(row.signed_size)) < width) return null;
  return row.bytes ?? missing();
}
