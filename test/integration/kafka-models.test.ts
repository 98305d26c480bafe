import { afterEach, describe, expect, test } from 'vitest';
import { int8Data, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import { plainKernel } from '#src/kernel/plain.js';
import { buildModel } from '#src/model/build.js';
import { countBuilders } from '#src/store/lock.js';
import { readStatus } from '#src/store/status.js';
import { otherKinds } from '../support/engines.js';
import { toNewRecord } from '../support/history.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { QUICK_MS } from '../support/kafka-log.js';
import { openWorld, until, untilDone, type World } from '../support/kafka-world.js';
import { syntheticRows, tinyModel } from '../support/models.js';
import { readLog } from '../support/read-log.js';

/* Models whose keys are samples, or whose adapters are trained by an engine, on several partitions. */

const missing = await kafkaMissing();
const COUNT = 150;
const KINDS = await otherKinds();

describe.skipIf(missing).each(KINDS)('on Kafka, two processes, with %s', (_, changes, training) => {
  // Enough adapters that one process may help the other.
  const model = tinyModel({ adapters: 70, activated: 3, ...changes });
  const { dimension, classes } = model.shape;
  const rows = syntheticRows('on Kafka', COUNT, dimension, classes);
  const encodingOf = (i: number) => rows.encodings.slice(i * dimension, (i + 1) * dimension);
  const digestWithout = (gone: ReadonlySet<string>): string => {
    const kept = Array.from({ length: COUNT }, (__, i) => i).filter((i) => !gone.has(`s${i}`));
    const samples = {
      encodings: Int8Array.from(kept.flatMap((i) => [...encodingOf(i)])),
      labels: kept.map((i) => rows.labels[i] ?? 0),
      ids: kept.map((i) => `s${i}`),
    };
    return buildModel(plainKernel, model, samples, training).modelDigest;
  };
  let world: World | undefined;
  afterEach(async () => {
    await world?.close();
    world = undefined;
  });

  test('what is in service is what was built without the deleted, an anchor or not', async () => {
    const { brokers } = await testBroker();
    const opened = await openWorld(brokers, model, { deadlineMs: QUICK_MS, trainer: training });
    world = opened;
    const { log, database, options } = opened;
    const topic = options.topics.sampleEvents;
    const served = async () => (await readStatus(database.pool)).modelDigest;
    const ask = async <Row>(sql: string) => (await database.pool.query(sql)).rows as Row[];
    await Promise.all([opened.start(), opened.start()]);
    await until(opened, async () =>
      (await countBuilders(database.pool)) === 2 ? [] : ['one that builds is not there'],
    );

    const ingests = Array.from({ length: COUNT }, (__, i) => {
      const label = model.configuration.classes[rows.labels[i] ?? 0] ?? '';
      const data = { sampleId: `s${i}`, label, encoding: int8Data(encodingOf(i)) };
      return toNewRecord(sampleIngested(data, { id: `i${i}`, source: 'urn:test' }));
    });
    await log.append(topic, ingests);
    await untilDone(opened);
    expect(await served()).toBe(digestWithout(new Set()));

    const isAnchor = 'sample_id IN (SELECT sample_id FROM anchors)';
    const which = [`NOT ${isAnchor}`, ...(model.keys === null ? [isAnchor, isAnchor] : [])];
    const gone = new Set<string>();
    for (const condition of which) {
      const [found] = await ask<{ id: string }>(
        `SELECT sample_id AS id FROM samples WHERE ${condition} ORDER BY sample_id LIMIT 1`,
      );
      const sampleId = found?.id ?? '';
      gone.add(sampleId);
      const meta = { id: `d-${sampleId}`, source: 'urn:test' };
      await log.append(topic, [toNewRecord(sampleDeleted({ sampleId }, meta))]);
      await untilDone(opened);
      expect(await served()).toBe(digestWithout(gone));
    }
    await untilDone(opened, true);
    const left = (await readLog(log, topic)).filter(({ key }) => key !== null && gone.has(key));
    expect(left.map(({ value }) => String(value)).join()).not.toContain('encoding');
    expect(new Set(left.map(({ key }) => key))).toEqual(gone);
  });
});
