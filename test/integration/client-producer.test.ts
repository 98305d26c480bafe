import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readRecord } from '#src/events/read-record.js';
import { EventError, Producer, type ProducerOptions, type Sample } from '#src/index.js';
import { EmbeddedLog } from '#src/log/embedded.js';
import { type Database, openDatabase } from '#src/store/database.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { readLog } from '../support/read-log.js';

const TOPIC = 'legonet.sample-events';

describe('a producer', () => {
  let place: TestDatabase;
  let database: Database;
  let log: EmbeddedLog;
  let producers: Producer[];

  beforeEach(async () => {
    place = await createTestDatabase();
    database = openDatabase(place.url);
    log = new EmbeddedLog(database);
    producers = [];
  });
  afterEach(async () => {
    for (const producer of producers) await producer.close();
    await log.close();
    await database.close();
    await place.drop();
  });

  async function open(options: Partial<ProducerOptions> = {}): Promise<Producer> {
    const producer = await Producer.open({ ...options, databaseUrl: place.url });
    producers.push(producer);
    return producer;
  }

  const records = () => readLog(log, TOPIC);
  const sample = (sampleId: string): Sample => ({ sampleId, label: 'a', encoding: [1, 2] });

  test('each event is read as it was sent, at the position that it returns', async () => {
    const producer = await open({ source: 'urn:test' });
    const time = new Date('2026-03-01T09:30:00Z');
    const sent = await Promise.all([
      producer.ingest({ ...sample('one'), subjectId: 'who' }, { id: 'e1', time }),
      producer.correct({ sampleId: 'one', label: 'b', encoding: Float32Array.of(0.5, -1) }),
      producer.ingest({ sampleId: 'two', label: 'b', encoding: Int8Array.of(-128, 127) }),
      producer.delete({ sampleId: 'one', requestId: 'r1', reason: 'asked' }),
      producer.eraseSubject({ subjectId: 'who' }, { time: '2026-03-02T00:00:00+01:00' }),
    ]);
    const found = new Map((await records()).map((record) => [record.position, record]));
    const events = sent.map(({ position }) => {
      const record = found.get(position);
      const result = record && readRecord(record);
      return result?.ok ? result.event : result?.error;
    });
    expect(events).toMatchObject([
      {
        kind: 'ingested',
        eventId: 'e1',
        source: 'urn:test',
        time: 1772357400000000n,
        sampleId: 'one',
        subjectId: 'who',
        encoding: { form: 'numbers', values: [1, 2] },
      },
      {
        kind: 'corrected',
        sampleId: 'one',
        label: 'b',
        encoding: { form: 'float32', values: Float32Array.of(0.5, -1) },
      },
      { kind: 'ingested', encoding: { form: 'int8', values: Int8Array.of(-128, 127) } },
      { kind: 'deleted', sampleId: 'one', request: { requestId: 'r1', reason: 'asked' } },
      { kind: 'erased', subjectId: 'who', time: 1772406000000000n },
    ]);
    expect(events.map((event) => event && 'eventId' in event && event.eventId)).toEqual(
      sent.map(({ id }) => id),
    );
  });

  test('ids that it gives increase, so that of two events at one time the later one counts', async () => {
    const producer = await open();
    const sent = await Promise.all(
      Array.from({ length: 100 }, (_, i) => producer.correct(sample(`s${i % 2}`))),
    );
    const ids = sent.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(100);
  });

  test('what readers would reject is refused with their code, and nothing of it is sent', async () => {
    const producer = await open();
    const big = { sampleId: 'big', label: 'a', input: { text: 'x'.repeat(1024 * 1024) } };
    const outcomes = await Promise.allSettled([
      producer.ingest({ sampleId: 'ok', label: 'a', encoding: [1] }),
      producer.ingest({ sampleId: 'nan', label: 'a', encoding: [Number.NaN] }),
      producer.ingest({ sampleId: 'none', label: 'a' }),
      producer.ingest(sample('subject:x')),
      producer.ingest(sample('time'), { time: 'yesterday' }),
      producer.ingest(sample('date'), { time: new Date('nonsense') }),
      producer.ingest(big),
      producer.delete({ sampleId: '' }),
      producer.eraseSubject({ subjectId: 'a\n' }),
      producer.delete({ sampleId: 'also ok' }),
    ]);
    const codes = outcomes.map((outcome) => {
      if (outcome.status === 'fulfilled') return 'sent';
      expect(outcome.reason).toBeInstanceOf(EventError);
      return outcome.reason.code;
    });
    expect(codes).toEqual([
      'sent',
      'not_finite',
      'invalid_data',
      'invalid_data',
      'invalid_time',
      'invalid_time',
      'oversize',
      'invalid_data',
      'invalid_data',
      'sent',
    ]);
    expect((await records()).map(({ key }) => key)).toEqual(['ok', 'also ok']);
  });

  test('there is one to a log in a process, and another when it is closed', async () => {
    const producer = await open();
    await expect(open()).rejects.toMatchObject({ code: 'producer_exists' });
    await producer.close();
    await expect(producer.ingest(sample('late'))).rejects.toMatchObject({
      code: 'producer_closed',
    });
    await (await open()).ingest(sample('one'));
    expect((await records()).map(({ key }) => key)).toEqual(['one']);
  });

  test('one that could not be opened is none', async () => {
    const databaseUrl = place.url.replace(/[^/]*$/, 'legonet_test_not_there');
    for (let i = 0; i < 2; i++) {
      await expect(Producer.open({ databaseUrl })).rejects.toMatchObject({
        code: 'database_unreachable',
      });
    }
  });

  test('closing sends what was accepted, in order', async () => {
    const producer = await open({ lingerMs: 60_000 });
    const keys = Array.from({ length: 1200 }, (_, i) => `s${i}`);
    const sent = keys.map((key) => producer.ingest(sample(key)));
    await producer.close();
    expect((await Promise.all(sent)).map(({ position }) => position)).toEqual(
      keys.map((_, i) => BigInt(i)),
    );
    expect((await records()).map(({ key }) => key)).toEqual(keys);
  });

  test('a failure of the log reaches every caller, and those after it are sent', async () => {
    const producer = await open();
    await producer.ingest(sample('before'));
    await database.pool.query('ALTER TABLE log_records RENAME TO elsewhere');
    const failed = await Promise.allSettled([
      producer.ingest(sample('x')),
      producer.ingest(sample('y')),
    ]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await database.pool.query('ALTER TABLE elsewhere RENAME TO log_records');
    await producer.ingest(sample('after'));
    expect((await records()).map(({ key }) => key)).toEqual(['before', 'after']);
  });

  test('a lost connection is a failure that can be tried again, without a password in it', async () => {
    const producer = await open();
    const event = { id: 'the same' };
    await producer.ingest(sample('x'), event);
    await database.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await producer.ingest(sample('x'), event).catch((error) => {
      expect(error).toMatchObject({ code: 'database_unreachable', retry: 'retryable' });
      expect(error.message).not.toContain(new URL(place.url).password);
    });
    await producer.ingest(sample('x'), event);
    expect(new Set((await records()).map(({ key }) => key))).toEqual(new Set(['x']));
  });

  test('limits and places that make no sense are named', async () => {
    await expect(open({ batchRecords: 0 })).rejects.toThrow('batchRecords: expected');
    await expect(Producer.open({ databaseUrl: '' })).rejects.toThrow('databaseUrl: expected');
    await expect(Producer.open({ brokers: [] })).rejects.toThrow('brokers: expected');
    await expect(Producer.open({ brokers: ['nowhere'] })).rejects.toThrow(
      'KAFKA_BROKERS: expected',
    );
  });
});
