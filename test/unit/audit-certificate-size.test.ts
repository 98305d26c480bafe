import { expect, test } from 'vitest';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { largeCertificate, type Shape } from '../support/large-certificate.js';

const LIMIT = 16 * 1024;
const LIMIT_LATER = 18 * 1024;

/** 10,000 members to an adapter, more or less. */
const large = { samples: 1_000_000, adapters: 1000, activated: 10, entries: 2_000_000 };

type At = Pick<Shape, 'at' | 'changed'>;

/** A few thousand entries of the log from the deletion to the erasure. */
const recent: At = {
  changed: 4000,
  at: { deletion: 1_993_217, intent: 1_993_901, version: 1_993_960, erasure: 1_999_000 },
};

/** A few versions later. */
const later: At = {
  changed: 8000,
  at: {
    deletion: 1_990_217,
    applied: { intent: 1_990_901, version: 1_990_960 },
    erasure: 1_993_000,
    intent: 1_998_901,
    version: 1_998_960,
  },
};

/** A hundred thousand versions later: nothing is near anything else. */
const long: At = {
  changed: 1_000_000,
  at: {
    deletion: 303_217,
    applied: { intent: 303_901, version: 303_960 },
    erasure: 313_000,
    intent: 1_993_901,
    version: 1_993_960,
  },
};

const longest = (at: At) => {
  const lengths = [1, 2, 3, 4, 5].map((seed) => {
    const { text, vkey } = largeCertificate({ ...large, ...at }, seed);
    const { checks } = verifyCertificate(text, { vkey });
    expect(checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    return new TextEncoder().encode(text).length;
  });
  return Math.max(...lengths);
};

test('a certificate with 10 of 1,000 adapters, a million samples and two million entries has at most 16 KiB', () => {
  expect(longest(recent)).toBeLessThanOrEqual(LIMIT);
});

test.each([
  ['some versions', later],
  ['a million changes', long],
])('one that is made %s later has at most 18 KiB', (_, at) => {
  expect(longest(at)).toBeLessThanOrEqual(LIMIT_LATER);
});
