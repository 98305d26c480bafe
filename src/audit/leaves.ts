import { LegonetError } from '../errors.js';
import { concat, prefixed, uint32, uint64, utf8 } from './bytes.js';
import { HASH_BYTES } from './hash.js';
import { type Reader, reader } from './reader.js';

/*
 * The entries of the log, byte for byte as docs/reference/audit-log.md has them. No id, label or text of a
 * person is in one, and no adapter id.
 */

/** 32 bytes, unless said otherwise; null is written as zeros. */
export type Leaf =
  | { readonly kind: 'ingest'; readonly commitment: Uint8Array; readonly membership: Uint8Array }
  | {
      readonly kind: 'delete';
      /** Null: nothing was removed. */
      readonly commitment: Uint8Array | null;
      /** Commitment to the request; null: replaced by a correction. */
      readonly request: Uint8Array | null;
    }
  | ({ readonly kind: 'train-intent' } & IntentFields)
  | ({ readonly kind: 'version' } & VersionFields)
  | {
      readonly kind: 'erase';
      readonly commitment: Uint8Array;
      /** SHA-256 of the RFC 8785 form of the erasure record. */
      readonly record: Uint8Array;
    }
  | {
      readonly kind: 'key';
      /** Of the key that signs from here on. */
      readonly vkey: string;
      /** Key id of the one before it. */
      readonly oldKeyId: number;
      /** By the one before it, 64 bytes, over `rotationMessage`. */
      readonly signature: Uint8Array;
    };

export type LeafKind = Leaf['kind'];
export type LeafOf<Kind extends LeafKind> = Extract<Leaf, { kind: Kind }>;

export type IntentFields = {
  /** Configuration digest. */
  readonly config: Uint8Array;
  /** Digest of the code that trains. */
  readonly code: Uint8Array;
  /** RFC 6962 root over `setEntry` of every adapter, in order of id. */
  readonly sets: Uint8Array;
  readonly retainedRoot: Uint8Array;
  /** Size of the retained set. */
  readonly retained: bigint;
};

export type VersionFields = {
  readonly version: number;
  /** Model digest. */
  readonly model: Uint8Array;
  /** Configuration digest. */
  readonly config: Uint8Array;
  /** RFC 6962 root over `adapterEntry` of every adapter, in order of id. */
  readonly adapters: Uint8Array;
  readonly retainedRoot: Uint8Array;
  readonly retained: bigint;
  /** How many requests were applied since the parent. */
  readonly deletions: number;
  /** Leaf hash of its train-intent. */
  readonly intent: Uint8Array;
  /** Leaf hash of its parent's version entry; null for the first. */
  readonly parent: Uint8Array | null;
  /** SHA-256 of the statement's payload. */
  readonly statement: Uint8Array;
};

const KINDS: readonly LeafKind[] = ['ingest', 'delete', 'train-intent', 'version', 'erase', 'key'];
const SIGNATURE_BYTES = 64;
const NONE = new Uint8Array(HASH_BYTES);

const TAGS = new Map(KINDS.map((kind) => [kind, utf8(`legonet.${kind}.v1\n`)]));
const tagOf = (kind: LeafKind): Uint8Array => TAGS.get(kind) ?? NONE;

/** The entry's bytes; `decodeLeaf` reads them. */
export function encodeLeaf(leaf: Leaf): Uint8Array {
  return concat(tagOf(leaf.kind), ...fieldsOf(leaf));
}

function fieldsOf(leaf: Leaf): readonly Uint8Array[] {
  switch (leaf.kind) {
    case 'ingest':
      return [hash(leaf.commitment), hash(leaf.membership)];
    case 'delete':
      return [hashOrNone(leaf.commitment), hashOrNone(leaf.request)];
    case 'train-intent':
      return [
        ...[leaf.config, leaf.code, leaf.sets, leaf.retainedRoot].map(hash),
        uint64(leaf.retained),
      ];
    case 'version':
      return [
        uint32(leaf.version),
        ...[leaf.model, leaf.config, leaf.adapters, leaf.retainedRoot].map(hash),
        uint64(leaf.retained),
        uint32(leaf.deletions),
        hash(leaf.intent),
        hashOrNone(leaf.parent),
        hash(leaf.statement),
      ];
    case 'erase':
      return [hash(leaf.commitment), hash(leaf.record)];
    case 'key':
      return [
        prefixed(utf8(leaf.vkey)),
        uint32(leaf.oldKeyId),
        sized(leaf.signature, SIGNATURE_BYTES),
      ];
  }
}

/** What `encodeLeaf` gives and nothing else. Throws `invalid_leaf`. */
export function decodeLeaf(entry: Uint8Array): Leaf {
  const kind = KINDS.find((kind) => startsWith(entry, tagOf(kind)));
  if (kind === undefined) throw invalid('it begins with no tag that is known');
  const read = reader(entry.subarray(tagOf(kind).length), invalid);
  const leaf = readFields(kind, read);
  read.end();
  return leaf;
}

function readFields(kind: LeafKind, { bytes, uint32, uint64, prefixed }: Reader): Leaf {
  const hash = () => bytes(HASH_BYTES);
  const hashOrNull = () => {
    const value = hash();
    return value.every((byte) => byte === 0) ? null : value;
  };
  // Properties are evaluated in the order in which they stand: that of the bytes.
  switch (kind) {
    case 'ingest':
      return { kind, commitment: hash(), membership: hash() };
    case 'delete':
      return { kind, commitment: hashOrNull(), request: hashOrNull() };
    case 'train-intent':
      return {
        kind,
        config: hash(),
        code: hash(),
        sets: hash(),
        retainedRoot: hash(),
        retained: uint64(),
      };
    case 'version':
      return {
        kind,
        version: uint32(),
        model: hash(),
        config: hash(),
        adapters: hash(),
        retainedRoot: hash(),
        retained: uint64(),
        deletions: uint32(),
        intent: hash(),
        parent: hashOrNull(),
        statement: hash(),
      };
    case 'erase':
      return { kind, commitment: hash(), record: hash() };
    case 'key':
      return {
        kind,
        vkey: text(prefixed()),
        oldKeyId: uint32(),
        signature: bytes(SIGNATURE_BYTES),
      };
  }
}

/** What the old key signs so that `vkey` takes its place in the log of this origin. */
export const rotationMessage = (origin: string, vkey: string): Uint8Array =>
  concat(utf8('legonet.key-rotation.v1\n'), prefixed(utf8(origin)), prefixed(utf8(vkey)));

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}

function text(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid('a text is not UTF-8');
  }
}

function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw invalid(`a field has ${bytes.length} bytes, not ${length}`);
  return bytes;
}

const hash = (bytes: Uint8Array): Uint8Array => sized(bytes, HASH_BYTES);

function hashOrNone(bytes: Uint8Array | null): Uint8Array {
  if (bytes?.every((byte) => byte === 0)) throw invalid('zeros stand for nothing');
  return bytes === null ? NONE : hash(bytes);
}

const invalid = (message: string): LegonetError =>
  new LegonetError('invalid_leaf', `not an entry of the audit log: ${message}`);
