import { afterEach, beforeEach, expect, test } from 'vitest';
import { sampleIngested } from '#src/events/cloud-event.js';
import { catchUp } from '#src/service/catch-up.js';
import { requestDeletions } from '#src/service/request-deletions.js';
import { helpUntilPublished } from '#src/service/wait-for-deletion.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { openTestService, type TestService } from '../support/service.js';

const never = new AbortController().signal;
let service: TestService;

beforeEach(async () => {
  service = await openTestService(tinyModel());
});
afterEach(() => service.close());

const ingest = (sampleId: string, time: string) =>
  toNewRecord(
    sampleIngested(
      { sampleId, label: 'a', encoding: [1, 2, 3, 4], subjectId: 'p' },
      { id: sampleId, source: 'urn:test', time },
    ),
  );

test('whoever asks once more for a subject’s erasure, under the same id, waits for what that takes away', async () => {
  const { log, database, settings } = service;
  const request = { requestId: 'r', kind: 'subject', targets: ['p'] } as const;
  const ask = async (at: string) => {
    const places = await requestDeletions(service, request, new Date(at));
    const open = async () => ({ ...service, close: async () => {} });
    await helpUntilPublished(service, open, { ...request, places }, never);
  };
  await log.append(settings.topics.sampleEvents, [ingest('first', '2024-01-01T00:00:00Z')]);
  await catchUp(service, never);
  await ask('2024-01-02T00:00:00Z');
  await log.append(settings.topics.sampleEvents, [ingest('second', '2024-01-03T00:00:00Z')]);
  await catchUp(service, never);
  await ask('2024-01-04T00:00:00Z');
  const { rows } = await database.pool.query(
    'SELECT retained FROM versions WHERE published_at IS NOT NULL ORDER BY version DESC LIMIT 1',
  );
  expect(rows).toEqual([{ retained: 0n }]);
});
