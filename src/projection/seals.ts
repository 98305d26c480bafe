import { randomBytes } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { DeletionEvent } from '../events/event.js';
import type { LogRecord } from '../events/record.js';
import { clampTime, formatTime } from '../events/time.js';
import { HASH_BYTES, HmacMessage, sha256Into } from './hmac.js';

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
  const seal = Buffer.allocUnsafe(2 * HASH_BYTES);
  const bytes = new Uint8Array(encoding.buffer, encoding.byteOffset, encoding.length);
  message.begin(SAMPLE).text(sampleId).text(label).prefixed(bytes).into(seal, 0, salt);
  writeMembership(seal, HASH_BYTES, membershipSalt(salt), adapters);
  const commitment = seal.subarray(0, HASH_BYTES);
  return { salt, commitment, membership: seal.subarray(HASH_BYTES) };
}

/** Opens the membership, and nothing else: a certificate shows it when the sample's own salt is gone. */
export function membershipSalt(salt: Uint8Array): Uint8Array {
  const opened = Buffer.allocUnsafe(HASH_BYTES);
  sha256Into(opened, 0, Buffer.concat([MEMBERSHIP_SALT, salt]));
  return opened;
}

/** With `membershipSalt`. */
export function sealAdapters(salt: Uint8Array, adapters: readonly number[]): Uint8Array {
  const membership = Buffer.allocUnsafe(HASH_BYTES);
  writeMembership(membership, 0, salt, adapters);
  return membership;
}

function writeMembership(
  out: Buffer,
  at: number,
  salt: Uint8Array,
  adapters: readonly number[],
): void {
  message.begin(MEMBERSHIP);
  for (const adapter of adapters) message.uint32(adapter);
  message.into(out, at, salt);
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
  const commitment = Buffer.allocUnsafe(HASH_BYTES);
  message.begin(Buffer.concat([REQUEST, Buffer.from(text)])).into(commitment, 0, salt);
  return { salt, commitment, deadline };
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

/** Where messages are written, one at a time. */
const message = new HmacMessage();
