import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type HashingText, hashText } from '#src/model/hashing-text.js';
import { murmurHash3 } from '#src/model/murmur-hash.js';

/** Made by scikit-learn: hashing-text.py beside it says how. */
type Vectors = {
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly options: Omit<HashingText, 'kind' | 'scale'>;
    readonly values: readonly (readonly number[])[];
  }[];
};
const vectors: Vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../support/hashing-text.json'), 'utf8'),
);

const encoder = (options: Vectors['cases'][0]['options']): HashingText => ({
  kind: 'hashing-text',
  scale: 1,
  ...options,
});

describe('texts hashed as HashingVectorizer does', () => {
  for (const { options, values } of vectors.cases) {
    test.each(vectors.texts.map((text, i) => [i, text, values[i]] as const))(
      `${JSON.stringify(options)}, text %i: every bit is the same`,
      (_, text, expected) => {
        expect([...hashText(encoder(options), text)]).toEqual(expected);
      },
    );
  }

  test('a text and its parts in another Unicode form are one text', () => {
    const options = encoder({ analyzer: 'char', dimension: 64, ngrams: [1, 3] });
    expect(hashText(options, 'Cafe\u0301')).toEqual(hashText(options, 'Caf\u00e9'));
  });
});

test.each([
  ['', 0],
  ['a', 0x3c2569b2],
  ['hello', 0x248bfa47],
  ['hello, world', 0x149bbb7f],
  ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
])('MurmurHash3 of "%s" is that of its reference', (text, hash) => {
  const padded = Buffer.from(`..${text}..`);
  expect(murmurHash3(padded, 2, padded.length - 2)).toBe(hash | 0);
});
