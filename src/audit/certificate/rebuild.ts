import { adapterEntry } from '../adapters.js';
import { equalBytes, toBase64 } from '../bytes.js';
import { membershipCommitment, requestCommitment, setKey } from '../commitment.js';
import { leafHash, sha256 } from '../hash.js';
import { canonicalBytes } from '../json.js';
import { encodeLeaf, type Leaf, type VersionFields } from '../leaves.js';
import { parseVerifierKey } from '../log/keys.js';
import { multiproofRoot } from '../log/merkle.js';
import { decodeSetProof } from '../sets/encoding.js';
import { type SetProof, verifyAbsence, verifyPresence } from '../sets/proof.js';
import { unlearningPayload } from '../statement.js';
import { must } from './checklist.js';
import { split } from './fields.js';
import type { Certificate } from './schema.js';
import { fillInShared } from './shared.js';

/*
 * From the fields of a certificate to what they commit to: roots from proofs, and the entries of the log from
 * all of it. Nothing is compared here: if a field was changed, something else comes out.
 */

/** Value of the sample in all its sets. */
export const membershipOf = ({ sample }: Certificate): Uint8Array =>
  membershipCommitment(sample.membershipSalt, sample.adapters);

/** The proof of absence from the retained set of the version in service. Throws `set_proof_invalid`. */
export function retainedAbsence({ before, after }: Certificate): Uint8Array {
  const { absence, shared } = after;
  if (before) return fillInShared({ proof: absence, shared }, before.presence);
  must(shared.length === 0, 'nothing is shared with a proof that is not there');
  return absence;
}

/** Retained root of the last version that held the sample. Throws `set_proof_invalid`. */
export function rootWith({ sample }: Certificate, proof: Uint8Array, value: Uint8Array) {
  const { siblings, present } = decodeSetProof(proof);
  if (!present) throw new Error('the proof says that the sample is not in the set');
  return verifyPresence({ key: setKey(sample.commitment), value, siblings });
}

/** Root of a set without the sample. Throws `set_proof_invalid`. */
export function rootWithout({ sample }: Certificate, proof: Uint8Array): Uint8Array {
  const decoded = decodeSetProof(proof);
  if (decoded.present) throw new Error('the proof says that the sample is in the set');
  const { siblings, other } = decoded;
  return verifyAbsence({ key: setKey(sample.commitment), siblings, other });
}

/** Root to which a proof leads, whatever it proves of the sample. */
export function rootOfProof(
  { sample }: Certificate,
  proof: Uint8Array,
  value: Uint8Array,
): Uint8Array {
  const decoded: SetProof = decodeSetProof(proof);
  const key = setKey(sample.commitment);
  const { siblings } = decoded;
  if (decoded.present) return verifyPresence({ key, value, siblings });
  const { other } = decoded;
  if (other && equalBytes(other.key, key)) return verifyPresence({ ...other, siblings });
  return verifyAbsence({ key, siblings, other });
}

/** `adapters` of the version in service, from the entries of the sample's adapters. Throws `invalid_proof`. */
export function adaptersRootOf(
  { sample, after: { adapters } }: Certificate,
  setRoots: readonly Uint8Array[],
): Uint8Array {
  const weights = split(adapters.weights);
  const leaves = sample.adapters.map((index, i) => {
    const entry = adapterEntry({
      weights: weights[i] as Uint8Array,
      setRoot: setRoots[i] as Uint8Array,
      members: BigInt(adapters.members[i] as number),
      builtIn: adapters.builtIn[i] as number,
    });
    return { index, hash: leafHash(entry) };
  });
  leaves.sort((a, b) => a.index - b.index);
  return multiproofRoot({ size: adapters.count, leaves, proof: split(adapters.proof) });
}

/** What the proofs lead to, in the version in service and in the last one that held the sample. */
export type Roots = {
  /** Null: no version held it. */
  readonly before: Uint8Array | null;
  readonly retained: Uint8Array;
  readonly adapters: Uint8Array;
};

const entryHash = (leaf: Leaf): Uint8Array => leafHash(encodeLeaf(leaf));

type Intended = {
  readonly code: Uint8Array;
  readonly sets: Uint8Array;
  readonly retained: number;
};

/** Leaf hash of a version's train-intent. */
function intentHashOf({ after }: Certificate, version: Intended, retainedRoot: Uint8Array) {
  const { code, sets, retained } = version;
  const { config } = after;
  const fields = { config, code, sets, retainedRoot, retained: BigInt(retained) };
  return entryHash({ kind: 'train-intent', ...fields });
}

/** Leaf hash of the train-intent of the version in service. */
export const intentHash = (certificate: Certificate, roots: Roots): Uint8Array =>
  intentHashOf(certificate, certificate.after, roots.retained);

/** Payload of the statement of the version in service. */
export function statementOf({ after }: Certificate, roots: Roots, intent: Uint8Array): Uint8Array {
  const { adapters, retained, parentVersion: parent, ...fields } = after;
  return unlearningPayload({
    ...fields,
    parent,
    adapters: { root: roots.adapters, count: adapters.count },
    retained: { root: roots.retained, count: retained },
    intent,
  });
}

type Stated = Omit<VersionFields, 'retained' | 'config' | 'retainedRoot' | 'parent'> & {
  readonly retained: number;
  readonly parent: Uint8Array | 'before' | null;
};

/** Leaf hash of a version. */
function versionHash(certificate: Certificate, roots: Roots, fields: Stated, root: Uint8Array) {
  const { parent } = fields;
  return entryHash({
    ...fields,
    kind: 'version',
    config: certificate.after.config,
    retainedRoot: root,
    retained: BigInt(fields.retained),
    parent: parent === 'before' ? beforeHash(certificate, roots) : parent,
  });
}

/** Leaf hash of the last version that held the sample. */
function beforeHash(certificate: Certificate, roots: Roots): Uint8Array | null {
  const { before } = certificate;
  return before && roots.before && versionHash(certificate, roots, before, roots.before);
}

/** SHA-256 of the erasure record. */
export const erasureRecord = ({ sample, erased }: Certificate): Uint8Array =>
  sha256(
    canonicalBytes({
      commitment: toBase64(sample.commitment),
      places: erased?.places ?? [],
    }),
  );

export type LogLeaf = { readonly index: number; readonly hash: Uint8Array };

/** Every entry of the log that the certificate names, in order of index. */
export function logLeaves(certificate: Certificate, roots: Roots): LogLeaf[] {
  const { after, applied, erased, ingested, request, sample, log } = certificate;
  const { commitment } = sample;
  const intent = intentHash(certificate, roots);
  const statement = sha256(statementOf(certificate, roots, intent));
  const version = { ...after, adapters: roots.adapters, intent, statement };
  const membership = membershipOf(certificate);
  const leaves: LogLeaf[] = [
    {
      index: request.index,
      hash: entryHash({
        kind: 'delete',
        commitment,
        request: requestCommitment(request.salt, request),
      }),
    },
    { index: after.intentIndex, hash: intent },
    { index: after.index, hash: versionHash(certificate, roots, version, roots.retained) },
  ];
  if (ingested) {
    leaves.push({
      index: ingested.index,
      hash: entryHash({ kind: 'ingest', commitment, membership }),
    });
  }
  if (applied) {
    const { retainedRoot } = applied;
    const intent = intentHashOf(certificate, applied, retainedRoot);
    const hash = versionHash(certificate, roots, { ...applied, intent }, retainedRoot);
    leaves.push({ index: applied.intentIndex, hash: intent }, { index: applied.index, hash });
  }
  if (erased) {
    const record = erasureRecord(certificate);
    leaves.push({ index: erased.index, hash: entryHash({ kind: 'erase', commitment, record }) });
  }
  for (const { index, from, to, signature } of log.rotations) {
    const oldKeyId = parseVerifierKey(from).id;
    leaves.push({ index, hash: entryHash({ kind: 'key', vkey: to, oldKeyId, signature }) });
  }
  return leaves.sort((a, b) => a.index - b.index);
}

/** Root of the log to which leaves and proof lead. Throws `invalid_proof`. */
export const logRoot = (
  { log }: Certificate,
  leaves: readonly LogLeaf[],
  size: number,
): Uint8Array => multiproofRoot({ size, leaves, proof: split(log.proof) });
