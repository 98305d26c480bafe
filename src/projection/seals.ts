import { hash, randomBytes } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { DeletionEvent } from '../events/event.js';
import type { LogRecord } from '../events/record.js';
import { clampTime, formatTime } from '../events/time.js';

/*
 * The commitments of audit/commitment, by node:crypto: a million samples have them made on their way in.
 */

/** What a sample's content is committed to, and the salt that opens it; 32 bytes each. */
export type Seal = {
  readonly salt: Uint8Array;
  /** To its id, label and encoding. */
  readonly commitment: Uint8Array;
  /** To the adapters that it belongs to. */
  readonly membership: Uint8Array;
};

/** What a request for deletion is committed to, and what opens it. */
export type SealedRequest = {
  /** 32 bytes each. */
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  /** When everything must be gone, microseconds since 1970. */
  readonly deadline: bigint;
};

export const SALT_BYTES = 32;

/** Salts for so many, drawn at once: the one of each index. */
export function drawSalts(count: number): (index: number) => Uint8Array {
  const bytes = randomBytes(count * SALT_BYTES);
  return (index) => bytes.subarray(index * SALT_BYTES, (index + 1) * SALT_BYTES);
}

export function sealSample(
  salt: Uint8Array,
  sampleId: string,
  label: string,
  encoding: Int8Array,
  adapters: readonly number[],
): Seal {
  const bytes = new Uint8Array(encoding.buffer, encoding.byteOffset, encoding.length);
  const fields = [Buffer.from(sampleId), Buffer.from(label), bytes].flatMap(prefixed);
  const commitment = hmac(salt, SAMPLE, ...fields);
  return { salt, commitment, membership: sealAdapters(membershipSalt(salt), adapters) };
}

/** Opens the membership, and nothing else: a certificate shows it when the sample's own salt is gone. */
export const membershipSalt = (salt: Uint8Array): Uint8Array =>
  sha256(Buffer.concat([MEMBERSHIP_SALT, salt]));

/** With `membershipSalt`. */
export function sealAdapters(salt: Uint8Array, adapters: readonly number[]): Uint8Array {
  const message = Buffer.allocUnsafe(4 * adapters.length);
  adapters.forEach((adapter, i) => {
    message.writeUInt32BE(adapter, 4 * i);
  });
  return hmac(salt, MEMBERSHIP, message);
}

export function sealRequest(
  salt: Uint8Array,
  event: DeletionEvent,
  record: LogRecord,
  deadlineMs: number,
): SealedRequest {
  const { requestId, requestedAt } = event.request;
  const loggedAt = clampTime(record.time);
  const deadline = clampTime(loggedAt + 1000n * BigInt(deadlineMs));
  const text = requestRecord({
    requestId,
    kind: event.kind === 'deleted' ? 'sample' : 'subject',
    target: event.kind === 'deleted' ? event.sampleId : event.subjectId,
    requestedAt: requestedAt ?? null,
    loggedAt,
    deadline,
  });
  return { salt, commitment: hmac(salt, REQUEST, Buffer.from(text)), deadline };
}

type RequestFacts = {
  readonly requestId: string;
  readonly kind: 'sample' | 'subject';
  readonly target: string;
  /** Microseconds since 1970. */
  readonly requestedAt: bigint | null;
  readonly loggedAt: bigint;
  readonly deadline: bigint;
};

/** What a request is committed to: canonical JSON (RFC 8785). */
function requestRecord(facts: RequestFacts): string {
  const { requestId, kind, target, requestedAt, loggedAt, deadline } = facts;
  return canonicalize({
    id: requestId,
    kind,
    target,
    requestedAt: requestedAt === null ? null : formatTime(requestedAt),
    loggedAt: formatTime(loggedAt),
    deadline: formatTime(deadline),
  }) as string;
}

const SAMPLE = Buffer.from('legonet.sample.v1\n');
const MEMBERSHIP_SALT = Buffer.from('legonet.membership-salt.v1\n');
const MEMBERSHIP = Buffer.from('legonet.membership.v1\n');
const REQUEST = Buffer.from('legonet.request.v1\n');

function prefixed(part: Uint8Array): [Uint8Array, Uint8Array] {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(part.length);
  return [length, part];
}

const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');

/** HMAC-SHA-256 (RFC 2104) with a key of 32 bytes: two hashes in one go cost a third of a `createHmac`. */
function hmac(key: Uint8Array, ...message: readonly Uint8Array[]): Buffer {
  const inner = Buffer.alloc(BLOCK, 0x36);
  const outer = Buffer.alloc(BLOCK, 0x5c);
  for (let i = 0; i < key.length; i++) {
    const byte = key[i] as number;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  return sha256(Buffer.concat([outer, sha256(Buffer.concat([inner, ...message]))]));
}

/** Bytes that SHA-256 takes at a time. */
const BLOCK = 64;
