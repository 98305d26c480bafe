import { expect, test } from 'vitest';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { largeCertificate } from '../support/large-certificate.js';

const LIMIT = 16 * 1024;
const LIMIT_LATER = 18 * 1024;

/** 10,000 members to an adapter, more or less. */
const large = { samples: 1_000_000, adapters: 1000, activated: 10, entries: 2_000_000 };

/** A few thousand entries of the log from the deletion to the erasure. */
const recent = { deletion: 1_993_217, intent: 1_993_901, version: 1_993_960, erasure: 1_999_000 };

/** A hundred thousand versions ago, and far from the entries of the version in service. */
const long = {
  deletion: 303_217,
  applied: { intent: 303_901, version: 303_960 },
  erasure: 313_000,
  intent: 1_993_901,
  version: 1_993_960,
};

const lengths = (at: typeof recent) =>
  [1, 2, 3, 4, 5].map((seed) => {
    const { text, vkey } = largeCertificate({ ...large, at }, seed);
    const { checks } = verifyCertificate(text, { vkey });
    expect(checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    return new TextEncoder().encode(text).length;
  });

test('a certificate with 10 of 1,000 adapters, a million samples and two million entries has at most 16 KiB', () => {
  expect(Math.max(...lengths(recent))).toBeLessThanOrEqual(LIMIT);
});

test('one that is made when many versions have come after has at most 18 KiB', () => {
  expect(Math.max(...lengths(long))).toBeLessThanOrEqual(LIMIT_LATER);
});
