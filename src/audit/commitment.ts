import { concat, prefixed, uint32, utf8 } from './bytes.js';
import { hmacSha256, sha256 } from './hash.js';
import { canonicalBytes } from './json.js';

/*
 * What the log says of a sample: values that open to whoever knows the sample's salt, and tell nothing,
 * not even to one who guesses the sample, once the salt is gone.
 */

/** Bytes of a salt; every salt is random and of one sample or one request alone. */
export const SALT_BYTES = 32;

/** What opens a sample's commitment. */
export type Opening = {
  readonly salt: Uint8Array;
  readonly id: string;
  readonly label: string;
  /** As quantised: what the model is trained on. */
  readonly encoding: Int8Array;
};

/** A request for deletion as the log commits to it. Times are RFC 3339, in UTC. */
export type RequestRecord = {
  readonly id: string;
  readonly kind: 'sample' | 'subject';
  /** Id of the sample, or of the subject. */
  readonly target: string;
  /** By the one who asked, if they said so. */
  readonly requestedAt: string | null;
  /** When it came into the event log. */
  readonly loggedAt: string;
  /** When the payload must be erased from the event log. */
  readonly deadline: string;
};

const SAMPLE = utf8('legonet.sample.v1\n');
const MEMBERSHIP_SALT = utf8('legonet.membership-salt.v1\n');
const MEMBERSHIP = utf8('legonet.membership.v1\n');
const REQUEST = utf8('legonet.request.v1\n');

/** 32 bytes. Hides the sample until `salt` is known, and can be opened to no other one. */
export function sampleCommitment({ salt, id, label, encoding }: Opening): Uint8Array {
  const bytes = new Uint8Array(encoding.buffer, encoding.byteOffset, encoding.byteLength);
  const fields = [utf8(id), utf8(label), bytes].map(prefixed);
  return hmacSha256(salt, concat(SAMPLE, ...fields));
}

/** Opens the sample's membership, and not the sample: it may be shown once the sample's salt is gone. */
export const membershipSalt = (salt: Uint8Array): Uint8Array => sha256(MEMBERSHIP_SALT, salt);

/** 32 bytes: commits to the ids of a sample's adapters, nearest first. */
export const membershipCommitment = (
  membershipSalt: Uint8Array,
  adapters: readonly number[],
): Uint8Array => hmacSha256(membershipSalt, concat(MEMBERSHIP, ...adapters.map(uint32)));

/** 32 bytes: commits to a request. */
export function requestCommitment(salt: Uint8Array, request: RequestRecord): Uint8Array {
  const { id, kind, target, requestedAt, loggedAt, deadline } = request;
  const record = canonicalBytes({ id, kind, target, requestedAt, loggedAt, deadline });
  return hmacSha256(salt, concat(REQUEST, record));
}

/** A sample's key in every set that holds it, 32 bytes. */
export const setKey = (commitment: Uint8Array): Uint8Array => sha256(commitment);
