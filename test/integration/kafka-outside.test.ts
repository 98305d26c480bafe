import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { LogRecord } from '#src/events/record.js';
import { createPartitioning } from '#src/log/kafka/partitioning.js';
import type { Model } from '#src/model/model.js';
import { findOnDisk } from '../support/disk.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { embeddedDigest, expectExact, wantedOfRecords } from '../support/kafka-exactness.js';
import { PARTITIONS } from '../support/kafka-history.js';
import { openWorld, untilDone, type World, type WorldChoice } from '../support/kafka-world.js';
import { tinyModel } from '../support/models.js';
import { pythonMissing, runPython } from '../support/python.js';

const missing = (await kafkaMissing()) ?? (await pythonMissing());
const ROOT = join(import.meta.dirname, '../..');
const PRODUCER = join(ROOT, 'test/support/outside-producer.py');
/** Mostly slack: what is measured takes about a third of it. */
const DEADLINE_MS = 30_000;

describe.skipIf(missing)('a producer outside Node', () => {
  const worlds: World[] = [];
  afterEach(async () => {
    await Promise.all(worlds.splice(0).map((world) => world.close()));
  });

  async function openedWorld(model: Model, choice?: WorldChoice) {
    const { brokers, dataDirs } = await testBroker();
    const world = await openWorld(brokers, model, choice);
    worlds.push(world);
    return { world, brokers, dataDirs };
  }

  const idsOf = async ({ database }: World, table: 'samples' | 'tombstones') => {
    const { rows } = await database.pool.query(`SELECT sample_id AS id FROM ${table}`);
    return rows.map(({ id }) => id).sort();
  };

  test('brings samples in and deletes them, exactly, and their payloads leave the disk in time', async () => {
    const model = tinyModel({
      classes: ['a', 'b'],
      encoder: { kind: 'identity', dimension: 24, scale: 1 },
    });
    const { world, brokers, dataDirs } = await openedWorld(model, { deadlineMs: DEADLINE_MS });
    const topic = world.options.topics.sampleEvents;
    const produce = async (action: 'ingest' | 'delete') =>
      toRecords(await runPython([PRODUCER, brokers.join(), topic, action]));
    await world.start();
    await world.start();

    const ingested = await produce('ingest');
    expect(ingested.map(({ partition }) => partition)).not.toEqual(javaPartitions(ingested));
    await untilDone(world);
    const all = [...new Set(ingested.map(({ key }) => `${key}`))].sort();
    expect(all).toHaveLength(24);
    expect(await idsOf(world, 'samples')).toEqual(all);
    await expect.poll(() => findOnDisk(dataDirs, all.map(payloadOf(ingested)))).toHaveLength(24);

    const deletions = await produce('delete');
    const deletedAt = performance.now();
    const gone = [0, 1, 2, 3, 4, 20, 21, 22, 23].map((number) => `outside-${number}`).sort();
    const kept = all.filter((id) => !gone.includes(id));
    await untilDone(world);
    expect(await idsOf(world, 'tombstones')).toEqual(gone);
    expect(await idsOf(world, 'samples')).toEqual(kept);

    const reasons = [0, 1, 2, 3].map((number) => `because of outside-${number}`);
    const secret = [...gone.map(payloadOf(ingested)), ...reasons];
    await expect.poll(() => findOnDisk(dataDirs, secret), { timeout: 2 * DEADLINE_MS }).toEqual([]);
    expect(performance.now() - deletedAt).toBeLessThan(DEADLINE_MS);
    await untilDone(world, true);
    expect(await findOnDisk(dataDirs, kept.map(payloadOf(ingested)))).toHaveLength(kept.length);

    const sent = [...ingested, ...deletions];
    const wanted = wantedOfRecords(model, sent);
    expect(wanted.rejected).toEqual([]);
    const { modelDigest } = await expectExact(world, wanted, { erased: true });
    expect(modelDigest).toBe(await embeddedDigest(model, sent));
  });

  test('does what the how-to says', async () => {
    const page = await readFile(join(ROOT, 'docs/how-to/events.md'), 'utf8');
    const examples = [...page.matchAll(/^```python example\n(.*?)^```$/gms)];
    expect(examples).toHaveLength(1);
    const pets = { classes: ['cat', 'dog'], adapters: 6 };
    const { world, brokers } = await openedWorld(tinyModel(pets));
    const prefix = world.options.topics.sampleEvents.slice(0, -'sample-events'.length);
    const environment = { KAFKA_BROKERS: brokers.join(), KAFKA_TOPIC_PREFIX: prefix };
    await runPython(['-c', examples[0]?.[1] ?? ''], environment);
    await world.start();
    await untilDone(world);
    expect(await idsOf(world, 'samples')).toEqual(['photo-19']);
    expect(await idsOf(world, 'tombstones')).toEqual(['photo-18']);
  });
});

/** Records as the producer was told that they are there. */
function toRecords(stdout: string): LogRecord[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const { value, position, time, ...rest } = JSON.parse(line);
      return {
        ...rest,
        value: value === null ? null : Buffer.from(value, 'base64'),
        position: BigInt(position),
        time: BigInt(time) * 1000n,
      };
    });
}

/** Where clients that follow Java's would have put such records. */
function javaPartitions(records: readonly LogRecord[]): number[] {
  const partitionOf = createPartitioning();
  return records.map(({ key }) => partitionOf('t', key, PARTITIONS));
}

/** What of a sample's content is to be found in the broker's files: its encoding, as it was sent. */
const payloadOf =
  (records: readonly LogRecord[]) =>
  (id: string): string => {
    const sent = String(records.find(({ key }) => key === id)?.value);
    const [, text] = /"int8": "([^"]{32})"/.exec(sent) ?? [];
    if (!text) throw new Error(`no payload of ${id} in ${sent}`);
    return text;
  };
