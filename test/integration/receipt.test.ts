import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openingOf, parseReceipt, verifyReceipt } from '#src/audit/certificate/receipt.js';
import { verifyCertificate } from '#src/audit/certificate/verify.js';
import { sampleCommitment } from '#src/audit/commitment.js';
import { int8Data, sampleCorrected, sampleIngested } from '#src/events/cloud-event.js';
import { Producer } from '#src/index.js';
import { rotateKey } from '#src/publish/rotate.js';
import { catchUp } from '#src/service/catch-up.js';
import { receiptOf } from '#src/store/receipts.js';
import { type Audited, deleted, openAudited, several } from '../support/audited.js';

let audited: Audited;
beforeEach(async () => {
  audited = await openAudited();
});
afterEach(() => audited.close());

const receipt = (sampleId: string) => receiptOf(audited.service.database, sampleId);
const meta = (id: string) => ({ id, source: 'urn:test', time: '2026-01-01T00:00:00Z' });

test('a receipt holds, and later tells which certificate is the sample’s', async () => {
  await audited.happen(...several(30));
  const vkey = await audited.vkey();
  const [own, other] = [await receipt('s7'), await receipt('s8')];
  expect(verifyReceipt(own, vkey).ok).toBe(true);
  await audited.happen(deleted(7, 'r1'));
  const text = await audited.certificate('r1');
  const with_ = (file: string) =>
    verifyCertificate(text, { vkey, opening: openingOf(parseReceipt(file)) });
  expect(with_(own).checks).toContainEqual(
    expect.objectContaining({ name: 'opening', outcome: 'ok' }),
  );
  expect(with_(other).ok).toBe(false);
});

test('a receipt is of the content in force, and of the log under the key that is', async () => {
  await audited.happen(...several(10));
  const before = await receipt('s3');
  await audited.happen(
    sampleCorrected({ sampleId: 's3', label: 'b', encoding: [1, 2, 3, 4] }, meta('c')),
  );
  await rotateKey(audited.settings, audited.service.database, undefined);
  const after = await receipt('s3');
  expect(verifyReceipt(after, await audited.vkey()).ok).toBe(true);
  const { opening } = parseReceipt(after);
  expect(opening).toMatchObject({ id: 's3', label: 'b', encoding: Uint8Array.of(1, 2, 3, 4) });
  expect(opening.salt).not.toEqual(parseReceipt(before).opening.salt);
});

test('there is no receipt of a deleted sample, whose salt is gone, nor of one that never was', async () => {
  await audited.happen(...several(10));
  await audited.happen(deleted(3, 'r1'));
  await expect(receipt('s3')).rejects.toMatchObject({
    code: 'sample_deleted',
    message: expect.stringContaining('salt'),
  });
  await expect(receipt('never')).rejects.toMatchObject({ code: 'no_sample' });
});

test('a sample is committed to with the salt that its producer gives', async () => {
  const salts = [randomBytes(32), randomBytes(32)] as const;
  const encoding = Int8Array.of(-128, 0, 5, 127);
  await audited.happen(
    ...several(10),
    sampleIngested(
      {
        sampleId: 'own',
        label: 'a',
        encoding: int8Data(encoding),
        salt: salts[0].toString('base64'),
      },
      meta('i'),
    ),
  );
  const producer = await Producer.open({ databaseUrl: audited.url });
  try {
    await producer.ingest({ sampleId: 'sent', label: 'b', encoding, salt: salts[1] });
    const short = { sampleId: 'short', label: 'b', encoding, salt: salts[1].subarray(1) };
    await expect(producer.ingest(short)).rejects.toMatchObject({ code: 'invalid_data' });
  } finally {
    await producer.close();
  }
  await catchUp(audited.service, new AbortController().signal);
  const { rows } = await audited.service.database.pool.query(
    `SELECT commitment FROM samples WHERE sample_id IN ('own', 'sent') ORDER BY sample_id`,
  );
  const expected = [
    { salt: salts[0], id: 'own', label: 'a', encoding },
    { salt: salts[1], id: 'sent', label: 'b', encoding },
  ].map((opening) => Buffer.from(sampleCommitment(opening)));
  expect(rows.map(({ commitment }) => commitment)).toEqual(expected);
  expect(Buffer.from(parseReceipt(await receipt('sent')).opening.salt)).toEqual(salts[1]);
});
