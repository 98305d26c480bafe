import { describe, expect, test } from 'vitest';
import { utf8 } from '#src/audit/bytes.js';
import { assembleCertificate, type Evidence } from '#src/audit/certificate/compose.js';
import {
  adaptersRootOf,
  intentHash,
  membershipOf,
  type Roots,
  rootOfProof,
  statementOf,
} from '#src/audit/certificate/rebuild.js';
import { CERTIFICATE_TYPE, type Certificate, NOT_SHOWN } from '#src/audit/certificate/schema.js';
import {
  type CheckName,
  type ReceiptOpening,
  verifyWithout,
} from '#src/audit/certificate/verify.js';
import { membershipCommitment, membershipSalt, requestCommitment } from '#src/audit/commitment.js';
import { IN_TOTO, signPayload } from '#src/audit/dsse.js';
import { leafHash, sha256 } from '#src/audit/hash.js';
import { decodeLeaf, encodeLeaf } from '#src/audit/leaves.js';
import { parseCheckpoint } from '#src/audit/log/checkpoint.js';
import { signEd25519 } from '#src/audit/log/ed25519.js';
import { generateKey } from '#src/audit/log/keys.js';
import { consistencyProofOf, nodesOver, rootOf, verifyConsistency } from '#src/audit/log/merkle.js';
import { parseNote } from '#src/audit/log/note.js';
import { encodeSetProof } from '#src/audit/sets/encoding.js';
import { type Entry, proveSet, setRoot } from '#src/audit/sets/tree.js';
import {
  type AuditWorld,
  afterFields,
  auditWorld,
  type Deletion,
  type Version,
} from '../support/audit-world.js';

/*
 * One test to a lie. The liar is the server: it has the signing key, and signs whatever helps. Each lie is caught
 * by the checks named, and passes once they are left out. docs/assurance.md has the same list.
 */

const TARGET = 'sample-7';

/** Version 1 holds twenty samples. */
function world(): AuditWorld {
  const world = auditWorld();
  for (let i = 0; i < 20; i++) world.ingest(`sample-${i}`);
  world.build();
  return world;
}

const deletion = (world: AuditWorld, id = TARGET) => world.deletions.get(id) as Deletion;
const version = (world: AuditWorld, number: number) => world.versions[number - 1] as Version;

function failures(
  world: AuditWorld,
  evidence: Evidence,
  without: readonly CheckName[] = [],
  opening?: ReceiptOpening,
): string[] {
  const text = assembleCertificate(evidence, world.vkey());
  const options = { vkey: world.vkey(0), ...(opening && { opening }) };
  const { ok, checks } = verifyWithout(text, options, new Set(without));
  const failed = checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
  expect(ok).toBe(failed.length === 0);
  return failed;
}

/** That these checks and no others catch the lie: it is sound but for what they look at. */
function caught(
  world: AuditWorld,
  evidence: Evidence,
  by: readonly CheckName[],
  opening?: ReceiptOpening,
): void {
  expect(failures(world, evidence, [], opening)).toEqual(by);
  expect(failures(world, evidence, by, opening)).toEqual([]);
}

/** The evidence with a statement that fits it, signed: the liar has the key. */
function resigned(world: AuditWorld, evidence: Evidence): Evidence {
  const certificate: Certificate = {
    ...evidence,
    after: { ...evidence.after, shared: [] },
    type: CERTIFICATE_TYPE,
    notShown: [...NOT_SHOWN],
  };
  const { after } = evidence;
  const value = membershipOf(certificate);
  const setRoots = after.adapters.absence.map((proof) => rootOfProof(certificate, proof, value));
  const roots: Roots = {
    before: evidence.before && rootOfProof(certificate, evidence.before.presence, value),
    retained: rootOfProof(certificate, after.absence, value),
    adapters: adaptersRootOf(certificate, setRoots),
  };
  const payload = statementOf(certificate, roots, intentHash(certificate, roots));
  const sign = (message: Uint8Array) => signEd25519(message, world.key().seed);
  return { ...evidence, after: { ...after, signature: signPayload(IN_TOTO, payload, sign) } };
}

test('the truth passes', () => {
  const honest = world();
  honest.remove(TARGET);
  honest.build();
  expect(failures(honest, resigned(honest, honest.evidence(deletion(honest))))).toEqual([]);
});

describe('a sample left in one adapter’s set', () => {
  const liar = world();
  const { sample } = liar.remove(TARGET);
  const [left] = sample.adapters;
  liar.build({
    members: (adapter, members) => (adapter === left ? [...members, sample.entry] : members),
  });
  const evidence = liar.evidence(deletion(liar));

  test('shows in the proof from that set', () => {
    caught(liar, evidence, ['absence-adapters']);
  });

  test('dressed up as another’s leaf, shows as well', () => {
    const { siblings } = proveSet(version(liar, 2).sets[left as number] ?? [], sample.entry.key);
    const dressed = encodeSetProof({ siblings, present: false, other: sample.entry });
    const absence = evidence.after.adapters.absence.with(0, dressed);
    const adapters = { ...evidence.after.adapters, absence };
    caught(liar, { ...evidence, after: { ...evidence.after, adapters } }, ['absence-adapters']);
  });

  test('with a proof from the set that it should be, does not lead to the logged version', () => {
    const members = (version(liar, 2).sets[left as number] ?? []).filter(
      (entry) => entry !== sample.entry,
    );
    const proof = encodeSetProof(proveSet(members, sample.entry.key));
    const adapters = {
      ...evidence.after.adapters,
      absence: evidence.after.adapters.absence.with(0, proof),
    };
    const changed = { ...evidence, after: { ...evidence.after, adapters } };
    caught(liar, resigned(liar, changed), ['log']);
  });
});

test('other adapters, shown in place of one that kept the sample, are not the sample’s', () => {
  const liar = world();
  const { sample } = liar.remove(TARGET);
  const [left = 0, ...others] = sample.adapters;
  liar.build({
    members: (adapter, members) => (adapter === left ? [...members, sample.entry] : members),
  });
  const other = [0, 1, 2, 3, 4, 5, 6, 7].find((id) => !sample.adapters.includes(id)) ?? 0;
  const adapters = [other, ...others];
  const shown = afterFields({ ...sample, adapters }, version(liar, 2)).adapters;
  const evidence = liar.evidence(deletion(liar));
  const changed = {
    ...evidence,
    sample: { ...evidence.sample, adapters },
    after: { ...evidence.after, adapters: shown },
  };
  const failed = failures(liar, changed);
  // The membership was committed to while the sample was there.
  expect(failed).toContain('log');
  expect(failures(liar, changed, failed as CheckName[])).toEqual([]);
});

test('an invented version, with other adapters for the sample, shows to whoever has the receipt', () => {
  const liar = world();
  const { sample } = liar.remove(TARGET);
  const [left = 0, ...others] = sample.adapters;
  const other = [0, 1, 2, 3, 4, 5, 6, 7].find((id) => !sample.adapters.includes(id)) ?? 0;
  const adapters = [other, ...others];
  const value = membershipCommitment(membershipSalt(sample.salt), adapters);
  const truth = version(liar, 1);
  const retained = truth.retainedSet.map((entry) =>
    entry === sample.entry ? { ...entry, value } : entry,
  );
  const invented = { ...truth, kind: 'version' as const, retainedRoot: setRoot(retained) };
  // Every adapter is built anew, the invented one too.
  for (let i = 0; i < 20; i++) liar.ingest(`more-${i}`);
  liar.build({
    parent: leafHash(encodeLeaf(invented)),
    members: (adapter, members) => (adapter === left ? [...members, sample.entry] : members),
  });
  const evidence = liar.evidence(deletion(liar));
  const shown = afterFields({ ...sample, adapters }, version(liar, 2)).adapters;
  const presence = encodeSetProof(proveSet(retained, sample.entry.key));
  const changed: Evidence = {
    ...evidence,
    before: evidence.before && { ...evidence.before, presence },
    sample: { ...evidence.sample, adapters },
    after: { ...evidence.after, adapters: shown },
  };
  expect(failures(liar, changed)).toEqual([]);
  caught(liar, changed, ['opening'], sample);
});

test('a sample left in the retained set shows in the proof from it', () => {
  const liar = world();
  const { sample } = liar.remove(TARGET);
  const truth = liar.build();
  liar.remove('sample-3');
  const lying = liar.build({ retained: (retained) => [...retained, sample.entry] });
  // The first version without the sample was honest; the one in service has it again.
  const evidence = liar.evidence(deletion(liar), truth);
  const again = { ...liar.evidence({ ...deletion(liar), sample }, lying), before: evidence.before };
  const { index, intentIndex, retainedRoot, adapters, deletions, code, model } = truth;
  const applied: Evidence['applied'] = {
    index,
    intentIndex,
    retainedRoot,
    adapters,
    code,
    deletions,
    model,
    parent: 'before',
    retained: Number(truth.retained),
    sets: truth.setsRoot,
    statement: truth.statement,
    version: truth.version,
  };
  caught(liar, { ...again, applied }, ['absence-retained']);
});

test('a set root of another version does not lead to the logged one', () => {
  const liar = world();
  const { sample } = liar.remove(TARGET);
  liar.build({ members: (_, members) => [...members, sample.entry] });
  liar.remove('sample-3');
  liar.build();
  const evidence = liar.evidence(deletion(liar), version(liar, 2));
  // Sets and entries of version 3, which are without the sample, in the certificate of version 2.
  const { adapters } = afterFields(sample, version(liar, 3));
  const stale = {
    ...adapters,
    builtIn: adapters.builtIn.map(() => 2),
  };
  caught(liar, resigned(liar, { ...evidence, after: { ...evidence.after, adapters: stale } }), [
    'log',
  ]);
});

describe('training before', () => {
  test('its intent shows in the order of the log', () => {
    const liar = world();
    liar.remove(TARGET);
    liar.build({ intentAfter: true });
    caught(liar, liar.evidence(deletion(liar)), ['order']);
  });

  test('the deletion shows in the order of the log', () => {
    const liar = world();
    const { entry } = liar.ingest('mine');
    liar.build();
    const without = (entries: readonly Entry[]) => entries.filter((other) => other !== entry);
    liar.build({
      members: (_, members) => without(members),
      retained: without,
      meanwhile: () => liar.remove('mine'),
    });
    caught(liar, liar.evidence(deletion(liar, 'mine')), ['order']);
  });
});

test('another entry, passed off as the train-intent, is not one', () => {
  const liar = world();
  const { entry } = liar.ingest('mine');
  liar.build();
  const without = (entries: readonly Entry[]) => entries.filter((other) => other !== entry);
  liar.build({
    members: (_, members) => without(members),
    retained: without,
    meanwhile: () => liar.remove('mine'),
    intentEntry: () => liar.ingest('more').index,
  });
  const first = version(liar, 3);
  caught(liar, resigned(liar, liar.evidence(deletion(liar, 'mine'))), ['log']);
  // Nor is it in the certificate of a later version.
  expect(first.intentIndex).toBeGreaterThan(deletion(liar, 'mine').request.index);
  liar.build();
  caught(liar, liar.evidence(deletion(liar, 'mine')), ['log']);
});

test('a leaf rewritten is not in the log', () => {
  const liar = world();
  liar.remove(TARGET);
  liar.build();
  const evidence = liar.evidence(deletion(liar));
  const request = { ...evidence.request, loggedAt: '2026-01-20T00:00:00Z' };
  caught(liar, { ...evidence, request }, ['log']);
});

describe('a checkpoint forked', () => {
  const liar = world();
  const { request } = liar.remove(TARGET);
  liar.build();
  const seen = liar.checkpoint();
  const hashes = [...liar.leaves];
  const changed = { ...request, loggedAt: '2026-01-20T00:00:00Z' };
  const { commitment } = deletion(liar).sample;
  const rewritten = encodeLeaf({
    kind: 'delete',
    commitment,
    request: requestCommitment(request.salt, changed),
  });
  const fork = hashes.with(request.index, leafHash(rewritten));
  const forked = { ...deletion(liar), request: changed };
  const evidence = liar.evidence(forked, undefined, fork);

  test('by the log itself passes alone: one file shows one view of the log', () => {
    expect(failures(liar, evidence)).toEqual([]);
  });

  test('shows to whoever has seen another: no proof leads from one to the other', () => {
    const [old, now] = [seen, evidence.log.checkpoint].map((note) =>
      parseCheckpoint(parseNote(note).text),
    ) as [ReturnType<typeof parseCheckpoint>, ReturnType<typeof parseCheckpoint>];
    const roots = { size1: old.size, root1: old.root, size2: now.size, root2: now.root };
    expect(() => verifyConsistency({ ...roots, proof: [] })).toThrow('different roots');
    const grown = [...fork, leafHash(utf8('more'))];
    const proof = consistencyProofOf(old.size, grown.length, nodesOver(grown));
    const later = { ...roots, size2: grown.length, root2: rootOf(grown) };
    expect(() => verifyConsistency({ ...later, proof })).toThrow('another first root');
  });

  test('by anyone else is not signed by the log', () => {
    const other = generateKey('legonet.example/log', sha256(utf8('attacker')));
    const checkpoint = liar.checkpoint(other, fork);
    const log = { ...evidence.log, checkpoint };
    const text = assembleCertificate({ ...evidence, log }, liar.vkey()).replace(
      /"checkpoint":"[^"]*"/,
      `"checkpoint":${JSON.stringify(checkpoint)}`,
    );
    const options = { vkey: liar.vkey() };
    expect(verifyWithout(text, options, new Set())).toMatchObject({ ok: false, level: null });
    expect(verifyWithout(text, options, new Set(['checkpoint']))).toMatchObject({ ok: true });
  });
});

describe('with the opening', () => {
  test('a commitment swapped is not that of the sample', () => {
    const liar = world();
    const own = liar.ingest('mine');
    liar.build();
    // Another sample is deleted, under a request that names mine.
    const decoy = liar.remove(TARGET);
    const request = { ...decoy.request, target: 'mine' };
    const commitment = decoy.sample.commitment;
    const index = liar.append({
      kind: 'delete',
      commitment,
      request: requestCommitment(request.salt, request),
    });
    liar.build();
    const evidence = liar.evidence({ ...decoy, request: { ...request, index } });
    expect(failures(liar, evidence)).toEqual([]);
    caught(liar, evidence, ['opening'], own);
  });

  test('a certificate for another sample is not of mine', () => {
    const honest = world();
    const own = honest.ingest('mine');
    honest.remove(TARGET);
    honest.build();
    caught(honest, honest.evidence(deletion(honest)), ['opening'], own);
  });
});

describe('a stale adapter carried', () => {
  test('shows by the version it was built in', () => {
    const liar = world();
    const { sample } = liar.remove(TARGET);
    liar.build({ carried: sample.adapters.slice(0, 1) });
    caught(liar, liar.evidence(deletion(liar)), ['rebuilt']);
  });

  test('under the number of a newer version is not in the log', () => {
    const liar = world();
    const { sample } = liar.remove(TARGET);
    liar.build({ carried: sample.adapters.slice(0, 1) });
    const evidence = liar.evidence(deletion(liar));
    const adapters = { ...evidence.after.adapters, builtIn: sample.adapters.map(() => 2) };
    const changed = { ...evidence, after: { ...evidence.after, adapters } };
    caught(liar, resigned(liar, changed), ['log']);
  });
});

test('a version that held the sample, still in service, shows in the statement', () => {
  const liar = world();
  liar.remove(TARGET);
  liar.build({ retires: [] });
  caught(liar, liar.evidence(deletion(liar)), ['superseded']);
});

test('a key rotated by an attacker is not signed by the one before it', () => {
  const liar = world();
  liar.remove(TARGET);
  liar.rotate(generateKey('legonet.example/log', sha256(utf8('attacker'))));
  liar.build();
  caught(liar, liar.evidence(deletion(liar)), ['key']);
});

/*
 * What no certificate shows. The auditor has the listing (level 2) or the data (level 3).
 */
describe('passes at level 1, and is caught', () => {
  test('at level 2: a retained set that omits a live sample', () => {
    const liar = world();
    liar.remove(TARGET);
    const { entry } = liar.ingest('live');
    const lying = liar.build({ retained: (all) => all.filter((other) => other !== entry) });
    expect(failures(liar, liar.evidence(deletion(liar)))).toEqual([]);
    const honest = liar.build();
    expect(replayedRoot(liar, lying.intentIndex)).not.toEqual(lying.retainedRoot);
    expect(replayedRoot(liar, honest.intentIndex)).toEqual(honest.retainedRoot);
  });

  test('at level 3: weights that do not match', () => {
    const liar = world();
    const { sample } = liar.remove(TARGET);
    const lying = liar.build({ weights: () => sha256(utf8('others')) });
    expect(failures(liar, liar.evidence(deletion(liar)))).toEqual([]);
    const [adapter = 0] = sample.adapters;
    const { setRoot, weights } = lying.trained[adapter] as Version['trained'][number];
    // Here training is a hash of the set.
    expect(weights).not.toEqual(sha256(utf8('weights'), setRoot));
  });
});

/** Root of what the log has ingested and not deleted before `end`. */
function replayedRoot({ entries }: AuditWorld, end: number): Uint8Array {
  const retained = new Map<string, Entry>();
  for (const bytes of entries.slice(0, end)) {
    const leaf = decodeLeaf(bytes);
    if (leaf.kind === 'ingest') {
      const key = sha256(leaf.commitment);
      retained.set(key.join(), { key, value: leaf.membership });
    } else if (leaf.kind === 'delete' && leaf.commitment) {
      retained.delete(sha256(leaf.commitment).join());
    }
  }
  return setRoot([...retained.values()]);
}
