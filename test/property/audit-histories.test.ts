import fc from 'fast-check';
import { expect, test } from 'vitest';
import { composeCertificate } from '#src/audit/certificate/compose.js';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { type AuditWorld, auditWorld, type Deletion, type Sample } from '../support/audit-world.js';

type Step = {
  readonly kind: 'ingest' | 'remove' | 'build' | 'erase' | 'rotate';
  readonly n: number;
};

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('ingest', 'ingest', 'ingest', 'remove', 'build', 'erase', 'rotate'),
  n: fc.nat(4),
});

/** Plays the steps that make sense, and builds a last version that covers them all. */
function play(world: AuditWorld, steps: readonly Step[]): ReadonlyMap<string, Sample> {
  const live = new Map<string, Sample>();
  for (const { kind, n } of steps) {
    const id = `sample-${n}`;
    const deletion = world.deletions.get(id);
    if (kind === 'ingest' && !live.has(id) && !deletion) live.set(id, world.ingest(id));
    if (kind === 'remove' && live.delete(id)) world.remove(id);
    if (kind === 'build') world.build();
    if (kind === 'erase' && deletion && !deletion.erased) world.erase(id);
    if (kind === 'rotate' && world.keys.length < 4) world.rotate();
  }
  world.build();
  return live;
}

test('whatever happened, each deletion has a certificate that holds, and no live sample has one', () => {
  let [certificates, refusals] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 8, maxLength: 25, size: 'max' }),
      fc.nat(2),
      (steps, later) => {
        const world = auditWorld({ adapters: 4, activated: 2 });
        const live = play(world, steps);
        for (let i = 0; i < later; i++) {
          world.ingest(`later-${i}`);
          world.build();
        }
        for (const [id, { sample }] of world.deletions) {
          const text = world.certificate(id);
          certificates++;
          for (let key = 0; key < world.keys.length; key++) {
            const options = { vkey: world.vkey(key), opening: sample };
            expect(verifyCertificate(text, options)).toMatchObject({ ok: true, level: 1 });
          }
        }
        const [any] = world.deletions.values();
        for (const sample of any ? live.values() : []) {
          refusals++;
          // As if the request had been for this one.
          const claim: Deletion = { ...(any as Deletion), sample };
          expect(() => composeCertificate(world.evidence(claim), world.vkey())).toThrow(
            expect.objectContaining({ code: 'certificate_unsound' }),
          );
        }
      },
    ),
    { numRuns: 100 },
  );
  expect(certificates).toBeGreaterThan(20);
  expect(refusals).toBeGreaterThan(20);
});
