import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '#src/audit/bytes.js';
import { leafHash, sha256 } from '#src/audit/hash.js';
import { rootOf } from '#src/audit/log/merkle.js';
import { type ListedSample, readListing } from '#src/audit/replay/listing.js';
import { runningRoot } from '#src/audit/replay/rehash.js';
import { loggedSamples } from '#src/audit/replay/samples.js';
import { fastHash } from '#src/store/tlog.js';
import { auditWorld, type Version } from '../support/audit-world.js';
import { listingOf, pieces, replayed } from '../support/replayed.js';

const numbered = (n: number): Uint8Array => sha256(utf8(`${n}`));

test('the running root is that of the tree over all entries so far, whatever hashes them', () => {
  for (const tree of [runningRoot(), runningRoot(fastHash)]) {
    const leaves: Uint8Array[] = [];
    for (let size = 0; size <= 300; size++) {
      expect(tree.size()).toBe(size);
      expect(Buffer.from(tree.root())).toEqual(Buffer.from(rootOf(leaves)));
      tree.add(utf8(`entry ${size}`));
      leaves.push(leafHash(utf8(`entry ${size}`)));
    }
  }
});

describe('what the log says of samples', () => {
  test('is kept of any number', () => {
    const samples = loggedSamples(2);
    for (let n = 0; n < 5000; n++) samples.ingest(n, numbered(n), numbered(-n));
    for (let n = 0; n < 5000; n += 3) samples.remove(5000 + n, numbered(n));
    for (let n = 0; n < 5000; n++) {
      const row = samples.find(numbered(n));
      expect(samples.ingested(row)).toBe(n);
      expect(samples.isLive(row)).toBe(n % 3 !== 0);
      expect(samples.membership(row)).toEqual(numbered(-n));
    }
    expect(samples.find(numbered(5000))).toBe(-1);
  });

  test('is the last that happened to a commitment', () => {
    const samples = loggedSamples();
    const [commitment, membership] = [numbered(1), numbered(2)];
    samples.ingest(1, commitment, membership);
    samples.ingest(2, commitment, membership);
    samples.remove(3, commitment);
    samples.remove(4, commitment);
    const row = samples.find(commitment);
    expect([samples.ingested(row), samples.removed(row)]).toEqual([1, 3]);
    samples.ingest(5, commitment, membership);
    expect([samples.ingested(row), samples.isLive(row)]).toEqual([5, true]);
    expect(() => samples.ingest(6, commitment, numbered(3))).toThrow('with other adapters');
    expect(() => samples.remove(7, numbered(9))).toThrow('never ingested');
  });
});

describe('a listing', () => {
  const world = auditWorld();
  for (let i = 0; i < 5; i++) world.ingest(`sample-${i}`);
  world.build();
  world.remove('sample-2');
  const version: Version = world.build();
  const samples = [...world.retained.values()];
  const listing = listingOf(version, samples);

  test('is read as it was written, in pieces of any size', async () => {
    for (const size of [1, 7, 64, 10_000]) {
      const found: ListedSample[] = [];
      const head = await readListing(pieces(listing, size), () => (sample) => {
        found.push({ ...sample, commitment: sample.commitment.slice() });
      });
      expect(head).toMatchObject({ version: 2, activated: 3, retained: 4 });
      const sorted = samples.toSorted((a, b) => Buffer.compare(a.commitment, b.commitment));
      expect(found.map(({ commitment }) => commitment)).toEqual(
        sorted.map(({ commitment }) => commitment),
      );
      expect(found.map(({ adapters }) => adapters)).toEqual(sorted.map(({ adapters }) => adapters));
    }
  });

  test('of which any byte is another, or cut off, or added, fails at level 2, and never throws', async () => {
    expect(await replayed(world, version, listing)).toMatchObject({ ok: true });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(listing.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const changed = listing.with(at, (listing[at] as number) ^ flip);
          expect((await replayed(world, version, changed)).ok).toBe(false);
          expect((await replayed(world, version, listing.subarray(0, at))).ok).toBe(false);
        },
      ),
      { numRuns: 150 },
    );
    const longer = Buffer.concat([listing, Buffer.of(0)]);
    expect((await replayed(world, version, longer)).ok).toBe(false);
  });
});
