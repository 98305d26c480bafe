import { concat, utf8 } from '#src/audit/bytes.js';
import { assembleCertificate, type Evidence, entriesOf } from '#src/audit/certificate/compose.js';
import {
  adaptersRootOf,
  intentHash,
  logLeaves,
  membershipOf,
  type Roots,
  rootWith,
  rootWithout,
  statementOf,
} from '#src/audit/certificate/rebuild.js';
import { CERTIFICATE_TYPE, type Certificate, NOT_SHOWN } from '#src/audit/certificate/schema.js';
import { membershipSalt, sampleCommitment, setKey } from '#src/audit/commitment.js';
import { IN_TOTO, signPayload } from '#src/audit/dsse.js';
import { sha256 } from '#src/audit/hash.js';
import { signCheckpoint } from '#src/audit/log/checkpoint.js';
import { signEd25519 } from '#src/audit/log/ed25519.js';
import { formatVerifierKey, generateKey } from '#src/audit/log/keys.js';
import { multiproof, multiproofRoot } from '#src/audit/log/merkle.js';
import { encodeSetProof } from '#src/audit/sets/encoding.js';
import type { SetProof } from '#src/audit/sets/proof.js';
import { randomIntegers } from './random.js';

/*
 * A certificate of the shape that a large server gives, and that holds, without the server: roots follow from
 * proofs, so the proofs are drawn at random, and everything above them is made to fit.
 */

export type Shape = {
  readonly samples: number;
  readonly adapters: number;
  readonly activated: number;
  /** Entries of the log, and where in it those of the certificate are. */
  readonly entries: number;
  /** Samples that came or went between the last version with the sample and the one in service. */
  readonly changed: number;
  readonly at: {
    readonly deletion: number;
    readonly intent: number;
    readonly version: number;
    readonly erasure: number;
    /** The version is the first without the sample, unless these are given. */
    readonly applied?: { readonly intent: number; readonly version: number };
  };
};

const ORIGIN = 'legonet.example.com/models/digits';
const AT = '2026-01-01T12:34:56.789012Z';
const RETAINED_PLACES = [
  'retained samples',
  'encodings',
  'statistics of 10 adapters',
  'weights of superseded versions',
  'sample-events, 12 partitions',
];

export function largeCertificate(shape: Shape, seed = 1): { text: string; vkey: string } {
  const below = randomIntegers(seed);
  let drawn = 0;
  const random = (): Uint8Array => sha256(utf8(`${seed} ${drawn++}`));
  const key = generateKey(ORIGIN, random());
  const sign = (message: Uint8Array) => signEd25519(message, key.seed);
  const vkey = formatVerifierKey(key);

  /** The way of a key down a set of so many random ones: at each level half of them, more or less, go along. */
  function way(members: number, present: boolean): SetProof {
    const siblings: Uint8Array[] = [];
    let rest = members;
    while (rest > (present ? 0 : 1)) {
      let along = 0;
      for (let i = 0; i < rest; i++) along += below(2);
      siblings.push(rest - along > 0 ? random() : new Uint8Array(32));
      rest = along;
    }
    while (siblings.at(-1)?.every((byte) => byte === 0)) siblings.pop();
    if (present) return { siblings, present };
    return {
      siblings,
      present,
      other: rest === 0 ? null : { key: beside(siblings), value: random() },
    };
  }

  /** The way of a key that was taken out, where so many other samples came or went since. */
  function wayAfter({ siblings }: SetProof): SetProof {
    // The last sibling was a leaf, and moved up to where the path ends.
    const rest = siblings.slice(0, -1).map((sibling, level) => {
      const same = (1 - 2 ** -(level + 1)) ** shape.changed;
      const isEmpty = sibling.every((byte) => byte === 0);
      return isEmpty || below(1_000_000) < same * 1_000_000 ? sibling : random();
    });
    while (rest.at(-1)?.every((byte) => byte === 0)) rest.pop();
    return { siblings: rest, present: false, other: { key: beside(rest), value: random() } };
  }

  const opening = { salt: random(), id: 'id', label: 'label', encoding: new Int8Array(512) };
  const commitment = sampleCommitment(opening);
  const own = setKey(commitment);
  function beside(siblings: readonly Uint8Array[]): Uint8Array {
    const other = own.slice();
    const bit = siblings.length;
    (other[bit >> 3] as number) ^= 0x80 >> (bit & 7);
    return other;
  }

  const ids = new Set<number>();
  while (ids.size < shape.activated) ids.add(below(shape.adapters));
  const members = [...ids].map(() => {
    const mean = (shape.samples * shape.activated) / shape.adapters;
    return Math.floor(mean / 2) + below(mean);
  });
  const nodes = (what: string) => (level: number, index: number) =>
    sha256(utf8(`${seed} ${what} ${level} ${index}`));
  const { at } = shape;
  const indexes = [...ids].sort((a, b) => a - b);

  const common = () => ({
    adapters: random(),
    deletions: 17,
    model: random(),
    retained: shape.samples - 20_000,
    statement: random(),
  });
  const first = at.applied && {
    ...common(),
    code: random(),
    sets: random(),
    retainedRoot: random(),
    index: at.applied.version,
    intentIndex: at.applied.intent,
    parent: 'before' as const,
    version: 123_457,
  };
  const presence = way(shape.samples, true);
  const before = {
    ...common(),
    intent: random(),
    parent: random(),
    presence: encodeSetProof(presence),
    version: 123_456,
  };
  const version = at.applied ? 223_456 : 123_457;
  const certificate: Certificate = {
    type: CERTIFICATE_TYPE,
    notShown: [...NOT_SHOWN],
    origin: ORIGIN,
    request: {
      deadline: AT,
      id: '01968c3e-7a52-7cc1-9a4b-3a5b8a1c0f11',
      index: at.deletion,
      kind: 'sample',
      loggedAt: AT,
      requestedAt: AT,
      salt: random(),
      target: 'customers/0123456789/photos/0123456789',
    },
    sample: { adapters: [...ids], commitment, membershipSalt: membershipSalt(opening.salt) },
    before,
    ingested: null,
    applied: first ?? null,
    after: {
      absence: encodeSetProof(wayAfter(presence)),
      adapters: {
        absence: members.map((count) => encodeSetProof(way(count, false))),
        builtIn: members.map(() => version),
        count: shape.adapters,
        members,
        proof: concat(...multiproof(indexes, shape.adapters, nodes('adapters'))),
        weights: concat(...members.map(random)),
      },
      code: random(),
      config: random(),
      cut: Object.fromEntries(
        Array.from({ length: 12 }, (_, i) => [`${i}`, `${1_000_000 + below(999_999)}`]),
      ),
      deletions: 17,
      index: at.version,
      intentIndex: at.intent,
      model: random(),
      name: 'digits',
      parent: first ? random() : 'before',
      parentVersion: version - 1,
      retained: shape.samples,
      retires: [{ first: 123_400, last: 123_456, retiredAt: AT }],
      sets: random(),
      shared: [],
      signature: new Uint8Array(64),
      version,
    },
    erased: {
      index: at.erasure,
      places: RETAINED_PLACES.map((what) => ({ what, at: AT })),
    },
    log: { checkpoint: '', proof: new Uint8Array(), rotations: [] },
  };
  return { text: complete(certificate), vkey };

  /** Fills in what follows from the rest: signatures, and the log. */
  function complete(bare: Certificate): string {
    const value = membershipOf(bare);
    const setRoots = bare.after.adapters.absence.map((proof) => rootWithout(bare, proof));
    const roots: Roots = {
      before: rootWith(bare, before.presence, value),
      retained: rootWithout(bare, bare.after.absence),
      adapters: adaptersRootOf(bare, setRoots),
    };
    const payload = statementOf(bare, roots, intentHash(bare, roots));
    const signature = signPayload(IN_TOTO, payload, sign);
    const signed = { ...bare, after: { ...bare.after, signature } };
    const leaves = logLeaves(signed, roots);
    const proof = multiproof(entriesOf(signed), shape.entries, nodes('log'));
    const root = multiproofRoot({ size: shape.entries, leaves, proof });
    const checkpoint = signCheckpoint(
      { origin: ORIGIN, size: shape.entries, root, extensions: [] },
      [key],
    );
    const { type, notShown, ...evidence } = signed;
    const all: Evidence = {
      ...evidence,
      log: { checkpoint, proof: concat(...proof), rotations: [] },
    };
    return assembleCertificate(all, vkey);
  }
}

/** Bytes of each part of a certificate's file. */
export function sizes(text: string): Record<string, number> {
  const json = JSON.parse(text) as Record<string, Record<string, unknown>>;
  const of = (value: unknown) => JSON.stringify(value).length;
  const { after, before, log, ...rest } = json;
  const adapters = after?.adapters as Record<string, unknown>;
  return {
    'adapters: absence': of(adapters.absence),
    'adapters: proof': of(adapters.proof),
    'adapters: weights': of(adapters.weights),
    'after: absence': of(after?.absence),
    'before: presence': of(before?.presence),
    'log: proof': of(log?.proof),
    all: text.length,
    ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, of(value)])),
    after: of({ ...after, adapters: 0, absence: 0 }),
    before: of({ ...before, presence: 0 }),
  };
}
