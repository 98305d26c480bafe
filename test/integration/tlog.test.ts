import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leafHash } from '#src/audit/hash.js';
import { parseBundle } from '#src/audit/log/bundle.js';
import { nodesOver, rootOf } from '#src/audit/log/merkle.js';
import { treeRoot } from '#src/audit/log/tile-proofs.js';
import { type Database, openDatabase, transaction } from '#src/store/database.js';
import { migrate } from '#src/store/migrate.js';
import { indexOf, readBundle, readHead, tileReader } from '#src/store/tlog.js';
import { queueEntries } from '#src/store/tlog-queue.js';
import { sequence } from '#src/store/tlog-sequence.js';
import { createTestDatabase } from '../support/database.js';

let database: Database;
let drop: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  database = openDatabase(created.url);
  await migrate(database);
});
afterAll(async () => {
  await database.close();
  await drop();
});

const entry = (n: number): Uint8Array => new TextEncoder().encode(`entry ${n}`);
const entries = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => entry(from + i));

async function all(): Promise<Uint8Array[]> {
  const { size } = await readHead(database.pool);
  const found: Uint8Array[] = [];
  for (let bundle = 0; bundle * 256 < size; bundle++) {
    found.push(...parseBundle((await readBundle(database.pool, bundle)) ?? new Uint8Array()));
  }
  return found;
}

describe('the audit log', () => {
  test('takes in what is queued in the order of its batches, and says where each entry is', async () => {
    const batches: { batch: bigint; from: number }[] = [];
    let next = 0;
    for (const count of [1, 255, 1, 700, 3]) {
      const from = next;
      next += count;
      const batch = await queueEntries(database.pool, entries(from, count));
      batches.push({ batch, from });
      if (count === 1) expect((await sequence(database))?.count).toBeGreaterThan(0);
    }
    await sequence(database);
    expect(await sequence(database)).toBeNull();
    expect((await all()).map((bytes) => new TextDecoder().decode(bytes))).toEqual(
      Array.from({ length: next }, (_, n) => `entry ${n}`),
    );
    for (const { batch, from } of batches)
      expect(await indexOf(database.pool, batch, 0)).toBe(from);
    const head = await readHead(database.pool);
    const leaves = (await all()).map(leafHash);
    expect(head.size).toBe(next);
    expect(Buffer.from(head.root)).toEqual(Buffer.from(rootOf(leaves)));
    expect(nodesOver(leaves)).toBeTypeOf('function');
    expect(Buffer.from(await treeRoot(next, tileReader(database.pool)))).toEqual(
      Buffer.from(head.root),
    );
  });

  test('an entry whose transaction is rolled back is not there', async () => {
    const before = await readHead(database.pool);
    const failing = transaction(database.pool, async (client) => {
      await queueEntries(client, [entry(-1)]);
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    expect(await sequence(database)).toBeNull();
    expect(await readHead(database.pool)).toEqual(before);
  });

  test('several sequencers at once lose and double nothing', async () => {
    const { size } = await readHead(database.pool);
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        await queueEntries(database.pool, entries(size + 10 * n, 10));
        await sequence(database);
      }),
    );
    await sequence(database);
    const texts = (await all()).map((bytes) => new TextDecoder().decode(bytes));
    expect(texts.length).toBe(size + 200);
    expect(new Set(texts).size).toBe(size + 200);
    expect(Buffer.from((await readHead(database.pool)).root)).toEqual(
      Buffer.from(rootOf((await all()).map(leafHash))),
    );
  });

  test('has behind a train-intent what was not committed when that was, whenever it was queued', async () => {
    const before = (await readHead(database.pool)).size;
    const client = await database.pool.connect();
    await client.query('BEGIN');
    const slow = await queueEntries(client, [entry(1), entry(2)]);
    const early = await queueEntries(database.pool, [entry(3)]);
    const intent = await queueEntries(database.pool, [entry(4)], true);
    const version = await queueEntries(database.pool, [entry(5)]);
    await client.query('COMMIT');
    client.release();
    await sequence(database);
    const at = (batch: bigint) => indexOf(database.pool, batch, 0);
    expect([await at(early), await at(intent), await at(slow), await at(version)]).toEqual([
      before,
      before + 1,
      before + 2,
      before + 4,
    ]);
    expect((await all()).slice(before)).toEqual(
      [3, 4, 1, 2, 5].map(entry).map((e) => Buffer.from(e)),
    );
  });
});
