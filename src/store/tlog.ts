import { hash } from 'node:crypto';
import { appendLeaves, type Edge, EMPTY_EDGE, type Hash, readEdge } from '../audit/log/append.js';
import { parseBundle } from '../audit/log/bundle.js';
import { partialTiles, type ReadTile, TILE_WIDTH } from '../audit/log/tiles.js';
import { LegonetError } from '../errors.js';
import { byteaArray, int2Array, int8Array } from './arrays.js';
import { type Database, type Queryable, transaction } from './database.js';

/** How far the audit log has come, and what of it is signed. */
export type Head = {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly signedSize: number;
  /** A signed note; null before the first. */
  readonly checkpoint: string | null;
};

/** Entries to a step: bounds what it holds in memory, and how long others wait for the head. */
const STEP = 20_000;

/** SHA-256 by OpenSSL: twice as fast as one that also runs in a browser. */
export const fastHash: Hash = (bytes) => hash('sha256', bytes, 'buffer');

/**
 * Puts all queued entries into the log. Any process may: the head's row is locked, so that one at a time
 * does, each going on where the last one stopped. Returns how many entries.
 */
export async function sequence({ pool }: Database): Promise<number> {
  const waiting = await pool.query(
    'SELECT FROM tlog_batches WHERE first_index IS NULL ORDER BY batch LIMIT 1',
  );
  if (waiting.rowCount === 0) return 0;
  for (let done = 0; ; ) {
    const { count, more } = await transaction(pool, sequenceSome);
    done += count;
    if (!more) return done;
  }
}

type BatchRow = { batch: bigint; entries: Buffer };

async function sequenceSome(client: Queryable): Promise<{ count: number; more: boolean }> {
  const head = await lockHead(client);
  const { rows } = await client.query<BatchRow>(
    `SELECT batch, entries
     FROM (SELECT batch, entries, sum(count) OVER (ORDER BY batch) - count AS before
           FROM tlog_batches WHERE first_index IS NULL ORDER BY batch LIMIT ${STEP}) AS waiting
     WHERE before < ${STEP} ORDER BY batch`,
  );
  if (rows.length === 0) return { count: 0, more: false };
  const batches = rows.map(({ batch, entries }) => ({ batch, entries: unpack(entries) }));
  const entries = batches.flatMap((batch) => batch.entries);
  const edge = await storedEdge(client, head.size);
  const appended = appendLeaves(edge, entries, fastHash);
  await writeTiles(client, appended);
  let next = head.size;
  const firsts = batches.map((batch) => {
    const first = next;
    next += batch.entries.length;
    return BigInt(first);
  });
  await client.query(
    `UPDATE tlog_batches b SET first_index = s.first, entries = NULL
     FROM unnest($1::int8[], $2::int8[]) AS s(batch, first) WHERE b.batch = s.batch`,
    [int8Array(batches.map(({ batch }) => batch)), int8Array(firsts)],
  );
  await client.query('UPDATE tlog_head SET size = $1, root = $2', [
    appended.edge.size,
    appended.root,
  ]);
  return { count: entries.length, more: entries.length >= STEP };
}

/** A batch's entries: as many bundles as it takes, one after the other. */
function unpack(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let from = 0;
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    at += 2 + (bytes[at] as number) * 256 + (bytes[at + 1] ?? 0);
    count++;
    if (count % TILE_WIDTH !== 0 && at < bytes.length) continue;
    entries.push(...parseBundle(bytes.subarray(from, at)));
    from = at;
  }
  return entries;
}

/** Which log it is: a name that no other has, and that its backups have too. */
export async function readLogId(client: Queryable): Promise<string> {
  await makeHead(client);
  const { rows } = await client.query<{ log: string }>('SELECT log FROM tlog_head');
  return rows[0]?.log ?? missing();
}

const makeHead = (client: Queryable) =>
  client.query(`INSERT INTO tlog_head (size, root) VALUES (0, sha256('')) ON CONFLICT DO NOTHING`);

/** The head, nobody else's until the transaction ends. */
export async function lockHead(client: Queryable): Promise<Head> {
  const locked = () => client.query<HeadRow>(`${HEAD} FOR UPDATE`);
  const found = await locked();
  if (found.rows.length > 0) return headOf(found);
  await makeHead(client);
  return headOf(await locked());
}

export const readHead = async (client: Queryable): Promise<Head> =>
  headOf(await client.query<HeadRow>(HEAD));

const HEAD = 'SELECT size, root, signed_size, checkpoint FROM tlog_head';
type HeadRow = { size: bigint; root: Buffer; signed_size: bigint; checkpoint: string | null };

function headOf({ rows }: { readonly rows: readonly HeadRow[] }): Head {
  const [row] = rows;
  if (!row) return { size: 0, root: fastHash(new Uint8Array()), signedSize: 0, checkpoint: null };
  const { root, checkpoint } = row;
  return { size: Number(row.size), root, signedSize: Number(row.signed_size), checkpoint };
}

async function storedEdge(client: Queryable, size: number): Promise<Edge> {
  if (size === 0) return EMPTY_EDGE;
  const tiles = await readTiles(client, partialTiles(size));
  return readEdge(
    size,
    async (level, index) => tiles.get(`${level}/${index}`) ?? missing(),
    async (index) => (await readBundle(client, index)) ?? missing(),
  );
}

function missing(): never {
  throw new LegonetError('tlog_corrupt', 'the audit log lacks a tile that it must have', 'stop');
}

async function writeTiles(
  client: Queryable,
  { tiles, bundles }: ReturnType<typeof appendLeaves>,
): Promise<void> {
  await client.query(
    `WITH bundles AS (
       INSERT INTO tlog_bundles (bundle, entries) SELECT * FROM unnest($4::int8[], $5::bytea[])
       ON CONFLICT (bundle) DO UPDATE SET entries = excluded.entries
     )
     INSERT INTO tlog_tiles (level, tile, hashes) SELECT * FROM unnest($1::int2[], $2::int8[], $3::bytea[])
     ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes`,
    [
      int2Array(tiles.map(({ level }) => level)),
      int8Array(tiles.map(({ index }) => BigInt(index))),
      byteaArray(tiles.map(({ bytes }) => bytes)),
      int8Array(bundles.map(({ index }) => BigInt(index))),
      byteaArray(bundles.map(({ bytes }) => bytes)),
    ],
  );
}

/** A stored bundle of entries, as wide as it is; null if there is none. */
export async function readBundle(client: Queryable, index: number): Promise<Uint8Array | null> {
  const { rows } = await client.query<{ entries: Buffer }>(
    'SELECT entries FROM tlog_bundles WHERE bundle = $1',
    [index],
  );
  return rows[0]?.entries ?? null;
}

/** A stored tile of hashes, as wide as it is; null if there is none. */
export async function readStoredTile(
  client: Queryable,
  level: number,
  index: number,
): Promise<Uint8Array | null> {
  const { rows } = await client.query<{ hashes: Buffer }>(
    'SELECT hashes FROM tlog_tiles WHERE level = $1 AND tile = $2',
    [level, index],
  );
  return rows[0]?.hashes ?? null;
}

/** Tiles for proofs, which must be there. What is asked for at one time is read by one query. */
export function tileReader(client: Queryable): ReadTile {
  let asked: { readonly level: number; readonly index: number }[] = [];
  let answer: Promise<Map<string, Uint8Array>> | undefined;
  return async (level, index) => {
    asked.push({ level, index });
    answer ??= Promise.resolve().then(() => {
      const tiles = readTiles(client, asked);
      asked = [];
      answer = undefined;
      return tiles;
    });
    return (await answer).get(`${level}/${index}`) ?? missing();
  };
}

async function readTiles(
  client: Queryable,
  tiles: readonly { readonly level: number; readonly index: number }[],
): Promise<Map<string, Uint8Array>> {
  const { rows } = await client.query<{ level: number; tile: bigint; hashes: Buffer }>(
    `SELECT level, tile, hashes FROM tlog_tiles JOIN unnest($1::int2[], $2::int8[]) AS w(level, tile)
       USING (level, tile)`,
    [int2Array(tiles.map(({ level }) => level)), int8Array(tiles.map((t) => BigInt(t.index)))],
  );
  return new Map(rows.map(({ level, tile, hashes }) => [`${level}/${tile}`, hashes]));
}

/** Where the log has an entry; null while it waits to be put there. */
export async function indexOf(
  client: Queryable,
  batch: bigint,
  entry: number,
): Promise<number | null> {
  const { rows } = await client.query<{ first_index: bigint | null }>(
    'SELECT first_index FROM tlog_batches WHERE batch = $1',
    [batch],
  );
  const first = rows[0]?.first_index;
  return first === undefined || first === null ? null : Number(first) + entry;
}
