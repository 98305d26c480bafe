import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { concat, utf8 } from '#src/audit/bytes.js';
import { leafHash } from '#src/audit/hash.js';
import { parseBundle } from '#src/audit/log/bundle.js';
import { type Checkpoint, openCheckpoint } from '#src/audit/log/checkpoint.js';
import { formatVerifierKey, parseVerifierKey, verifierOf } from '#src/audit/log/keys.js';
import { treeRoot } from '#src/audit/log/tile-proofs.js';
import { entriesPath, splitHashes, tilePath, tilesOf } from '#src/audit/log/tiles.js';
import { parseTlogProof, verifyTlogProof } from '#src/audit/log/tlog-proof.js';
import { readHead } from '#src/store/tlog.js';
import { queueEntries } from '#src/store/tlog-queue.js';
import { sequence } from '#src/store/tlog-sequence.js';
import { deletion, ingests, openTestHttp, type TestHttp } from '../support/http.js';
import { tinyModel } from '../support/models.js';

const model = tinyModel();
let http: TestHttp;
/** How it stood at first, when the first tiles were not full. */
let first: Checkpoint;
let early: Uint8Array;

beforeAll(async () => {
  http = await openTestHttp(model, { ratePerMinute: 1 });
  await http.append(ingests(model, 's', 100));
  await http.catchUp();
  first = await checkpoint();
  early = await bytes(tilePath({ level: 0, index: 0, width: first.size }));
  await http.append([deletion('s7'), ...ingests(model, 't', 700)]);
  await http.catchUp();
});
afterAll(() => http.close());

const get = (path: string, init?: RequestInit) => http.ask(`/${path}`, null, init);

async function bytes(path: string): Promise<Uint8Array> {
  const answer = await get(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function problem(path: string, from = http): Promise<[number, string, string | null]> {
  const answer = await from.ask(`/${path}`, null);
  const { code } = (await answer.json()) as { code: string };
  return [answer.status, code, answer.headers.get('cache-control')];
}

const key = async () => verifierOf((await http.service.signer()).key);

async function checkpoint(): Promise<Checkpoint> {
  const note = await (await get('checkpoint')).text();
  const verifier = await key();
  return openCheckpoint(note, { keys: [verifier], origin: verifier.name });
}

const readTile = (level: number, index: number, width: number) =>
  bytes(tilePath({ level, index, width }));

describe('the served log', () => {
  test('is whole: from its tiles alone comes the root that the checkpoint signs', async () => {
    const { size, root } = await checkpoint();
    expect(size).toBeGreaterThan(800);
    for (const tile of tilesOf(size)) {
      const served = await readTile(tile.level, tile.index, tile.width);
      expect(served.length, tilePath(tile)).toBe(32 * tile.width);
    }
    expect(await treeRoot(size, readTile)).toEqual(root);
  });

  test('has for each hash the entry, and no byte more', async () => {
    const { size } = await checkpoint();
    for (const tile of [...tilesOf(size)].filter(({ level }) => level === 0)) {
      const entries = parseBundle(await bytes(entriesPath(tile)));
      const hashes = splitHashes(await bytes(tilePath(tile)));
      expect(entries.map(leafHash)).toEqual(hashes);
    }
  });

  test('proves each entry to any verifier of tlog-proofs, and none beyond', async () => {
    const { size } = await checkpoint();
    const verifier = await key();
    const [entry = utf8('')] = parseBundle(await bytes(entriesPath({ index: 0, width: 1 })));
    for (const index of [0, 300, size - 1]) {
      const proof = parseTlogProof(await (await get(`v1/log/proof/${index}`)).text());
      expect(proof.index).toBe(index);
      const trust = { keys: [verifier], origin: verifier.name };
      const verify = () => verifyTlogProof(proof, leafHash(entry), trust);
      if (index === 0) expect(verify).not.toThrow();
      else expect(verify).toThrow();
    }
    expect(await problem(`v1/log/proof/${size}`)).toEqual([404, 'no_entry', 'no-store']);
  });

  test('goes on to serve what was a partial tile, as it was, when the tile is full', async () => {
    expect(first.size).toBeLessThan(256);
    const partial = { level: 0, index: 0, width: first.size };
    expect(await bytes(tilePath(partial))).toEqual(early);
    const full = await bytes('tile/0/000');
    expect(full.subarray(0, early.length)).toEqual(early);
    const entries = await bytes(entriesPath(partial));
    expect(parseBundle(entries).map(leafHash)).toEqual(splitHashes(early));
  });

  test('ends where the signed checkpoint does, though the log goes on', async () => {
    const { pool } = http.service.database;
    const signed = await checkpoint();
    const index = Math.floor(signed.size / 256);
    const width = signed.size % 256;
    expect(width).toBeGreaterThan(0);
    const edge = await readTile(0, index, width);
    await queueEntries(
      pool,
      Array.from({ length: 300 }, (_, i) => utf8(`unsigned ${i}`)),
    );
    await sequence(http.service.database);
    const head = await readHead(pool);
    expect([head.size, head.signedSize]).toEqual([signed.size + 300, signed.size]);
    expect(await checkpoint()).toEqual(signed);
    for (const beyond of [
      { level: 0, index, width: width + 1 },
      { level: 0, index, width: 256 },
      { level: 0, index: index + 1, width: 1 },
      { level: 1, index: 0, width: index + 1 },
      { level: 63, index: 0, width: 1 },
      { level: 0, index: Number.MAX_SAFE_INTEGER, width: 1 },
    ]) {
      const expected = [404, 'no_tile', 'no-store'];
      expect(await problem(tilePath(beyond)), tilePath(beyond)).toEqual(expected);
      if (beyond.level > 0) continue;
      expect(await problem(entriesPath(beyond)), entriesPath(beyond)).toEqual(expected);
    }
    expect(await readTile(0, index, width)).toEqual(edge);
    const entries = parseBundle(await bytes(entriesPath({ index, width })));
    expect(concat(...entries.map(leafHash))).toEqual(edge);
  });
});

describe('what is served of the log', () => {
  test('may be kept for ever by every cache, but for the checkpoint', async () => {
    const paths = ['tile/0/000', 'tile/0/000.p/5', 'tile/entries/000', 'tile/1/000.p/3'];
    for (const path of paths) {
      const { headers } = await get(path);
      expect(headers.get('content-type'), path).toBe('application/octet-stream');
      expect(headers.get('cache-control'), path).toBe('public, max-age=31536000, immutable');
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    }
    const { headers } = await get('checkpoint');
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-cache');
  });

  test.each(['checkpoint', 'tile/0/000', 'tile/entries/000.p/5', 'v1/log/key'])(
    'has the same headers for HEAD, with the length, and no content: %s',
    async (path) => {
      const whole = await get(path);
      const { byteLength } = await whole.arrayBuffer();
      const head = await get(path, { method: 'HEAD' });
      expect((await head.arrayBuffer()).byteLength).toBe(0);
      expect(head.headers.get('content-length')).toBe(String(byteLength));
      for (const name of ['content-type', 'content-length', 'cache-control', 'referrer-policy']) {
        expect(head.headers.get(name), name).toBe(whole.headers.get(name));
      }
    },
  );

  test('is not counted: a monitor may read it as fast as it can', async () => {
    for (let i = 0; i < 100; i++) expect((await get('tile/0/000')).status).toBe(200);
  });

  test.each([
    'tile/0/0',
    'tile/0/0000',
    'tile/0/x000/000',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/000/',
    'tile/0//000',
    'tile/0/001%20',
    'tile/0/000%00',
    'tile/0/x001/../000.p/5x',
    'tile/entries',
    'tile/entries/',
    'tile/entries/0/000',
    'tile/entries/000.p/',
    'tile/data/000',
    'tile/',
  ])('is under no other path: %s', async (path) => {
    expect(await problem(path)).toEqual([400, 'invalid_tile_path', 'no-store']);
  });

  test('can be read only', async () => {
    for (const path of ['checkpoint', 'tile/0/000', 'tile/entries/000']) {
      const answer = await get(path, { method: 'PUT', body: 'x' });
      expect([answer.status, answer.headers.get('allow')], path).toEqual([405, 'GET, HEAD']);
    }
    expect(await problem('tile')).toEqual([404, 'no_route', 'no-store']);
    expect(await problem('checkpoint/')).toEqual([404, 'no_route', 'no-store']);
  });

  test('is nothing before the first checkpoint', async () => {
    const empty = await openTestHttp(model);
    try {
      for (const path of ['checkpoint', 'v1/log/key']) {
        expect(await problem(path, empty)).toEqual([404, 'no_checkpoint', 'no-store']);
      }
      for (const path of ['tile/0/000.p/1', 'tile/0/000', 'tile/entries/000.p/1']) {
        expect(await problem(path, empty)).toEqual([404, 'no_tile', 'no-store']);
      }
    } finally {
      await empty.close();
    }
  });
});

test('the key that is served is that of the checkpoint, and it is said that this proves nothing', async () => {
  const served = (await (await get('v1/log/key')).json()) as Record<string, string>;
  const note = await (await get('checkpoint')).text();
  expect(served).toEqual({
    origin: note.split('\n')[0],
    vkey: formatVerifierKey(await key()),
    earlier: [],
    notice: expect.stringContaining('from somewhere else'),
  });
  const keys = [parseVerifierKey(served.vkey ?? '')];
  expect(openCheckpoint(note, { keys, origin: served.origin ?? '' }).size).toBeGreaterThan(0);
});
