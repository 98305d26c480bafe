import { isUtf8 } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { readDeadLetters } from '#src/store/dead-letters.js';
import { legonet, legonetJson } from '../support/cli.js';
import { toNewRecord } from '../support/history.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { type RawRecord, rawProducer } from '../support/kafka-raw.js';
import { environmentOf, openWorld, untilDone, type World } from '../support/kafka-world.js';
import { malformedRecords } from '../support/malformed.js';
import { syntheticBytes, tinyModel } from '../support/models.js';
import { readLog } from '../support/read-log.js';

const missing = await kafkaMissing();
const model = tinyModel({
  encoder: { kind: 'identity', dimension: 4, scale: 7, transform: 'sqrt' },
  keys: { kind: 'random', seed: 'tiny', center: 40, spread: 20 },
});

let world: World;
beforeEach(async () => {
  if (missing) return;
  const { brokers } = await testBroker();
  world = await openWorld(brokers, model);
});
afterEach(() => world?.close());

function good(sampleId: string): RawRecord {
  const data = { sampleId, label: 'a', encoding: [1, 2, 3, 4] };
  const { key, value } = toNewRecord(sampleIngested(data, { id: sampleId, source: 'urn:test' }));
  return raw(key ?? '', value);
}

const raw = (
  key: string,
  value: Uint8Array | null,
  headers: Readonly<Record<string, string>> = {},
): RawRecord => ({ key: Buffer.from(key), value: value && Buffer.from(value), headers });

/** Bytes of any length that are no text, as key, as value and as a header. */
const noise = (count: number): RawRecord[] =>
  Array.from({ length: count }, (_, i) => {
    const [key, value, header] = ['key', 'value', 'header'].map((what) =>
      syntheticBytes(`${what} ${i}`, 1 + ((i * 37) % 300)),
    );
    return { key: key ?? Buffer.of(0), value: value ?? null, headers: { noise: header ?? '' } };
  });

const retained = async (): Promise<string[]> => {
  const sql = 'SELECT sample_id AS id FROM samples ORDER BY 1';
  return (await world.database.pool.query<{ id: string }>(sql)).rows.map(({ id }) => id);
};

describe.skipIf(missing)('whatever bytes are in the topic', () => {
  test('what is no event is a dead letter with its reason; the good ones between are applied', async () => {
    const listed = malformedRecords(3, 260).flatMap(({ record: { key, value, headers } }) =>
      key === null ? [] : [raw(key, value, headers)],
    );
    const bad = [...listed, ...noise(500 - listed.length)];
    const records = bad.flatMap((one, i) => (i % 4 === 0 ? [one, good(`good-${i}`)] : [one]));
    const { sampleEvents, deadLetters } = world.options.topics;
    const places = new Map<string, RawRecord>();
    const producer = await rawProducer(world.options.kafka);
    try {
      for (let partition = 0; partition < 3; partition++) {
        const own = records.filter((_, i) => i % 3 === partition);
        const first = await producer.send(sampleEvents, partition, own);
        own.forEach((one, i) => {
          if (bad.includes(one)) places.set(`${partition}:${first + BigInt(i)}`, one);
        });
      }
    } finally {
      await producer.close();
    }
    await world.start();
    await untilDone(world);

    const { rows } = await world.database.pool.query('SELECT * FROM dead_letters');
    expect(places.size).toBe(500);
    const found = rows.map(({ partition, position }) => `${partition}:${position}`);
    expect(found.sort()).toEqual([...places.keys()].sort());
    for (const { partition, position, value, reason, key } of rows) {
      const given = places.get(`${partition}:${position}`);
      expect(reason).not.toBe('');
      expect(value).toEqual(given?.value);
      // A key that is no text becomes one that no sample can have.
      if (given && !isUtf8(given.key)) expect(key).toContain('\u0001');
    }
    const announced = (await readLog(world.log, deadLetters)).map(({ value }) => {
      const { data } = JSON.parse(String(value && Buffer.from(value)));
      const { id, code, reason, stopping, partition, position, ...rest } = data;
      expect(rest).toEqual({});
      return `${id} ${code} ${reason} ${stopping} ${partition}:${position}`;
    });
    const told = rows.map(({ id, code, reason, stopping, partition, position }) => {
      return `${id} ${code} ${reason} ${stopping} ${partition}:${position}`;
    });
    expect([...new Set(announced)].sort()).toEqual(told.sort());
    const names = bad.flatMap((_, i) => (i % 4 === 0 ? [`good-${i}`] : []));
    expect(await retained()).toEqual(names.sort());
  });

  test('an unreadable deletion stops its partition alone, is told, and can be skipped', async () => {
    const { sampleEvents: topic } = world.options.topics;
    const unreadable = toNewRecord(sampleDeleted({ sampleId: 'a' }, { id: 'd', source: 'urn:s' }));
    const cut = raw('a', (unreadable.value ?? new Uint8Array()).subarray(0, -2));
    const producer = await rawProducer(world.options.kafka);
    try {
      await producer.send(topic, 0, [good('a'), cut, good('behind')]);
      await producer.send(topic, 1, [good('c')]);
      await world.start();
      await untilRetained(['a', 'c']);
      await untilLetters(1);
      await producer.send(topic, 1, [good('d')]);
      await producer.send(topic, 2, [good('e')]);
      await untilRetained(['a', 'c', 'd', 'e']);
    } finally {
      await producer.close();
    }
    const environment = environmentOf(world);
    const status = await legonetJson(['status'], environment);
    expect(status).toMatchObject({ stopped: [{ partition: 0, position: 1 }], lag: 2 });
    const doctor = await legonet(['doctor', '--json'], environment);
    expect(doctor.code).toBe(1);
    const { findings } = JSON.parse(doctor.stdout);
    expect(findings).toContainEqual(expect.objectContaining({ name: 'deletions', ok: false }));
    const [letter] = await readDeadLetters(world.database.pool);
    expect(letter).toMatchObject({ stopping: true, partition: 0, position: 1n });
    await legonetJson(['dead-letters', '--skip', String(letter?.id)], environment);
    await untilDone(world);
    expect(await retained()).toEqual(['a', 'behind', 'c', 'd', 'e']);
    expect(await legonetJson(['status'], environment)).toMatchObject({ stopped: [], lag: 0 });
  });
});

async function untilRetained(ids: readonly string[]): Promise<void> {
  while (String(await retained()) !== String(ids)) await sleep(50);
}

async function untilLetters(count: number): Promise<void> {
  while ((await readDeadLetters(world.database.pool)).length < count) await sleep(50);
}
