import {
  type AdapterSet,
  adapterLeaves,
  adaptersRoot,
  setsRoot,
  type TrainedAdapter,
} from '#src/audit/adapters.js';
import { concat, toBase64, utf8 } from '#src/audit/bytes.js';
import { composeCertificate, type Evidence, entriesOf } from '#src/audit/certificate/compose.js';
import {
  membershipCommitment,
  membershipSalt,
  type Opening,
  type RequestRecord,
  requestCommitment,
  sampleCommitment,
  setKey,
} from '#src/audit/commitment.js';
import { IN_TOTO, signPayload } from '#src/audit/dsse.js';
import { leafHash, sha256 } from '#src/audit/hash.js';
import { canonicalBytes } from '#src/audit/json.js';
import { encodeLeaf, type Leaf, rotationMessage, type VersionFields } from '#src/audit/leaves.js';
import { signCheckpoint } from '#src/audit/log/checkpoint.js';
import { signEd25519 } from '#src/audit/log/ed25519.js';
import { formatVerifierKey, generateKey, type SignerKey } from '#src/audit/log/keys.js';
import { multiproof, nodesOver, rootOf } from '#src/audit/log/merkle.js';
import { encodeSetProof } from '#src/audit/sets/encoding.js';
import { type Entry, proveSet, setRoot } from '#src/audit/sets/tree.js';
import { type Retirement, unlearningPayload } from '#src/audit/statement.js';

/*
 * A server in memory: log, sets, keys and versions, small and by the definitions. It tells the truth unless told
 * to lie. The same seed gives the same bytes.
 */

export type Sample = Opening & {
  readonly adapters: readonly number[];
  readonly commitment: Uint8Array;
  readonly entry: Entry;
  /** Of its ingest entry. */
  readonly index: number;
};

export type Version = VersionFields & {
  readonly index: number;
  readonly intentIndex: number;
  readonly leaf: Uint8Array;
  readonly code: Uint8Array;
  readonly setsRoot: Uint8Array;
  readonly trained: readonly TrainedAdapter[];
  /** As published: what was committed to. */
  readonly sets: readonly (readonly Entry[])[];
  readonly retainedSet: readonly Entry[];
  readonly parentVersion: number | null;
  readonly cut: Readonly<Record<string, string>>;
  readonly retires: readonly Retirement[];
  readonly signature: Uint8Array;
};

export type Deletion = {
  readonly sample: Sample;
  readonly request: RequestRecord & { readonly salt: Uint8Array; readonly index: number };
  readonly erased: { readonly index: number; readonly places: Place[] } | null;
};

export type Place = { readonly what: string; readonly at: string };

/** Where the server lies when it builds. */
export type Lies = {
  /** Members that it commits to, instead of the true ones. */
  readonly members?: (adapter: number, members: readonly Entry[]) => readonly Entry[];
  readonly retained?: (retained: readonly Entry[]) => readonly Entry[];
  /** Adapters that are not rebuilt though their members changed. */
  readonly carried?: readonly number[];
  /** The train-intent is logged after the version. */
  readonly intentAfter?: boolean;
  readonly weights?: (adapter: number) => Uint8Array;
  readonly retires?: readonly Retirement[];
  /** Leaf hash of the version that it says it came after. */
  readonly parent?: Uint8Array;
  /** Index of an entry that it passes off as its train-intent. */
  readonly intentEntry?: () => number;
  /** What happens between train-intent and version. */
  readonly meanwhile?: () => void;
};

export const ORIGIN = 'legonet.example/log';
const TIME = '2026-01-01T00:00:00Z';

export type AuditWorld = ReturnType<typeof auditWorld>;

export function auditWorld({ seed = 'world', adapters = 8, activated = 3 } = {}) {
  let drawn = 0;
  const random = (): Uint8Array => sha256(utf8(`${seed} ${drawn++}`));
  const config = sha256(utf8('configuration'));
  const code = sha256(utf8('code'));

  const entries: Uint8Array[] = [];
  const leaves: Uint8Array[] = [];
  const keys: SignerKey[] = [generateKey(ORIGIN, random())];
  const rotations: Evidence['log']['rotations'][number][] = [];
  const retained = new Map<string, Sample>();
  const deletions = new Map<string, Deletion>();
  const versions: Version[] = [];
  let dirty = new Set<number>();
  let applied = 0;

  const key = () => keys.at(-1) as SignerKey;
  const vkey = (which = keys.length - 1) => formatVerifierKey(keys[which] as SignerKey);

  /** Index of the entry. */
  function append(leaf: Leaf): number {
    const entry = encodeLeaf(leaf);
    entries.push(entry);
    return leaves.push(leafHash(entry)) - 1;
  }

  function ingest(id: string, label = 'cat'): Sample {
    const salt = random();
    const encoding = new Int8Array(random().buffer.slice(0, 16));
    const order = Array.from({ length: adapters }, (_, adapter) => adapter);
    const near = (adapter: number) => sha256(encoding as unknown as Uint8Array, utf8(`${adapter}`));
    order.sort((a, b) => (near(a)[0] as number) - (near(b)[0] as number) || a - b);
    const opening = { salt, id, label, encoding };
    const commitment = sampleCommitment(opening);
    const own = order.slice(0, activated);
    const membership = membershipCommitment(membershipSalt(salt), own);
    const index = append({ kind: 'ingest', commitment, membership });
    const entry = { key: setKey(commitment), value: membership };
    const sample = { ...opening, adapters: own, commitment, entry, index };
    retained.set(id, sample);
    for (const adapter of own) dirty.add(adapter);
    return sample;
  }

  function remove(id: string): Deletion {
    const sample = retained.get(id) as Sample;
    retained.delete(id);
    for (const adapter of sample.adapters) dirty.add(adapter);
    const request = {
      id: `request-${id}`,
      kind: 'sample' as const,
      target: id,
      requestedAt: null,
      loggedAt: TIME,
      deadline: '2026-01-31T00:00:00Z',
    };
    const salt = random();
    const { commitment } = sample;
    const index = append({ kind: 'delete', commitment, request: requestCommitment(salt, request) });
    const deletion = { sample, request: { ...request, salt, index }, erased: null };
    deletions.set(id, deletion);
    applied++;
    return deletion;
  }

  function erase(id: string): void {
    const deletion = deletions.get(id) as Deletion;
    const { commitment } = deletion.sample;
    const places = [{ what: 'encoding', at: TIME }];
    const record = sha256(canonicalBytes({ commitment: toBase64(commitment), places }));
    const index = append({ kind: 'erase', commitment, record });
    deletions.set(id, { ...deletion, erased: { index, places } });
  }

  /** `by`: whoever signs that the new key takes the place of the old one. */
  function rotate(by: SignerKey = key()): void {
    const old = key();
    keys.push(generateKey(ORIGIN, random()));
    const to = vkey();
    const signature = signEd25519(rotationMessage(ORIGIN, to), by.seed);
    const index = append({ kind: 'key', vkey: to, oldKeyId: old.id, signature });
    rotations.push({ from: formatVerifierKey(old), to, signature, index });
  }

  const membersOf = (adapter: number): Entry[] =>
    [...retained.values()]
      .filter((sample) => sample.adapters.includes(adapter))
      .map(({ entry }) => entry);

  function build(lies: Lies = {}): Version {
    const parent = versions.at(-1);
    const version = versions.length + 1;
    const sets = Array.from({ length: adapters }, (_, adapter) => {
      const members = membersOf(adapter);
      return lies.members?.(adapter, members) ?? members;
    });
    const all = [...retained.values()].map(({ entry }) => entry);
    const retainedSet = lies.retained?.(all) ?? all;
    const declared: AdapterSet[] = sets.map((members) => ({
      setRoot: setRoot(members),
      members: BigInt(members.length),
    }));
    const retainedRoot = setRoot(retainedSet);
    const count = BigInt(retainedSet.length);
    const sharedFields = { config, retainedRoot, retained: count };
    const sets32 = setsRoot(declared);
    const intentLeaf: Leaf = { kind: 'train-intent', ...sharedFields, code, sets: sets32 };
    const trueIntent = leafHash(encodeLeaf(intentLeaf));
    const intentFirst = lies.intentAfter ? -1 : append(intentLeaf);
    lies.meanwhile?.();
    const passedOff = lies.intentEntry?.();
    const intent = passedOff === undefined ? trueIntent : (leaves[passedOff] as Uint8Array);
    const trained = declared.map((set, adapter) => {
      const before = parent?.trained[adapter];
      const carry = before && (!dirty.has(adapter) || lies.carried?.includes(adapter));
      const weights = lies.weights?.(adapter) ?? sha256(utf8('weights'), set.setRoot);
      return carry
        ? { ...set, weights: before.weights, builtIn: before.builtIn }
        : { ...set, weights, builtIn: version };
    });
    const model = sha256(utf8('model'), ...trained.map(({ weights }) => weights));
    const cut = { '0': String(leaves.length) };
    const replaced = parent && { first: parent.version, last: parent.version, retiredAt: TIME };
    const retires = lies.retires ?? (replaced ? [replaced] : []);
    const payload = unlearningPayload({
      name: 'digits',
      model,
      version,
      parent: parent?.version ?? null,
      cut,
      config,
      code,
      adapters: { root: adaptersRoot(trained), count: adapters },
      retained: { root: retainedRoot, count: retainedSet.length },
      deletions: applied,
      intent,
      retires,
    });
    const fields: VersionFields = {
      ...sharedFields,
      version,
      model,
      adapters: adaptersRoot(trained),
      deletions: applied,
      intent,
      parent: lies.parent ?? parent?.leaf ?? null,
      statement: sha256(payload),
    };
    const leaf: Leaf = { kind: 'version', ...fields };
    const index = append(leaf);
    const built: Version = {
      ...fields,
      index,
      intentIndex: passedOff ?? (lies.intentAfter ? append(intentLeaf) : intentFirst),
      leaf: leafHash(encodeLeaf(leaf)),
      code,
      setsRoot: sets32,
      trained,
      sets,
      retainedSet,
      parentVersion: parent?.version ?? null,
      cut,
      retires,
      signature: signPayload(IN_TOTO, payload, (message) => signEd25519(message, key().seed)),
    };
    versions.push(built);
    dirty = new Set(lies.carried ?? []);
    applied = 0;
    return built;
  }

  const checkpoint = (signer = key(), hashes: readonly Uint8Array[] = leaves): string =>
    signCheckpoint({ origin: ORIGIN, size: hashes.length, root: rootOf(hashes), extensions: [] }, [
      signer,
    ]);

  /** The truth about a deletion, or about what never was one, as of version `after`. */
  function evidence(
    deletion: Deletion,
    after: Version = versions.at(-1) as Version,
    hashes: readonly Uint8Array[] = leaves,
  ): Evidence {
    const { sample, request, erased } = deletion;
    const holds = ({ retainedSet }: Version) => retainedSet.includes(sample.entry);
    const held = versions.findLast((version) => version.version < after.version && holds(version));
    const first = versions.find(({ index, version }) =>
      held ? version === held.version + 1 : index > request.index,
    );
    const { key } = sample.entry;
    const bare: Omit<Evidence, 'log'> & { log: Pick<Evidence['log'], 'rotations'> } = {
      origin: ORIGIN,
      request,
      sample: {
        commitment: sample.commitment,
        adapters: [...sample.adapters],
        membershipSalt: membershipSalt(sample.salt),
      },
      before: held
        ? {
            ...stated(held),
            intent: held.intent,
            parent: held.parent,
            presence: encodeSetProof(proveSet(held.retainedSet, key)),
          }
        : null,
      ingested: held ? null : { index: sample.index },
      applied:
        first && first !== after
          ? {
              ...stated(first),
              code: first.code,
              sets: first.setsRoot,
              index: first.index,
              intentIndex: first.intentIndex,
              parent: held ? 'before' : first.parent,
              retainedRoot: first.retainedRoot,
            }
          : null,
      after: {
        ...afterFields(sample, after),
        ...(held && first === after && { parent: 'before' }),
      },
      erased,
      log: { rotations },
    };
    const proof = concat(...multiproof(entriesOf(bare), hashes.length, nodesOver(hashes)));
    return { ...bare, log: { rotations, checkpoint: checkpoint(undefined, hashes), proof } };
  }

  return {
    adapters,
    /** Of the log, and their hashes. */
    entries,
    leaves,
    keys,
    versions,
    deletions,
    key,
    vkey,
    random,
    append,
    ingest,
    remove,
    erase,
    rotate,
    build,
    checkpoint,
    evidence,
    /** The certificate of a deletion; throws if the truth does not give one. */
    certificate: (id: string): string =>
      composeCertificate(evidence(deletions.get(id) as Deletion), vkey()),
  };
}

const stated = (version: Version) => ({
  adapters: version.adapters,
  deletions: version.deletions,
  model: version.model,
  retained: Number(version.retained),
  statement: version.statement,
  version: version.version,
});

/** What a certificate says of the version in service. */
export function afterFields(sample: Sample, version: Version): Evidence['after'] {
  const own = sample.adapters.map((adapter) => version.trained[adapter] as TrainedAdapter);
  const tree = adapterLeaves(version.trained);
  const proofOf = (entries: readonly Entry[]) =>
    encodeSetProof(proveSet(entries, sample.entry.key));
  return {
    absence: proofOf(version.retainedSet),
    adapters: {
      absence: sample.adapters.map((adapter) => proofOf(version.sets[adapter] as Entry[])),
      builtIn: own.map(({ builtIn }) => builtIn),
      count: version.trained.length,
      members: own.map(({ members }) => Number(members)),
      proof: concat(
        ...multiproof(
          sample.adapters.toSorted((a, b) => a - b),
          tree.length,
          nodesOver(tree),
        ),
      ),
      weights: concat(...own.map(({ weights }) => weights)),
    },
    code: version.code,
    config: version.config,
    cut: version.cut,
    deletions: version.deletions,
    index: version.index,
    intentIndex: version.intentIndex,
    model: version.model,
    name: 'digits',
    parent: version.parent,
    parentVersion: version.parentVersion,
    retained: Number(version.retained),
    retires: [...version.retires],
    sets: version.setsRoot,
    signature: version.signature,
    version: version.version,
  };
}
