import { describe, expect, test } from 'vitest';
import {
  composeReceipt,
  openingOf,
  parseReceipt,
  RECEIPT_CHECKS,
  verifyReceipt,
} from '#src/audit/certificate/receipt.js';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { canonicalText } from '#src/audit/json.js';
import { multiproof, nodesOver } from '#src/audit/log/merkle.js';
import { auditWorld, ORIGIN, type Sample } from '../support/audit-world.js';

const world = auditWorld();
for (let i = 0; i < 9; i++) world.ingest(`sample-${i}`);
const sample = world.ingest('mine', 'dog');
world.build();

const receiptOf = ({ adapters, index, ...opening }: Sample, change = {}) =>
  composeReceipt(
    {
      origin: ORIGIN,
      opening,
      adapters: [...adapters],
      index,
      proof: multiproof([index], world.leaves.length, nodesOver(world.leaves)),
      checkpoint: world.checkpoint(),
      ...change,
    },
    world.vkey(),
  );

describe('a receipt', () => {
  const text = receiptOf(sample);
  const json = JSON.parse(text);
  const verify = (change: object) =>
    verifyReceipt(canonicalText({ ...json, ...change }), world.vkey());

  test('proves that the sample is in the log', () => {
    const { checks, ...result } = verifyReceipt(text, world.vkey());
    expect(result).toEqual({ ok: true, level: 1 });
    expect(checks.map(({ name }) => name)).toEqual(RECEIPT_CHECKS);
  });

  test('opens the certificate of its sample later', () => {
    const opening = openingOf(parseReceipt(text));
    const later = auditWorld();
    for (let i = 0; i < 9; i++) later.ingest(`sample-${i}`);
    later.ingest('mine', 'dog');
    later.build();
    later.remove('mine');
    later.build();
    const { ok, checks } = verifyCertificate(later.certificate('mine'), {
      vkey: later.vkey(),
      opening,
    });
    expect(ok).toBe(true);
    expect(checks.at(-1)).toMatchObject({ name: 'opening', outcome: 'ok' });
  });

  test.each([
    ['another encoding', { opening: { ...json.opening, encoding: 'AAAA' } }],
    ['another label', { opening: { ...json.opening, label: 'cat' } }],
    ['other adapters', { adapters: json.adapters.toReversed() }],
    ['another place', { index: json.index - 1 }],
    ['a proof that is cut off', { proof: json.proof.slice(128) }],
  ])('with %s is refused', (_, change) => {
    expect(verify(change)).toMatchObject({ ok: false, level: 0 });
  });

  test('of another log, or under another key, is refused', () => {
    const other = auditWorld({ seed: 'other' });
    expect(verifyReceipt(text, other.vkey())).toMatchObject({ ok: false, level: null });
    expect(verify({ checkpoint: other.checkpoint() })).toMatchObject({ ok: false, level: null });
    expect(verify({ origin: 'another.example' })).toMatchObject({ ok: false, level: null });
  });

  test('is not made of a sample that the log does not have', () => {
    expect(() => receiptOf({ ...sample, label: 'cat' })).toThrow(
      expect.objectContaining({ code: 'certificate_unsound' }),
    );
  });

  test('that is no receipt is refused, without an error', () => {
    for (const text of ['', '{}', '[]', canonicalText({ ...json, more: 1 })]) {
      expect(verifyReceipt(text, world.vkey())).toMatchObject({ ok: false, level: null });
    }
  });
});
