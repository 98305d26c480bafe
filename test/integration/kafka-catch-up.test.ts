import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type CloudEvent,
  EVENT_CONTENT_TYPE,
  encodeEvent,
  int8Data,
  sampleDeleted,
  sampleIngested,
} from '#src/events/cloud-event.js';
import { catchUp } from '#src/service/catch-up.js';
import { runRole } from '#src/service/roles.js';
import type { Service } from '#src/service/service.js';
import { readDeadLetters, skipLetter } from '#src/store/dead-letters.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { logKeeper, logOptions } from '../support/kafka-log.js';
import { tinyModel } from '../support/models.js';
import { openTestService, type TestService } from '../support/service.js';

const missing = await kafkaMissing();
const model = tinyModel();
const never = new AbortController().signal;

describe.skipIf(missing)('catching up, on Kafka', () => {
  const logs = logKeeper();
  let base: TestService;
  let service: Service;

  beforeAll(async () => {
    base = await openTestService(model);
    const { brokers } = await testBroker();
    const options = logOptions(brokers);
    const { kafka, topics } = options;
    const log = await logs.open(options);
    service = { ...base, log, settings: { ...base.settings, kafka, topics } };
  });
  afterAll(async () => {
    await base?.close();
    await logs.close();
  });

  const toRecord = (sampleId: string, partition: number, event: CloudEvent) => ({
    key: sampleId,
    partition,
    headers: { 'content-type': EVENT_CONTENT_TYPE },
    value: encodeEvent(event),
  });
  const meta = (id: string) => ({ id, source: 'urn:test', time: '2026-01-01T00:00:00Z' });
  const ingest = (sampleId: string, partition: number, first = 1) => {
    const encoding = int8Data(Int8Array.of(first, 2, 3, 4));
    const event = sampleIngested({ sampleId, label: 'a', encoding }, meta(`${sampleId}${first}`));
    return toRecord(sampleId, partition, event);
  };
  const remove = (sampleId: string, partition: number) =>
    toRecord(sampleId, partition, sampleDeleted({ sampleId }, meta(`no ${sampleId}`)));
  const unreadable = {
    key: 'x',
    partition: 1,
    value: Buffer.from('{"specversion":"1.0","type":"legonet.sample.deleted.v1","data":{}}'),
  };

  async function samples(): Promise<string[]> {
    const { rows } = await service.database.pool.query('SELECT sample_id FROM samples ORDER BY 1');
    return rows.map(({ sample_id }) => sample_id);
  }

  /** Keys that the log is to have a record more of. */
  async function waiting(table: 'restatements' | 'erasures'): Promise<string[]> {
    const { rows } = await service.database.pool.query(
      table === 'restatements'
        ? 'SELECT sample_id AS key FROM restatements'
        : 'SELECT key FROM erasures WHERE declared_position IS NULL',
    );
    return rows.map(({ key }) => key);
  }

  test('a deletion that cannot be read stops its partition, tells, lets the others go on, and is skipped', async () => {
    const topic = service.settings.topics.sampleEvents;
    await service.log.append(topic, [
      ...[ingest('a', 0), ingest('b', 1)],
      // The log does not say enough of the one, and holds too much of the other.
      ...[ingest('twice', 1), ingest('twice', 1, 2), ingest('gone', 1), remove('gone', 1)],
      ...[unreadable, ingest('c', 1), remove('twice', 1)],
    ]);
    await expect(catchUp(service, never)).rejects.toMatchObject({ code: 'partition_stopped' });
    expect(await samples()).toEqual(['a', 'b', 'twice']);
    // A record more would supersede what is not read yet, the deletion of one.
    expect(await waiting('restatements')).toEqual(['twice']);
    expect(await waiting('erasures')).toEqual(['gone']);

    const stop = new AbortController();
    const reasons: string[] = [];
    const told = { ...service, onStopped: ({ code }: { code: string }) => void reasons.push(code) };
    const running = runRole(told, 'project', stop.signal, (_, error) => {
      throw error;
    });
    try {
      await service.log.append(topic, [ingest('d', 0), ingest('e', 2), ingest('f', 1)]);
      await expect.poll(samples, { timeout: 60_000 }).toEqual(['a', 'b', 'd', 'e', 'twice']);
      // Its partition may be read after the others.
      await expect.poll(() => reasons, { timeout: 60_000 }).toContain('partition_stopped');

      const letters = await readDeadLetters(service.database.pool);
      const letter = letters.find(({ stopping }) => stopping);
      await skipLetter(service.database.pool, letter?.id ?? -1n);
      await expect.poll(samples, { timeout: 60_000 }).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    } finally {
      stop.abort();
      await running;
    }
    await catchUp(service, never);
    expect(await waiting('restatements')).toEqual([]);
    expect(await waiting('erasures')).toEqual([]);
  });

  test('goes on, where the log is told of deletions only as far as the ones before are read', async () => {
    const topic = service.settings.topics.sampleEvents;
    const ids = Array.from({ length: 2500 }, (_, i) => `many ${i}`);
    await service.log.append(
      topic,
      ids.map((id) => ingest(id, 0)),
    );
    await service.log.append(
      topic,
      ids.map((id) => remove(id, 0)),
    );
    await catchUp(service, never);
    expect(await waiting('erasures')).toEqual([]);
  });
});
