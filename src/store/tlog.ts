import { hash } from 'node:crypto';
import type { Hash } from '../audit/log/append.js';
import type { ReadTile } from '../audit/log/tiles.js';
import { LegonetError } from '../errors.js';
import { int2Array, int8Array } from './arrays.js';
import type { Queryable } from './database.js';

/** How far the audit log has come, and what of it is signed. */
export type Head = {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly signedSize: number;
  /** A signed note; null before the first. */
  readonly checkpoint: string | null;
};

/** SHA-256 by OpenSSL: twice as fast as one that also runs in a browser. */
export const fastHash: Hash = (bytes) => hash('sha256', bytes, 'buffer');

/** A tree of the log: its size and its root. */
export type Tree = { readonly size: number; readonly root: Uint8Array };

/** Which log it is: a name that no other has, and that its backups have too. */
export async function readLogId(client: Queryable): Promise<string> {
  const known = await findLogId(client);
  if (known !== null) return known;
  await makeHead(client);
  return (await findLogId(client)) ?? missing();
}

/** The same; null, and nothing written, where there is no log yet. */
export async function findLogId(client: Queryable): Promise<string | null> {
  const { rows } = await client.query<{ log: string }>('SELECT log FROM tlog_head');
  return rows[0]?.log ?? null;
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

export function missing(): never {
  throw new LegonetError('tlog_corrupt', 'the audit log lacks a tile that it must have', 'stop');
}

/** A stored bundle of entries, as wide as it is; null if there is none. */
export async function readBundle(client: Queryable, index: number): Promise<Uint8Array | null> {
  const { rows } = await client.query<{ entries: Buffer }>(
    'SELECT entries FROM tlog_bundles WHERE bundle = $1',
    [index],
  );
  return rows[0]?.entries ?? null;
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

export async function readTiles(
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
