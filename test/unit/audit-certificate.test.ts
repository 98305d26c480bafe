import { describe, expect, test } from 'vitest';
import { assembleCertificate } from '#src/audit/certificate/compose.js';
import { NOT_SHOWN } from '#src/audit/certificate/schema.js';
import { CHECKS, verifyCertificate } from '#src/audit/certificate/verify.js';
import { canonicalText } from '#src/audit/json.js';
import { type AuditWorld, auditWorld, type Deletion } from '../support/audit-world.js';

/** A sample among others, in a version, and then deleted from the next. */
function deleted(): AuditWorld {
  const world = auditWorld();
  for (let i = 0; i < 20; i++) world.ingest(`sample-${i}`);
  world.build();
  world.remove('sample-7');
  world.build();
  return world;
}

const outcomes = (text: string, vkey: string) => {
  const { checks, ...result } = verifyCertificate(text, { vkey });
  return {
    ...result,
    failed: checks.filter(({ outcome }) => outcome === 'failed'),
    skipped: checks.filter(({ outcome }) => outcome === 'not checked').map(({ name }) => name),
  };
};

describe('the certificate of an honest server', () => {
  test('holds, and names what it could not check', () => {
    const world = deleted();
    const text = world.certificate('sample-7');
    expect(outcomes(text, world.vkey())).toEqual({
      ok: true,
      level: 1,
      failed: [],
      skipped: ['erasure', 'opening'],
    });
    expect(verifyCertificate(text, { vkey: world.vkey() }).checks.map(({ name }) => name)).toEqual(
      CHECKS,
    );
    expect(JSON.parse(text).notShown).toEqual(NOT_SHOWN);
  });

  test('holds with the erasure in it, and with the opening that the producer has', () => {
    const world = deleted();
    world.erase('sample-7');
    const opening = world.deletions.get('sample-7')?.sample;
    const text = world.certificate('sample-7');
    const result = verifyCertificate(text, {
      vkey: world.vkey(),
      ...(opening && { opening }),
    });
    expect(result.checks.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
  });

  test('holds for a later version than the first without the sample', () => {
    const world = deleted();
    world.ingest('late');
    world.build();
    world.remove('sample-3');
    world.build();
    const text = world.certificate('sample-7');
    expect(JSON.parse(text)).toMatchObject({ applied: { version: 2 }, after: { version: 4 } });
    expect(outcomes(text, world.vkey())).toMatchObject({ ok: true, level: 1 });
  });

  test('holds for a sample that no version ever held, by its ingest', () => {
    const world = auditWorld();
    world.ingest('kept');
    world.ingest('gone');
    world.remove('gone');
    world.build();
    const text = world.certificate('gone');
    expect(JSON.parse(text)).toMatchObject({ before: null, ingested: { index: 1 } });
    expect(outcomes(text, world.vkey()).skipped).toContain('presence-before');
    expect(outcomes(text, world.vkey())).toMatchObject({ ok: true, level: 1 });
  });

  test('holds for the last sample of all', () => {
    const world = auditWorld({ adapters: 1, activated: 1 });
    world.ingest('only');
    world.build();
    world.remove('only');
    world.build();
    expect(outcomes(world.certificate('only'), world.vkey())).toMatchObject({ ok: true });
  });

  test('holds under the old key and the new one after the key was rotated', () => {
    const world = deleted();
    world.rotate();
    world.rotate();
    world.build();
    const text = world.certificate('sample-7');
    for (const which of [0, 1, 2]) {
      expect(outcomes(text, world.vkey(which))).toMatchObject({ ok: true, level: 1 });
    }
    expect(outcomes(text, auditWorld({ seed: 'other' }).vkey())).toMatchObject({
      ok: false,
      level: null,
      failed: [{ name: 'key' }],
    });
  });

  test('reaches level 0 if no more is asked for', () => {
    const world = deleted();
    const result = verifyCertificate(world.certificate('sample-7'), {
      vkey: world.vkey(),
      level: 0,
    });
    expect(result).toMatchObject({ ok: true, level: 0 });
    expect(result.checks.find(({ name }) => name === 'log')?.outcome).toBe('not checked');
  });

  test('is the same for the same facts', () => {
    expect(deleted().certificate('sample-7')).toBe(deleted().certificate('sample-7'));
  });
});

describe('no certificate is made', () => {
  test('of a sample that is retained', () => {
    const world = deleted();
    // Somebody asks for it though nothing was deleted: the truth says that it is there.
    const live = world.ingest('live');
    world.build();
    const { request } = world.deletions.get('sample-7') as Deletion;
    world.deletions.set('live', { sample: live, request, erased: null });
    expect(() => world.certificate('live')).toThrow(
      expect.objectContaining({ code: 'certificate_unsound' }),
    );
  });

  test('before a version without the sample is there', () => {
    const world = auditWorld();
    world.ingest('a');
    world.build();
    world.remove('a');
    expect(() => world.certificate('a')).toThrow(
      expect.objectContaining({ code: 'certificate_unsound' }),
    );
  });
});

describe('a certificate is refused', () => {
  const world = deleted();
  const text = world.certificate('sample-7');

  test('under another key', () => {
    const { vkey } = auditWorld({ seed: 'other' });
    expect(outcomes(text, vkey())).toMatchObject({ ok: false, level: null });
    expect(outcomes(text, 'no key')).toMatchObject({ ok: false, failed: [{ name: 'key' }] });
  });

  test('with a line of another signer in its checkpoint, which the composer leaves out', () => {
    const evidence = world.evidence(world.deletions.get('sample-7') as Deletion);
    const [, line = ''] = auditWorld({ seed: 'other' }).checkpoint().split('\n\n');
    const log = { ...evidence.log, checkpoint: evidence.log.checkpoint + line };
    expect(assembleCertificate({ ...evidence, log }, world.vkey())).toBe(text);
    const json = JSON.parse(text);
    const changed = { ...json, log: { ...json.log, checkpoint: log.checkpoint } };
    expect(outcomes(canonicalText(changed), world.vkey())).toMatchObject({
      ok: false,
      failed: [{ name: 'checkpoint', detail: 'the checkpoint has signatures of others' }],
    });
  });

  test.each([
    ['nothing', ''],
    ['no JSON', 'certificate'],
    ['null', 'null'],
    ['a list', '[]'],
    ['spaces', text.replace('{', '{ ')],
    ['a key twice', text.replace('{', '{"after":1,')],
    ['a field more', text.replace('{', '{"a":1,')],
    ['a megabyte', `"${'a'.repeat(1_000_000)}"`],
  ])('if it is %s', (_, changed) => {
    const result = verifyCertificate(changed, { vkey: world.vkey() });
    expect(result).toMatchObject({ ok: false, level: null });
    expect(result.checks.map(({ name }) => name)).toEqual(CHECKS);
  });
});
