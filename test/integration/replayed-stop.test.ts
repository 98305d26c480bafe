import { afterEach, beforeEach, expect, test } from 'vitest';
import { sampleIngested } from '#src/events/cloud-event.js';
import type { Consumption } from '#src/log/event-log.js';
import { catchUp } from '#src/service/catch-up.js';
import { replay } from '#src/service/replay.js';
import { requestDeletions } from '#src/service/request-deletions.js';
import { ROLES, runRole } from '#src/service/roles.js';
import type { Service } from '#src/service/service.js';
import { helpUntilPublished } from '#src/service/wait-for-deletion.js';
import { readStatus } from '#src/store/status.js';
import { CompactingLog } from '../support/compacting-log.js';
import { toNewRecord } from '../support/history.js';
import { tinyModel } from '../support/models.js';
import { openTestService, type TestService } from '../support/service.js';

const never = new AbortController().signal;
let base: TestService;
let service: Service;

/** A partition that stops is left alone, as with Kafka. */
class LeavingLog extends CompactingLog {
  override consume(topic: string, consumption: Consumption): Promise<void> {
    consumption.canLeave?.(() => {});
    return super.consume(topic, consumption);
  }
}

beforeEach(async () => {
  base = await openTestService(tinyModel());
  const log = new LeavingLog(base.database);
  Object.defineProperty(log, 'shares', { value: true });
  service = { ...base, log };
});
afterEach(async () => {
  await service.log.close();
  await base.close();
});

const ingest = (sampleId: string) =>
  toNewRecord(
    sampleIngested(
      { sampleId, label: 'a', encoding: [1, 2, 3, 4] },
      { id: sampleId, source: 'urn:test', time: '2024-01-01T12:00:00Z' },
    ),
  );
const unreadable = {
  key: 'x',
  value: Buffer.from('{"specversion":"1.0","type":"legonet.sample.deleted.v1","data":{}}'),
};

async function samples(): Promise<string[]> {
  const { rows } = await service.database.pool.query('SELECT sample_id FROM samples ORDER BY 1');
  return rows.map(({ sample_id }) => sample_id);
}

test('a replay goes as far as the deletion that stops a partition, and says only then that it stands still', async () => {
  const topic = service.settings.topics.sampleEvents;
  await service.log.append(topic, [ingest('a'), ingest('b'), unreadable, ingest('c')]);
  const stopped = { code: 'partition_stopped' };
  await expect(catchUp(service, never)).rejects.toMatchObject(stopped);
  expect(await samples()).toEqual(['a', 'b']);
  await expect(replay(service, never, () => {})).rejects.toMatchObject(stopped);
  expect(await samples()).toEqual(['a', 'b']);
  expect((await readStatus(service.database.pool)).stopped).toHaveLength(1);
});

test('a deletion that stops its partition is no news when it is tried again', async () => {
  await service.log.append(service.settings.topics.sampleEvents, [unreadable]);
  const revisions: unknown[] = [];
  for (let tried = 0; tried < 2; tried++) {
    const stop = new AbortController();
    await runRole(base, 'project', stop.signal, () => stop.abort());
    const { rows } = await base.database.pool.query('SELECT revision FROM dead_letters');
    revisions.push(...rows);
  }
  expect(revisions).toEqual([{ revision: 0n }, { revision: 0n }]);
});

test('a partition stands still before its very first record, too, and catching up says so', async () => {
  await service.log.append(service.settings.topics.sampleEvents, [unreadable]);
  await expect(catchUp(service, AbortSignal.timeout(10_000))).rejects.toMatchObject({
    code: 'partition_stopped',
  });
});

test('a partition that has gone on does not stand still, though nobody has skipped what stopped it', async () => {
  const topic = service.settings.topics.sampleEvents;
  await service.log.append(topic, [ingest('a'), unreadable]);
  await expect(catchUp(service, AbortSignal.timeout(10_000))).rejects.toThrow();
  // Compaction has dropped it, for another record has its key.
  await service.log.append(topic, [ingest('x')]);
  await service.database.pool.query('DELETE FROM log_records WHERE position = 1');
  const stop = new AbortController();
  const running = runRole(service, 'project', stop.signal, () => {});
  await expect.poll(samples, { timeout: 10_000 }).toEqual(['a', 'x']);
  stop.abort();
  await running;
  expect((await readStatus(service.database.pool)).stopped).toEqual([]);
});

test('whoever waits for a deletion behind what stops its partition is told, though other processes do the work', async () => {
  await service.log.append(service.settings.topics.sampleEvents, [ingest('a'), unreadable]);
  const stop = new AbortController();
  const running = ROLES.map((role) => runRole(service, role, stop.signal, () => {}));
  const stopped = async () => (await readStatus(service.database.pool)).stopped.length;
  await expect.poll(stopped, { timeout: 10_000 }).toBe(1);
  const request = { requestId: 'r', kind: 'sample', targets: ['a'] } as const;
  const places = await requestDeletions(service, request);
  const waiting = helpUntilPublished(
    service,
    () => Promise.reject(new Error('others have all roles')),
    { ...request, places },
    AbortSignal.timeout(5000),
  );
  await expect(waiting).rejects.toMatchObject({ code: 'partition_stopped' });
  stop.abort();
  await Promise.all(running);
});
