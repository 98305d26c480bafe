import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { utf8 } from '#src/audit/bytes.js';
import { sha256 } from '#src/audit/hash.js';
import { appendLeaves, EMPTY_EDGE } from '#src/audit/log/append.js';
import { signCheckpoint } from '#src/audit/log/checkpoint.js';
import { formatVerifierKey, generateKey } from '#src/audit/log/keys.js';
import { TILE_WIDTH } from '#src/audit/log/tiles.js';
import { openLog } from '#src/service/log-source.js';
import { checkGrown, type LogNow } from '#src/service/monitor.js';

const ORIGIN = 'legonet.example/log';
const key = generateKey(ORIGIN, sha256(utf8('key')));
const vkeys = [formatVerifierKey(key)];
const never = new AbortController().signal;

/** A log of so many entries; from `fork` on they are others. */
function logOf(size: number, fork = size, signer = key): LogNow {
  const entries = Array.from({ length: size }, (_, i) =>
    utf8(`${i < fork ? 'entry' : 'fork'} ${i}`),
  );
  const { tiles, root } = appendLeaves(EMPTY_EDGE, entries);
  const checkpoint = signCheckpoint({ origin: ORIGIN, size, root, extensions: [] }, [signer]);
  return {
    checkpoint,
    tile: async (level, index) => {
      const found = tiles.find((tile) => tile.level === level && tile.index === index);
      return found?.bytes ?? new Uint8Array();
    },
  };
}

describe('the monitor', () => {
  test('lets pass what has only grown, and nothing else, at any sizes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(700), fc.nat(700), fc.nat(699), async (a, b, at) => {
        const [since, size] = [Math.min(a, b), Math.max(a, b)];
        const { checkpoint } = logOf(since);
        const grown = await checkGrown(checkpoint, logOf(size), vkeys);
        expect(grown).toMatchObject({ origin: ORIGIN, since, size });
        if (at >= since) return;
        const forked = checkGrown(checkpoint, logOf(size, at), vkeys);
        await expect(forked).rejects.toMatchObject({ code: 'log_inconsistent' });
      }),
      { numRuns: 60 },
    );
  });

  test('stops at a log that has shrunk', async () => {
    const { checkpoint } = logOf(300);
    const shrunk = checkGrown(checkpoint, logOf(299), vkeys);
    await expect(shrunk).rejects.toMatchObject({ code: 'log_inconsistent' });
  });

  test('believes no checkpoint that the log has not signed, old or new', async () => {
    const other = generateKey(ORIGIN, sha256(utf8('attacker')));
    const forged = logOf(300, 300, other);
    const unsigned = { code: 'unknown_signer' };
    await expect(checkGrown(forged.checkpoint, logOf(300), vkeys)).rejects.toMatchObject(unsigned);
    await expect(checkGrown(logOf(200).checkpoint, forged, vkeys)).rejects.toMatchObject(unsigned);
    const both = [...vkeys, formatVerifierKey(other)];
    expect(await checkGrown(logOf(200).checkpoint, forged, both)).toMatchObject({ size: 300 });
  });

  test('does not take tiles for a proof: those of another log lead nowhere', async () => {
    const { checkpoint } = logOf(200);
    const lying = { checkpoint: logOf(600).checkpoint, tile: logOf(600, 0).tile };
    const refused = checkGrown(checkpoint, lying, vkeys);
    await expect(refused).rejects.toMatchObject({ code: 'log_inconsistent' });
  });
});

describe('a log behind a URL', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** Answers each path with what the function gives for it, and how often it was asked. */
  async function serve(answer: (path: string, times: number) => number | Buffer): Promise<string> {
    const asked = new Map<string, number>();
    server = createServer(({ url = '' }, response) => {
      const times = (asked.get(url) ?? 0) + 1;
      asked.set(url, times);
      const found = answer(url, times);
      if (typeof found === 'number') response.writeHead(found).end();
      else response.end(found);
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/log`;
  }

  test('is asked again after a failure of its server', async () => {
    const url = await serve((_, times) => (times < 2 ? 503 : Buffer.from('note\n')));
    expect(await openLog(url, never).checkpoint()).toBe('note\n');
  });

  test('may have the full bundle alone, where a partial one is asked for', async () => {
    const url = await serve((path) => (path === '/log/tile/entries/x001/002' ? Buffer.of(1) : 404));
    expect(Buffer.from(await openLog(url, never).bundle(1002, 7))).toEqual(Buffer.of(1));
    const missing = openLog(url, never).bundle(1003, TILE_WIDTH);
    await expect(missing).rejects.toMatchObject({ code: 'audit_log_unreadable' });
  });

  test('cannot fill our memory', async () => {
    const url = await serve(() => Buffer.alloc(2_000_000));
    const large = openLog(url, never).checkpoint();
    await expect(large).rejects.toMatchObject({ code: 'audit_log_unreadable' });
  });
});
