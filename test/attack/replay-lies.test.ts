import { describe, expect, test } from 'vitest';
import { utf8 } from '#src/audit/bytes.js';
import {
  membershipCommitment,
  membershipSalt,
  sampleCommitment,
  setKey,
} from '#src/audit/commitment.js';
import { leafHash, sha256 } from '#src/audit/hash.js';
import { decodeLeaf, encodeLeaf, rotationMessage } from '#src/audit/leaves.js';
import { signEd25519 } from '#src/audit/log/ed25519.js';
import { formatVerifierKey, generateKey } from '#src/audit/log/keys.js';
import type { ReplayCheckName } from '#src/audit/replay/verify.js';
import type { Entry } from '#src/audit/sets/tree.js';
import {
  type AuditWorld,
  auditWorld,
  ORIGIN,
  type Sample,
  type Version,
} from '../support/audit-world.js';
import { claimFor, listingOf, replayed, sourceOf } from '../support/replayed.js';

/*
 * What level 2 catches: one test to a lie of the server, which has the signing key and writes the listing. Each is
 * caught by the checks named, and passes once they are left out. docs/assurance.md has the same list.
 */

/** Version 1 holds twenty samples. */
function world(): AuditWorld {
  const world = auditWorld();
  for (let i = 0; i < 20; i++) world.ingest(`sample-${i}`);
  world.build();
  return world;
}

type Options = Parameters<typeof replayed>[3];

async function failures(
  world: AuditWorld,
  version: Version,
  listing: Uint8Array = listingOf(version, world.retained.values()),
  options: Options = {},
): Promise<string[]> {
  const { ok, checks } = await replayed(world, version, listing, options);
  const failed = checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
  expect(ok).toBe(failed.length === 0);
  return failed;
}

async function caught(
  world: AuditWorld,
  version: Version,
  by: readonly ReplayCheckName[],
  listing: Uint8Array = listingOf(version, world.retained.values()),
  options: Options = {},
): Promise<void> {
  expect(await failures(world, version, listing, options)).toEqual(by);
  expect(await failures(world, version, listing, { ...options, without: by })).toEqual([]);
}

describe('the truth passes', () => {
  test('with deletions, corrections, a new key and carried adapters', async () => {
    const honest = world();
    honest.remove('sample-7');
    honest.build();
    honest.rotate();
    honest.ingest('more');
    honest.remove('sample-8');
    honest.erase('sample-7');
    honest.build();
    honest.rotate();
    const last = honest.ingest('last');
    const version = honest.build();
    expect(version.trained.filter(({ builtIn }) => builtIn === 3)).toHaveLength(
      last.adapters.length,
    );
    const earlier = [listingOf(version, honest.retained.values())];
    expect(await failures(honest, version, undefined, { earlier })).toEqual([]);
  });

  test('of what comes between cut and train-intent: it may be in the version or not', async () => {
    const honest = world();
    honest.remove('sample-7');
    const early = [...honest.retained.values()];
    const late = honest.ingest('late');
    const leaving = honest.remove('sample-3').sample;
    const entries = early.map(({ entry }) => entry);
    const version = honest.build({
      retained: () => entries,
      members: (adapter) =>
        early.filter(({ adapters }) => adapters.includes(adapter)).map(({ entry }) => entry),
    });
    const { ok, checks } = await replayed(honest, version, listingOf(version, early));
    expect(ok).toBe(true);
    const details = checks.map(({ detail }) => detail).join('\n');
    expect(details).toContain('1 go with the next version');
    expect(details).toContain('1 come with the next version');
    expect([late, leaving].map(({ commitment }) => commitment.length)).toEqual([32, 32]);
  });
});

const without = (entry: Entry) => (entries: readonly Entry[]) =>
  entries.filter((other) => other !== entry);

test('a retained set that omits a live sample', async () => {
  const liar = world();
  const { entry, commitment } = liar.ingest('live');
  liar.build();
  liar.remove('sample-3');
  const version = liar.build({
    retained: without(entry),
    members: (_, members) => without(entry)(members),
  });
  const others = [...liar.retained.values()].filter((sample) => sample.commitment !== commitment);
  await caught(liar, version, ['omitted'], listingOf(version, others));
});

test('a deleted sample left in every set', async () => {
  const liar = world();
  const { sample } = liar.remove('sample-7');
  liar.build();
  liar.ingest('more');
  const version = liar.build({
    retained: (entries) => [...entries, sample.entry],
    members: (adapter, members) =>
      sample.adapters.includes(adapter) ? [...members, sample.entry] : members,
  });
  await caught(liar, version, ['deleted'], listingOf(version, [...liar.retained.values(), sample]));
});

test('a sample left in the set of one adapter beyond its own', async () => {
  const liar = world();
  liar.remove('sample-7');
  const sample = liar.retained.get('sample-3') as Sample;
  const beyond = [0, 1, 2, 3, 4, 5, 6, 7].find((id) => !sample.adapters.includes(id));
  const version = liar.build({
    members: (adapter, members) => (adapter === beyond ? [...members, sample.entry] : members),
  });
  await caught(liar, version, ['adapter-sets']);
});

test('a sample that the log never ingested', async () => {
  const liar = world();
  const opening = { ...(liar.retained.get('sample-3') as Sample), id: 'undeclared' };
  const commitment = sampleCommitment(opening);
  const value = membershipCommitment(membershipSalt(opening.salt), opening.adapters);
  const undeclared = { ...opening, commitment, entry: { key: setKey(commitment), value } };
  liar.ingest('more');
  const version = liar.build({
    retained: (entries) => [...entries, undeclared.entry],
    members: (adapter, members) =>
      undeclared.adapters.includes(adapter) ? [...members, undeclared.entry] : members,
  });
  const listing = listingOf(version, [...liar.retained.values(), undeclared]);
  await caught(liar, version, ['ingested'], listing);
});

test('a sample with other adapters than it was ingested with', async () => {
  const liar = world();
  const sample = liar.retained.get('sample-3') as Sample;
  const adapters = [0, 1, 2, 3, 4, 5, 6, 7]
    .filter((id) => !sample.adapters.includes(id))
    .slice(0, 3);
  const value = membershipCommitment(membershipSalt(sample.salt), adapters);
  const moved = { ...sample, adapters, entry: { key: sample.entry.key, value } };
  // The liar builds all of it as if the sample had been there from the beginning.
  liar.remove('sample-7');
  liar.retained.set('sample-3', moved);
  const version = liar.build();
  const failed = await failures(liar, version);
  expect(failed).toContain('ingested');
  await caught(liar, version, ['ingested', 'omitted']);
});

test('a train-intent for other sets than the version', async () => {
  const liar = world();
  liar.remove('sample-7');
  const version = liar.build({ intended: (_, members) => members.slice(1) });
  await caught(liar, version, ['adapter-sets']);
});

test('weights digests that do not lead to the model', async () => {
  const liar = world();
  liar.remove('sample-7');
  await caught(liar, liar.build({ model: sha256(utf8('another')) }), ['weights']);
});

test('weights digests in the listing that are not the version’s', async () => {
  const liar = world();
  liar.remove('sample-7');
  const version = liar.build();
  const adapters = version.trained.map((one) => ({ ...one, weights: sha256(one.weights) }));
  const listing = listingOf(version, liar.retained.values(), { adapters });
  await caught(liar, version, ['adapter-sets', 'weights'], listing);
});

test('a stale adapter carried, with a set that has grown since', async () => {
  const liar = world();
  const { adapters } = liar.ingest('more');
  const version = liar.build({ carried: adapters.slice(0, 1) });
  await caught(liar, version, ['carried']);
});

test('a stale adapter carried, whose set has lost a sample: caught with the listing from before', async () => {
  const liar = world();
  const first = liar.versions[0] as Version;
  const before = listingOf(first, liar.retained.values());
  const { adapters } = liar.remove('sample-7').sample;
  const version = liar.build({ carried: adapters.slice(0, 1) });
  // Without that listing it shows at level 3, and in the deleted sample's certificate.
  expect(await failures(liar, version)).toEqual([]);
  const listing = listingOf(version, liar.retained.values());
  await caught(liar, version, ['carried-sets'], listing, { earlier: [before] });
  const other = listingOf(first, liar.retained.values());
  expect(await failures(liar, version, listing, { earlier: [other] })).toEqual(['carried-sets']);
});

test('the listing of another version', async () => {
  const liar = world();
  const stale = listingOf(liar.versions[0] as Version, liar.retained.values());
  liar.remove('sample-7');
  const version = liar.build();
  const failed = await failures(liar, version, stale);
  expect(failed).toContain('listing');
});

describe('the history of versions', () => {
  /** A lie in version 2; the one looked at is version 3, which is honest. */
  async function inHistory(lie: (liar: AuditWorld) => void): Promise<void> {
    const liar = world();
    liar.remove('sample-7');
    lie(liar);
    liar.remove('sample-8');
    await caught(liar, liar.build(), ['history']);
  }

  test('a version trained before its train-intent was logged', () =>
    inHistory((liar) => liar.build({ intentAfter: true })));

  test('another entry passed off as the train-intent', () =>
    inHistory((liar) => liar.build({ intentEntry: () => 0 })));

  test('a version whose parent is none', () =>
    inHistory((liar) => liar.build({ parent: sha256(utf8('invented')) })));

  test('a version hidden: its number is missing', () =>
    inHistory((liar) => {
      liar.build();
      // What stood in the log is still there; the version in between was never logged.
      const { index, intentIndex } = liar.versions[1] as Version;
      const noise = encodeLeaf({
        kind: 'delete',
        commitment: null,
        request: sha256(utf8('noise')),
      });
      for (const at of [index, intentIndex]) {
        liar.entries[at] = noise;
        liar.leaves[at] = leafHash(noise);
      }
    }));

  test('an entry of a kind that there is not', () =>
    inHistory((liar) => {
      liar.build();
      const entry = utf8('legonet.secret.v1\n');
      liar.entries.push(entry);
      liar.leaves.push(leafHash(entry));
    }));
});

describe('the log', () => {
  test('an entry rewritten, whatever tiles there are', async () => {
    const liar = world();
    liar.remove('sample-7');
    const version = liar.build();
    liar.remove('sample-8');
    const rewritten = liar.entries.with(
      -1,
      encodeLeaf({
        ...decodeLeaf(liar.entries.at(-1) ?? new Uint8Array()),
        request: sha256(utf8('x')),
      } as never),
    );
    await caught(
      liar,
      version,
      ['log-entries'],
      listingOf(version, [
        ...liar.retained.values(),
        liar.deletions.get('sample-8')?.sample as Sample,
      ]),
      { log: sourceOf(liar, rewritten) },
    );
  });

  test('a log that is older than the certificate', async () => {
    const liar = world();
    const old = sourceOf(liar, [...liar.entries]);
    liar.remove('sample-7');
    const version = liar.build();
    expect(await failures(liar, version, undefined, { log: old })).toEqual(['log-entries']);
  });

  test('a fork: another log than the certificate is of', async () => {
    const liar = world();
    liar.remove('sample-7');
    const version = liar.build();
    const claim = claimFor(liar, version);
    const entry = encodeLeaf({ kind: 'delete', commitment: null, request: sha256(utf8('fork')) });
    liar.entries[0] = entry;
    liar.leaves[0] = leafHash(entry);
    const failed = await failures(liar, version, undefined, { claim });
    expect(failed).toContain('log-entries');
  });

  test('signed by a key that the one before has not signed for', async () => {
    const liar = world();
    liar.remove('sample-7');
    const version = liar.build();
    const claim = claimFor(liar, version);
    liar.rotate(generateKey(ORIGIN, sha256(utf8('attacker'))));
    await caught(liar, version, ['log-key'], undefined, { claim });
  });

  test('signed by a key that a rotation in it has replaced', async () => {
    const liar = world();
    liar.remove('sample-7');
    const version = liar.build();
    const old = liar.key();
    const claim = claimFor(liar, version);
    liar.rotate();
    const log = sourceOf(liar, undefined, liar.checkpoint(old));
    await caught(liar, version, ['log-key'], undefined, { claim, log });
    expect(formatVerifierKey(old)).not.toBe(liar.vkey());
    expect(signEd25519(rotationMessage(ORIGIN, liar.vkey()), old.seed)).toHaveLength(64);
  });
});

/*
 * What level 2 does not show.
 */
test('weights that do not come from the sets pass, and are caught at level 3', async () => {
  const liar = world();
  liar.remove('sample-7');
  const version = liar.build({ weights: () => sha256(utf8('others')) });
  expect(await failures(liar, version)).toEqual([]);
});
