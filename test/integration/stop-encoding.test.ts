import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { openEncoder } from '#src/engine/open-encoder.js';
import { sampleIngested } from '#src/events/cloud-event.js';
import type { Encoder } from '#src/model/encoder.js';
import { catchUp } from '#src/service/catch-up.js';
import { runRole } from '#src/service/roles.js';
import type { Service } from '#src/service/service.js';
import { toNewRecord } from '../support/history.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { logKeeper, logOptions } from '../support/kafka-log.js';
import { tinyModel } from '../support/models.js';
import { openTestService } from '../support/service.js';
import { NO_FILES } from '../support/tfjs-models.js';

const missing = await kafkaMissing();
const model = tinyModel({
  encoder: { kind: 'hashing-text', dimension: 3, scale: 1, analyzer: 'word', norm: 'none' },
});
const COUNT = 50;
const records = Array.from({ length: COUNT }, (_, i) =>
  toNewRecord(
    sampleIngested(
      { sampleId: `s${i}`, label: 'a', input: { text: `text ${i}` } },
      { id: `i${i}`, source: 's' },
    ),
  ),
);

/** An encoder that never comes to its end by itself; `begun` is called when it is asked. */
const endless = (begun: () => void): Encoder => ({
  encode: async (_, signal) => {
    if (!signal) throw new Error('nobody could stop it');
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
      begun();
    });
    throw signal.reason;
  },
  close: async () => {},
});

async function openWith(count: number) {
  const service = await openTestService(model);
  onTestFinished(() => service.close());
  await service.log.append(service.settings.topics.sampleEvents, records.slice(0, count));
  const state = async () => {
    const { rows } = await service.database.pool.query(
      `SELECT (SELECT count(*)::int FROM samples) AS samples,
              (SELECT count(*)::int FROM dead_letters) AS letters,
              (SELECT coalesce(max(position), 0)::int FROM offsets) AS position`,
    );
    return rows[0];
  };
  return { service, state };
}

/** Projects until the endless encoder, or what `encoderWith` makes of it, is asked. Returns what has failed. */
async function stopWhile(service: Service, encoderWith: (waiting: Encoder) => Encoder) {
  const stop = new AbortController();
  const failures: unknown[] = [];
  const encoder = encoderWith(endless(() => stop.abort()));
  await runRole({ ...service, encoder }, 'project', stop.signal, (_, error) => {
    failures.push(error);
    stop.abort();
  });
  return failures;
}

test('a stop while a batch is encoded ends the role, is no failure, and leaves the batch to come again', async () => {
  const { service, state } = await openWith(COUNT);
  expect(await stopWhile(service, (waiting) => waiting)).toEqual([]);
  expect(await state()).toEqual({ samples: 0, letters: 0, position: 0 });
  await catchUp(service, new AbortController().signal);
  expect(await state()).toEqual({ samples: COUNT, letters: 0, position: COUNT });
});

test('a stop while the next batch is encoded keeps the one that is written', async () => {
  const FIRST = 10;
  const { service, state } = await openWith(COUNT);
  const real = await openEncoder(model, NO_FILES);
  let asked = 0;
  const endlessAfterFirst = (waiting: Encoder): Encoder => ({
    encode: async (inputs, signal) =>
      (asked++ === 0 ? (real ?? waiting) : waiting).encode(inputs, signal),
    close: async () => {},
  });
  const { log } = service;
  const consume: typeof log.consume = (topic, consumption) =>
    log.consume(topic, { ...consumption, maxRecords: FIRST });
  const slow = Object.assign(Object.create(log), { consume });
  expect(await stopWhile({ ...service, log: slow }, endlessAfterFirst)).toEqual([]);
  expect(asked).toBe(2);
  expect(await state()).toEqual({ samples: FIRST, letters: 0, position: FIRST });
  await catchUp(service, new AbortController().signal);
  expect(await state()).toEqual({ samples: COUNT, letters: 0, position: COUNT });
});

describe.skipIf(missing)('on Kafka', () => {
  const logs = logKeeper();
  afterAll(() => logs.close());

  test('a stop while a batch is encoded leaves it to come again, too', async () => {
    const { service: base, state } = await openWith(0);
    const options = logOptions((await testBroker()).brokers);
    const { kafka, topics } = options;
    const log = await logs.open(options);
    await log.append(topics.sampleEvents, records);
    const service = { ...base, log, settings: { ...base.settings, kafka, topics } };
    expect(await stopWhile(service, (waiting) => waiting)).toEqual([]);
    expect(await state()).toMatchObject({ samples: 0, letters: 0 });
    await catchUp(service, new AbortController().signal);
    expect(await state()).toMatchObject({ samples: COUNT, letters: 0 });
  });
});
