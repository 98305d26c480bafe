import { describe, expect, test } from 'vitest';
import {
  membershipCommitment,
  membershipSalt as membershipSaltOf,
  requestCommitment,
  sampleCommitment,
} from '#src/audit/commitment.js';
import { formatTime } from '#src/events/time.js';
import { drawSalts, membershipSalt, sealRequest, sealSample } from '#src/projection/seals.js';
import { record } from '../support/record.js';

const saltOf = drawSalts(3);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('what a sample is sealed with', () => {
  test.each([
    { id: 's', label: 'a', encoding: Int8Array.of(-128, 0, 127), adapters: [7] },
    {
      id: 'Ünïcode 🎈',
      label: 'größe',
      encoding: new Int8Array(768).fill(-3),
      adapters: [9, 0, 4_000],
    },
  ])('is the commitment as it is defined: $id', ({ id, label, encoding, adapters }) => {
    const salt = saltOf(0);
    const seal = sealSample(salt, id, label, encoding, adapters);
    expect(hex(seal.commitment)).toBe(hex(sampleCommitment({ salt, id, label, encoding })));
    expect(hex(membershipSalt(salt))).toBe(hex(membershipSaltOf(salt)));
    expect(hex(seal.membership)).toBe(hex(membershipCommitment(membershipSaltOf(salt), adapters)));
  });

  test('differs from sample to sample, be they the same', () => {
    const encoding = Int8Array.of(1);
    const seals = [0, 1, 2].map((i) => sealSample(saltOf(i), 's', 'a', encoding, [1]));
    expect(new Set(seals.map(({ commitment }) => hex(commitment))).size).toBe(3);
    expect(new Set(seals.map(({ membership }) => hex(membership))).size).toBe(3);
  });
});

describe('what a request is sealed with', () => {
  const event = (requestedAt?: bigint) => ({
    kind: 'deleted' as const,
    sampleId: 's1',
    eventId: 'e',
    source: 'urn:test',
    time: 5n,
    request: {
      requestId: 'r "1"',
      reason: 'private',
      ...(requestedAt !== undefined && { requestedAt }),
    },
  });

  test.each([undefined, 12_345_678n])('is the commitment as it is defined: %s', (requestedAt) => {
    const salt = saltOf(0);
    const { commitment, deadline } = sealRequest(salt, event(requestedAt), record({}), 60_000);
    expect(deadline).toBe(61_000_000n);
    const facts = {
      id: 'r "1"',
      kind: 'sample' as const,
      target: 's1',
      requestedAt: requestedAt === undefined ? null : formatTime(requestedAt),
      loggedAt: formatTime(1_000_000n),
      deadline: formatTime(61_000_000n),
    };
    expect(hex(commitment)).toBe(hex(requestCommitment(salt, facts)));
  });

  test('can be written whenever the log says that it came', () => {
    const time = 2n ** 62n;
    const { deadline } = sealRequest(saltOf(0), event(), record({ time }), 60_000);
    expect(() => formatTime(deadline)).not.toThrow();
  });
});
