import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '#src/audit/bytes.js';
import {
  membershipCommitment,
  membershipSalt,
  requestCommitment,
  sampleCommitment,
  setKey,
} from '#src/audit/commitment.js';

const salt = Uint8Array.from({ length: 32 }, (_, i) => i);
const opening = { salt, id: 'sample-é', label: 'cat', encoding: Int8Array.of(-128, 0, 127) };

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** As docs/reference/audit-log.md has it, by another library. */
const hmac = (key: Uint8Array, ...parts: (string | Uint8Array)[]): string => {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest('hex');
};

describe('a commitment', () => {
  test('of a sample is the HMAC of its fields, each behind its length, as documented', () => {
    expect(toHex(sampleCommitment(opening))).toBe(
      hmac(
        salt,
        'legonet.sample.v1\n',
        u32(9),
        'sample-é',
        u32(3),
        'cat',
        u32(3),
        Uint8Array.of(0x80, 0, 0x7f),
      ),
    );
  });

  test('of a sample covers the bytes of a view, not of the buffer under it', () => {
    const view = new Int8Array([9, -128, 0, 127, 9]).subarray(1, 4);
    expect(sampleCommitment({ ...opening, encoding: view })).toEqual(sampleCommitment(opening));
  });

  test('of a membership is the HMAC of the adapters, nearest first, under a salt of its own', () => {
    const own = createHash('sha256').update('legonet.membership-salt.v1\n').update(salt).digest();
    expect(toHex(membershipSalt(salt))).toBe(own.toString('hex'));
    expect(toHex(membershipCommitment(membershipSalt(salt), [7, 0, 70_000]))).toBe(
      hmac(own, 'legonet.membership.v1\n', u32(7), u32(0), u32(70_000)),
    );
  });

  test('of a request is the HMAC of its canonical JSON', () => {
    const request = {
      target: 's',
      id: 'r',
      kind: 'sample',
      requestedAt: null,
      loggedAt: '2026-01-01T00:00:00Z',
      deadline: '2026-01-31T00:00:00Z',
    } as const;
    const text =
      '{"deadline":"2026-01-31T00:00:00Z","id":"r","kind":"sample",' +
      '"loggedAt":"2026-01-01T00:00:00Z","requestedAt":null,"target":"s"}';
    expect(toHex(requestCommitment(salt, request))).toBe(hmac(salt, 'legonet.request.v1\n', text));
  });

  test('of a sample is its key in a set by one hash more', () => {
    const commitment = sampleCommitment(opening);
    expect(toHex(setKey(commitment))).toBe(createHash('sha256').update(commitment).digest('hex'));
  });

  test('differs whenever any field does, also where the fields run together to the same text', () => {
    const fields = fc.record({ id: fc.string(), label: fc.string(), bytes: fc.int8Array() });
    fc.assert(
      fc.property(fields, fields, (a, b) => {
        const of = ({ id, label, bytes }: typeof a) =>
          toHex(sampleCommitment({ salt, id, label, encoding: bytes }));
        const same = a.id === b.id && a.label === b.label && a.bytes.join() === b.bytes.join();
        expect(of(a) === of(b)).toBe(same);
      }),
    );
    const run = (id: string, label: string) => toHex(sampleCommitment({ ...opening, id, label }));
    expect(run('ab', 'c')).not.toBe(run('a', 'bc'));
  });
});
