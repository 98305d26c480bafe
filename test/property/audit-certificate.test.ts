import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHECKS, verifyCertificate } from '#src/audit/certificate/verify.js';
import { canonicalText } from '#src/audit/json.js';
import { auditWorld } from '../support/audit-world.js';

/** Small; a version has come after the first without the sample, and the erasure. */
function ofOldDeletion() {
  const world = auditWorld({ adapters: 4, activated: 2 });
  for (let i = 0; i < 5; i++) world.ingest(`s${i}`);
  world.build();
  world.remove('s2');
  world.build();
  world.erase('s2');
  world.ingest('late');
  world.build();
  return { text: world.certificate('s2'), vkey: world.vkey() };
}

/** Of a sample that no version held; the key was rotated since. */
function ofIngestedOnly() {
  const world = auditWorld({ adapters: 4, activated: 2 });
  world.ingest('kept');
  world.ingest('gone');
  world.remove('gone');
  world.build();
  world.rotate();
  return { text: world.certificate('gone'), vkey: world.vkey(0) };
}

const kinds = [
  ['of a deletion some versions ago', ofOldDeletion()],
  ['of a sample that was ingested only', ofIngestedOnly()],
] as const;

/** That it is refused, and why, with one line to each check. */
function refused(text: string, vkey: string, what: string): void {
  const { ok, checks } = verifyCertificate(text, { vkey });
  expect(ok, what).toBe(false);
  expect(
    checks.map(({ name }) => name),
    what,
  ).toEqual(CHECKS);
  const failed = checks.filter(({ outcome }) => outcome === 'failed');
  expect(failed.length, what).toBeGreaterThan(0);
  for (const { detail } of failed) expect(detail, what).not.toBe('');
  // Reasons are ours: an error that nobody thought of would say something else.
  for (const { detail } of failed)
    expect(detail, what).not.toMatch(/Cannot|not a function|not iterable|call stack|RangeError/);
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Every value of a file that can be had by changing one field of it, or leaving one out. */
function* changes(value: Json): Generator<{ what: string; value: Json }> {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      yield { what: `[${i}] left out`, value: value.toSpliced(i, 1) };
      yield { what: `[${i}] twice`, value: value.toSpliced(i, 0, item) };
      for (const change of changes(item)) {
        yield { what: `[${i}]${change.what}`, value: value.with(i, change.value) };
      }
    }
    const reversed = value.toReversed();
    if (JSON.stringify(reversed) !== JSON.stringify(value)) {
      yield { what: ' reversed', value: reversed };
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      const { [key]: _, ...without } = value;
      yield { what: `.${key} left out`, value: without };
      yield { what: `.${key} null`, value: { ...value, [key]: null } };
      for (const change of changes(item)) {
        yield { what: `.${key}${change.what}`, value: { ...value, [key]: change.value } };
      }
    }
    yield { what: ' one field more', value: { ...value, more: 0 } };
  } else if (typeof value === 'number') {
    for (const other of [value + 1, value - 1, 0, 2 ** 53 - 1, 0.5, -1]) {
      if (other !== value) yield { what: ` ${value} -> ${other}`, value: other };
    }
    yield { what: ' as text', value: String(value) };
  } else if (typeof value === 'string') {
    yield { what: ' empty', value: '' };
    yield { what: ' longer', value: `${value}A` };
    yield { what: ' cut off', value: value.slice(0, -1) };
    yield { what: ' by four', value: value.slice(4) };
    yield {
      what: ' other',
      value: value.startsWith('A') ? `B${value.slice(1)}` : `A${value.slice(1)}`,
    };
  } else {
    yield { what: ' a number', value: 0 };
    yield { what: ' an object', value: {} };
    yield { what: ' a list', value: [] };
  }
}

describe.each(kinds)('a certificate %s', (_, { text, vkey }) => {
  test('holds', () => {
    expect(verifyCertificate(text, { vkey }).checks.filter((c) => c.outcome === 'failed')).toEqual(
      [],
    );
  });

  test('is refused, with a reason, when any byte of it is another', () => {
    const bytes = new TextEncoder().encode(text);
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      // A bit of each byte, so that most remain letters and digits; another one each time.
      (changed[at] as number) ^= 1 << (at % 7);
      refused(decoder.decode(changed), vkey, `byte ${at}, ${text.slice(at - 20, at + 20)}`);
    }
  });

  test('is refused when any bytes of it are others, more, or fewer', () => {
    const bytes = [...new TextEncoder().encode(text)];
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 2),
        fc.nat(3),
        fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 3 }),
        (at, dropped, added) => {
          const changed = bytes.toSpliced(at, dropped, ...added);
          const read = new TextDecoder('utf-8', { ignoreBOM: true }).decode(
            Uint8Array.from(changed),
          );
          fc.pre(read !== text && read !== text.trimEnd());
          refused(read, vkey, read);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is refused when any field of it is changed or left out', () => {
    let count = 0;
    for (const { what, value } of changes(JSON.parse(text))) {
      const changed = canonicalText(value);
      if (changed === text.trimEnd()) continue;
      refused(changed, vkey, what);
      count++;
    }
    expect(count).toBeGreaterThan(300);
  });
});

test('whatever the file is, verifying it throws nothing', () => {
  const { vkey } = ofOldDeletion();
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), fc.string(), (text, key) => {
      refused(text, vkey, text);
      refused(text, key, text);
    }),
  );
});
