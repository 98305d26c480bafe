import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalText, parseCanonical } from '#src/audit/json.js';

describe('canonical JSON', () => {
  test('is read with one newline behind it, or none', () => {
    expect(parseCanonical('{"a":[1,"\\n"],"b":null}')).toEqual({ a: [1, '\n'], b: null });
    expect(parseCanonical('{}\n')).toEqual({});
  });

  test.each([
    ['a space', '{"a": 1}'],
    ['a newline before it', '\n{}'],
    ['two newlines behind it', '{}\n\n'],
    ['a byte order mark', '\ufeff{}'],
    ['a key twice', '{"a":1,"a":1}'],
    ['keys in another order', '{"b":1,"a":1}'],
    ['another spelling of a number', '{"a":1.0}'],
    ['another spelling of zero', '[-0]'],
    ['an exponent', '[1e2]'],
    ['a number that no double has', '[9007199254740993]'],
    ['an escape that need not be', '["\\u0061"]'],
    ['a surrogate alone', '["\\ud800"]'],
    ['a surrogate alone in a key', '{"\\udc00":1}'],
    ['something behind it', '{}{}'],
    ['nothing', ''],
    ['a word', 'undefined'],
  ])('is refused with %s', (_, text) => {
    expect(() => parseCanonical(text)).toThrow(expect.objectContaining({ code: 'invalid_json' }));
  });

  test.each([33, 1_000_000])('is refused %i levels deep', (depth) => {
    const text = '['.repeat(depth) + ']'.repeat(depth);
    expect(() => parseCanonical(text)).toThrow('levels deep');
  });

  test('may have brackets in its texts', () => {
    const value = ['['.repeat(100), '\\"{'.repeat(100)];
    expect(parseCanonical(canonicalText(value))).toEqual(value);
  });

  test('of any value is read as that value, and any text that is read is the form of its value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        fc.pre(
          !/\p{Surrogate}/u.test(JSON.stringify(plain)) && !/\\ud/.test(JSON.stringify(plain)),
        );
        expect(parseCanonical(canonicalText(plain))).toEqual(plain);
      }),
    );
  });
});
