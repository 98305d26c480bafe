import { equalBytes } from '../audit/bytes.js';
import { appendLeaves, type Edge, EMPTY_EDGE, edgeRoot, readEdge } from '../audit/log/append.js';
import { parseBundle } from '../audit/log/bundle.js';
import { partialTiles, TILE_WIDTH } from '../audit/log/tiles.js';
import { LegonetError } from '../errors.js';
import { byteaArray, int2Array, int8Array } from './arrays.js';
import { type Database, type Queryable, queryPrepared, transaction } from './database.js';
import { fastHash, lockHead, missing, readBundle, readTiles, type Tree } from './tlog.js';

/** Entries to a step: bounds what it holds in memory, and how long others wait for the head. */
const STEP = 20_000;

/** The right edge that a process has written last: it need not be read again, if nobody has come between. */
export type EdgeMemory = { known: (Tree & { readonly edge: Edge }) | null };

/** How many entries came in, and from which tree to which. */
export type Sequenced = { readonly count: number; readonly from: Tree; readonly to: Tree };

/**
 * Puts all queued entries into the log. Any process may: the head's row is locked, so that one at a time
 * does, each going on where the last one stopped. Null if there are none.
 */
export async function sequence(
  { pool }: Database,
  memory: EdgeMemory = { known: null },
): Promise<Sequenced | null> {
  const waiting = await pool.query(
    'SELECT FROM tlog_batches WHERE first_index IS NULL ORDER BY batch LIMIT 1',
  );
  if (waiting.rowCount === 0) return null;
  const step = () => transaction(pool, (client) => sequenceSome(client, memory), LOCKED);
  const first = await step();
  let last = first;
  let count = first?.count ?? 0;
  while (last && last.count >= STEP) {
    const next = await step();
    if (!next) break;
    last = next;
    count += next.count;
  }
  return first && last && { count, from: first.from, to: last.to };
}

/** Locked before anything is read: a statement that waits for the lock would read what was there before. */
const LOCKED = 'ISOLATION LEVEL READ COMMITTED; SELECT FROM tlog_head FOR UPDATE';

type BatchRow = { size: bigint; root: Buffer; batch: bigint | null; entries: Buffer };

async function sequenceSome(client: Queryable, memory: EdgeMemory): Promise<Sequenced | null> {
  const rows = await readWaiting(client);
  const [head] = rows;
  if (!head) {
    await lockHead(client);
    return sequenceSome(client, memory);
  }
  const from: Tree = { size: Number(head.size), root: head.root };
  const batches = rows.flatMap(({ batch, entries }) =>
    batch === null ? [] : [{ batch, entries: unpack(entries) }],
  );
  if (batches.length === 0) return null;
  const entries = batches.flatMap((batch) => batch.entries);
  const appended = appendLeaves(await edgeOf(client, from, memory), entries, fastHash);
  let next = from.size;
  const places = batches.map(({ batch, entries: { length } }) => {
    next += length;
    return { batch, first: BigInt(next - length) };
  });
  await writeAppended(client, appended, places);
  const { edge, root } = appended;
  const to = { size: edge.size, root };
  memory.known = { ...to, edge };
  return { count: entries.length, from, to };
}

/**
 * The head, and the first batches that wait. In the order in which they were queued, but for what was not committed
 * when a train-intent was: that comes after it, though a transaction that was slow may have queued it before.
 */
async function readWaiting(client: Queryable): Promise<BatchRow[]> {
  const { rows } = await client.query<BatchRow>(
    `WITH intents AS MATERIALIZED
       (SELECT batch, seen FROM tlog_batches WHERE first_index IS NULL AND seen IS NOT NULL)
     SELECT h.size, h.root, w.batch, w.entries FROM tlog_head h LEFT JOIN
       (SELECT * FROM
          (SELECT batch, entries,
                  sum(count) OVER (ORDER BY place, batch <> place, batch) - count AS before
           FROM (SELECT batch, entries, count,
                        coalesce((SELECT max(i.batch) FROM intents i
                                  WHERE i.batch > b.batch AND NOT pg_visible_in_snapshot(b.xact, i.seen)),
                                 batch) AS place
                 FROM tlog_batches b WHERE first_index IS NULL) AS placed) AS waiting
        WHERE before < ${STEP}) AS w ON true
     ORDER BY w.before`,
  );
  return rows;
}

async function edgeOf(client: Queryable, { size, root }: Tree, memory: EdgeMemory): Promise<Edge> {
  const { known } = memory;
  if (known?.size === size && equalBytes(known.root, root)) return known.edge;
  const edge = await storedEdge(client, size);
  if (equalBytes(edgeRoot(edge, fastHash), root)) return edge;
  throw new LegonetError('tlog_corrupt', 'the tiles of the audit log lead to another root', 'stop');
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

async function storedEdge(client: Queryable, size: number): Promise<Edge> {
  if (size === 0) return EMPTY_EDGE;
  const tiles = await readTiles(client, partialTiles(size));
  return readEdge(
    size,
    async (level, index) => tiles.get(`${level}/${index}`) ?? missing(),
    async (index) => (await readBundle(client, index)) ?? missing(),
  );
}

type Place = { readonly batch: bigint; readonly first: bigint };

async function writeAppended(
  client: Queryable,
  { tiles, bundles, edge, root }: ReturnType<typeof appendLeaves>,
  places: readonly Place[],
): Promise<void> {
  await queryPrepared(
    client,
    `WITH bundles AS (
       INSERT INTO tlog_bundles (bundle, entries) SELECT * FROM unnest($1::int8[], $2::bytea[])
       ON CONFLICT (bundle) DO UPDATE SET entries = excluded.entries
     ), tiles AS (
       INSERT INTO tlog_tiles (level, tile, hashes)
       SELECT * FROM unnest($3::int2[], $4::int8[], $5::bytea[])
       ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes
     ), placed AS (
       UPDATE tlog_batches b SET first_index = p.first, entries = NULL
       FROM unnest($6::int8[], $7::int8[]) AS p(batch, first) WHERE b.batch = p.batch
     )
     UPDATE tlog_head SET size = $8, root = $9`,
    [
      int8Array(bundles.map(({ index }) => BigInt(index))),
      byteaArray(bundles.map(({ bytes }) => bytes)),
      int2Array(tiles.map(({ level }) => level)),
      int8Array(tiles.map(({ index }) => BigInt(index))),
      byteaArray(tiles.map(({ bytes }) => bytes)),
      int8Array(places.map(({ batch }) => batch)),
      int8Array(places.map(({ first }) => first)),
      edge.size,
      root,
    ],
  );
}
