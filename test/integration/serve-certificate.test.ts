import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { parseEnvelope, verifyEnvelope } from '#src/audit/dsse.js';
import { formatVerifierKey, verifierOf } from '#src/audit/log/keys.js';
import { sampleIngested, subjectErased } from '#src/events/cloud-event.js';
import { certificateOf } from '#src/store/certificates.js';
import { transaction } from '#src/store/database.js';
import { auditedVersion, listingOf } from '#src/store/listing.js';
import { toNewRecord } from '../support/history.js';
import { deletion, ingests, openTestHttp, type TestHttp } from '../support/http.js';
import { tinyModel } from '../support/models.js';

const model = tinyModel();
/** An id that must not get into a header as it is. */
const ODD = 'case 88/"ü"; x=../..';
let http: TestHttp;

beforeAll(async () => {
  http = await openTestHttp(model);
  await http.append([...ingests(model, 's', 40), ...ofSubject(120)]);
  await http.catchUp();
  const meta = { id: 'r-anna', source: 'urn:test' };
  const erasure = subjectErased({ subjectId: 'anna', requestId: 'r-anna' }, meta);
  await http.append([deletion('s7'), deletion('s8', ODD), deletion('never', 'r-never')]);
  await http.append([toNewRecord(erasure)]);
  await http.catchUp();
});
afterAll(() => http.close());

const ofSubject = (count: number) =>
  Array.from({ length: count }, (_, i) => {
    const sampleId = `anna${String(i).padStart(3, '0')}`;
    const data = { sampleId, label: 'a', encoding: [i, 2, 3, 4], subjectId: 'anna' };
    return toNewRecord(sampleIngested(data, { id: `i-${sampleId}`, source: 'urn:test' }));
  });

const keyOf = async () => verifierOf((await http.service.signer()).key);
const path = (request: string, query = '') =>
  `/v1/deletions/${encodeURIComponent(request)}/certificate${query}`;

async function problem(of: string): Promise<Record<string, unknown>> {
  const answer = await http.ask(of, 'audit');
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  const document = (await answer.json()) as Record<string, unknown>;
  return { ...document, retry: answer.headers.get('retry-after') };
}

describe('a deletion certificate over HTTP', () => {
  test('is the file as it is made, under a name of its own, and verifies', async () => {
    const answer = await http.ask(path('r-s7'), 'audit');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('content-disposition')).toBe(
      'attachment; filename="certificate-r-s7.json"',
    );
    const text = await answer.text();
    expect(text).toBe(await certificateOf(http.service.database, { requestId: 'r-s7' }));
    const vkey = formatVerifierKey(await keyOf());
    expect(verifyCertificate(text, { vkey })).toMatchObject({ ok: true, level: 1 });
  });

  test('verifies by the key that is served and by no other, and names what the subject asked', async () => {
    const { vkey } = (await http.json('/v1/log/key')) as { vkey: string };
    const text = await (await http.ask(path(ODD), 'audit')).text();
    expect(verifyCertificate(text, { vkey }).ok).toBe(true);
    expect(JSON.parse(text)).toMatchObject({ request: { id: ODD, target: 's8' } });
    const other = await openTestHttp(model);
    const otherKey = formatVerifierKey(verifierOf((await other.service.signer()).key));
    await other.close();
    expect(verifyCertificate(text, { vkey: otherKey }).ok).toBe(false);
  });

  test('has a file name without anything of an id that could do harm', async () => {
    const answer = await http.ask(path(ODD, '?sample=s8'), 'audit');
    expect(answer.headers.get('content-disposition')).toBe(
      'attachment; filename="certificate-case_88_x_-s8.json"',
    );
  });

  test('of a request that has deleted several names them to choose from, a hundred at most', async () => {
    const several = await problem(path('r-anna'));
    expect(several).toMatchObject({ status: 409, code: 'several_deleted', total: 120 });
    const named = several.samples as string[];
    expect(named).toHaveLength(100);
    expect(named.slice(0, 2)).toEqual(['anna000', 'anna001']);
    const answer = await http.ask(path('r-anna', '?sample=anna119'), 'audit');
    const vkey = formatVerifierKey(await keyOf());
    expect(verifyCertificate(await answer.text(), { vkey }).ok).toBe(true);
  });

  test('is not there of what was not deleted, and each answer says why', async () => {
    expect(await problem(path('r-none'))).toMatchObject({ status: 404, code: 'no_deletion' });
    for (const nothing of [path('r-never'), path('r-s7', '?sample=s9')]) {
      expect(await problem(nothing)).toMatchObject({ status: 404, code: 'nothing_deleted' });
    }
    for (const wrong of ['?sample=', '?other=1', `?sample=${'x'.repeat(257)}`]) {
      const refused = await problem(path('r-s7', wrong));
      expect(refused).toMatchObject({ status: 400, code: 'invalid_request' });
    }
  });

  test('is to be asked for again while its version is not signed', async () => {
    const { pool } = http.service.database;
    const newest = 'version = (SELECT max(version) FROM versions)';
    const { rows } = await pool.query(`SELECT attestation FROM versions WHERE ${newest}`);
    await pool.query(`UPDATE versions SET attestation = NULL WHERE ${newest}`);
    const early = { status: 503, code: 'certificate_not_ready', retry: '1' };
    expect(await problem(path('r-s7'))).toMatchObject(early);
    const unsigned = { status: 404, code: 'no_attestation' };
    expect(await problem('/v1/versions/2/attestation')).toMatchObject(unsigned);
    await pool.query(`UPDATE versions SET attestation = $1 WHERE ${newest}`, [rows[0].attestation]);
    expect((await http.ask(path('r-s7'), 'audit')).status).toBe(200);
  });

  test('is for tokens with the scope audit alone', async () => {
    expect((await http.ask(path('r-s7'), null)).status).toBe(401);
    for (const scope of ['ingest', 'delete', 'predict'] as const) {
      for (const request of ['r-s7', 'r-anna', 'r-none']) {
        expect((await http.ask(path(request), scope)).status).toBe(403);
      }
    }
    expect((await http.ask(path('r-s7'), 'admin')).status).toBe(200);
  });
});

describe('the attestation of a version', () => {
  test('has both statements, signed by the key of the log, about the model that is served', async () => {
    const { publicKey } = await keyOf();
    for (const version of [1, 2]) {
      const answer = await http.ask(`/v1/versions/${version}/attestation`, 'predict');
      const envelopes = (await answer.json()) as Record<string, unknown>;
      const { modelDigest } = (await http.json(`/v1/versions/${version}`)) as Record<
        string,
        string
      >;
      const predicates = ['unlearning', 'provenance'].map((name) => {
        const envelope = parseEnvelope(envelopes[name]);
        expect(verifyEnvelope(envelope, publicKey)).toBe(true);
        const { subject, predicateType } = JSON.parse(Buffer.from(envelope.payload).toString());
        expect(subject).toMatchObject([{ digest: { sha256: modelDigest } }]);
        return predicateType;
      });
      expect(predicates).toEqual([
        'https://legonet.dev/exact-unlearning/v1',
        'https://slsa.dev/provenance/v1',
      ]);
    }
  });

  test('tells nothing that a predicting subscriber may not know: no sample, no adapter', async () => {
    const envelopes = (await http.json('/v1/versions/2/attestation')) as Record<string, unknown>;
    for (const envelope of Object.values(envelopes)) {
      const payload = Buffer.from(parseEnvelope(envelope).payload).toString();
      expect(payload).not.toMatch(/anna|"s\d+"|"r-|case 88|rebuilt/);
    }
  });

  test('is for the scopes predict and audit', async () => {
    const of = '/v1/versions/1/attestation';
    const statuses = [null, 'ingest', 'delete', 'predict', 'audit', 'admin'] as const;
    const answers = statuses.map(async (scope) => (await http.ask(of, scope)).status);
    expect(await Promise.all(answers)).toEqual([401, 403, 403, 200, 200, 200]);
    expect(await problem('/v1/versions/9/attestation')).toMatchObject({ code: 'no_version' });
  });
});

describe('the listing over HTTP', () => {
  const LISTING = '/v1/versions/latest/listing';

  const written = (): Promise<Buffer> =>
    transaction(http.service.database.pool, async (client) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of listingOf(client, await auditedVersion(client))) pieces.push(piece);
      return Buffer.concat(pieces);
    });

  test('is, to the byte, what the command line writes, for auditors alone', async () => {
    const answer = await http.ask(LISTING, 'audit');
    const { version } = (await http.json('/v1/versions/latest')) as { version: number };
    expect(answer.headers.get('legonet-version')).toBe(String(version));
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(await written());
    expect((await http.ask(LISTING, 'predict')).status).toBe(403);
    expect((await http.ask(LISTING, null)).status).toBe(401);
  });

  test('that nobody reads to its end keeps no connection', async () => {
    for (let i = 0; i < 12; i++) {
      const reading = new AbortController();
      const answer = await http.ask(LISTING, 'audit', { signal: reading.signal });
      reading.abort();
      await answer.arrayBuffer().catch(() => undefined);
    }
    expect((await http.ask(LISTING, 'audit')).status).toBe(200);
  });
});
