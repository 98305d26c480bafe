import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { formatVerifierKey, verifierOf } from '#src/audit/log/keys.js';
import {
  type CloudEvent,
  sampleCorrected,
  sampleDeleted,
  sampleIngested,
  subjectErased,
} from '#src/events/cloud-event.js';
import { catchUp } from '#src/service/catch-up.js';
import { replay } from '#src/service/replay.js';
import { certificateOf } from '#src/store/certificates.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { openTestService, type TestService } from '../support/service.js';

const never = new AbortController().signal;
const model = tinyModel();
let service: TestService;
let vkey: string;

beforeEach(async () => {
  service = await openTestService(model);
  vkey = formatVerifierKey(verifierOf((await service.signer()).key));
});
afterEach(() => service.close());

let next = 0;
const meta = () => ({ id: `e${next++}`, source: 'urn:test', time: '2026-01-01T00:00:00Z' });
const encoding = (n: number) => [(n * 37) % 101, (n * 53) % 89, (n * 71) % 97, (n * 29) % 83];

const ingested = (sampleId: string, n: number, subjectId?: string): CloudEvent =>
  sampleIngested(
    { sampleId, label: 'a', encoding: encoding(n), ...(subjectId && { subjectId }) },
    meta(),
  );
const corrected = (sampleId: string, n: number): CloudEvent =>
  sampleCorrected({ sampleId, label: 'b', encoding: encoding(n) }, meta());
const deleted = (sampleId: string, requestId: string): CloudEvent =>
  sampleDeleted({ sampleId, requestId }, meta());

/** Appends the events and does all that is to be done. */
async function happen(...events: readonly CloudEvent[]): Promise<void> {
  await service.log.append(service.settings.topics.sampleEvents, events.map(toNewRecord));
  await catchUp(service, never);
}

const several = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ingested(`s${from + i}`, from + i));

async function certificate(requestId: string, sampleId?: string) {
  const text = await certificateOf(service.database, { requestId, sampleId });
  const { ok, level, checks } = verifyCertificate(text, { vkey });
  return { text, ok, level, checks, failed: checks.filter(({ outcome }) => outcome === 'failed') };
}

const outcomes = (checks: readonly { name: string; outcome: string }[]) =>
  Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));

describe('a deletion certificate', () => {
  test('shows of a sample that was in a version that it is in no set of the one in service', async () => {
    await happen(...several(40));
    await happen(deleted('s7', 'r1'));
    const { ok, level, checks, failed } = await certificate('r1');
    expect(failed).toEqual([]);
    expect({ ok, level }).toEqual({ ok: true, level: 1 });
    expect(outcomes(checks)).toMatchObject({
      'presence-before': 'ok',
      'absence-retained': 'ok',
      'absence-adapters': 'ok',
      erasure: 'ok',
      opening: 'not checked',
    });
  });

  test('holds for the versions that follow', async () => {
    await happen(...several(40));
    await happen(deleted('s7', 'r1'), deleted('s8', 'r2'));
    await happen(...several(20, 40));
    await happen(deleted('s9', 'r3'));
    for (const request of ['r1', 'r2', 'r3']) {
      const { failed, text } = await certificate(request);
      expect(failed).toEqual([]);
      expect(JSON.parse(text).after.version).toBe(4);
    }
  });

  test('of a sample that came and went before any version had it proves its ingest instead', async () => {
    await happen(...several(40));
    await happen(ingested('short', 3), deleted('short', 'r1'));
    const { ok, checks, text } = await certificate('r1');
    expect(ok).toBe(true);
    expect(JSON.parse(text)).toMatchObject({ before: null, ingested: {} });
    expect(outcomes(checks)).toMatchObject({ 'presence-before': 'not checked', log: 'ok' });
  });

  test('is there for each sample of an erased subject, and says when it must know which', async () => {
    await happen(...several(20), ingested('x', 50, 'anna'), ingested('y', 51, 'anna'));
    await happen(subjectErased({ subjectId: 'anna', requestId: 'r1' }, meta()));
    await expect(certificate('r1')).rejects.toMatchObject({ code: 'several_deleted' });
    for (const sample of ['x', 'y']) expect((await certificate('r1', sample)).failed).toEqual([]);
    // What comes late is deleted too, and certified.
    await happen(ingested('s1', 70, 'anna'));
    expect((await certificate('r1', 's1')).failed).toEqual([]);
  });

  test('is of the content in force when a sample was corrected', async () => {
    await happen(...several(20));
    await happen(corrected('s3', 60));
    await happen(deleted('s3', 'r1'));
    expect((await certificate('r1')).failed).toEqual([]);
  });

  test('is not made of what was never there, nor of a request that nobody made', async () => {
    await happen(...several(20));
    await happen(deleted('never', 'r1'), deleted('s1', 'r2'), deleted('s1', 'r3'));
    await expect(certificate('r1')).rejects.toMatchObject({ code: 'nothing_deleted' });
    await expect(certificate('r3')).rejects.toMatchObject({ code: 'nothing_deleted' });
    await expect(certificate('r9')).rejects.toMatchObject({ code: 'no_deletion' });
    expect((await certificate('r2')).failed).toEqual([]);
  });

  test('survives a replay of the log', async () => {
    await happen(...several(30));
    await happen(deleted('s7', 'r1'));
    await replay(service, never, () => {});
    expect((await certificate('r1')).failed).toEqual([]);
    await happen(deleted('s8', 'r2'));
    expect((await certificate('r2')).failed).toEqual([]);
    const { rows } = await service.database.pool.query('SELECT FROM saved_seals');
    expect(rows.length).toBe(0);
  });
});
