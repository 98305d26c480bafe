import sharp from 'sharp';
import { afterEach, describe, expect, test } from 'vitest';
import { type EncoderSource, openEncoder } from '#src/engine/open-encoder.js';
import { LegonetError } from '#src/errors.js';
import { sampleCorrected, sampleDeleted, sampleIngested } from '#src/events/cloud-event.js';
import type { Input } from '#src/events/event.js';
import { plainKernel } from '#src/kernel/plain.js';
import { buildModel } from '#src/model/build.js';
import { encodeInputs } from '#src/model/encoder.js';
import type { Model } from '#src/model/model.js';
import { readErasures, readStatus } from '#src/store/status.js';
import { findOnDisk } from '../support/disk.js';
import { toNewRecord } from '../support/history.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { PARTITIONS } from '../support/kafka-history.js';
import { QUICK_MS } from '../support/kafka-log.js';
import { openWorld, SLOW_MS, untilDone, type World } from '../support/kafka-world.js';
import { syntheticBytes, tinyModel } from '../support/models.js';
import { readLog } from '../support/read-log.js';
import { tablesWith } from '../support/tables-with.js';
import { smallEncoder, smallFiles } from '../support/tfjs-models.js';

const missing = await kafkaMissing();
const encoders: EncoderSource = { engine: 'wasm', files: async () => smallFiles };

type Raw = {
  readonly data: { text: string } | { mediaType: string; base64: string };
  readonly input: Input;
  /** What only this one has, as its record has it. */
  readonly marker: string;
};

async function text(i: number): Promise<Raw> {
  const marker = `words of person ${1000 + i}`;
  const data = { text: `${marker}, ${'and so on '.repeat(i)}` };
  return { data, input: { form: 'text', ...data }, marker };
}

async function image(i: number): Promise<Raw> {
  const [width, height] = [8, 8];
  const rgb = syntheticBytes(`image ${i}`, 3 * width * height);
  const bytes = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const mediaType = 'image/png';
  const base64 = bytes.toString('base64');
  return {
    data: { mediaType, base64 },
    input: { form: 'media', mediaType, bytes },
    marker: base64,
  };
}

const KINDS: readonly (readonly [string, Record<string, unknown>, (i: number) => Promise<Raw>])[] =
  [
    [
      'texts',
      { kind: 'hashing-text', dimension: 16, scale: 9, analyzer: 'char', norm: 'l2' },
      text,
    ],
    ['images', smallEncoder, image],
  ];

const COUNT = 12;
const DELETED = 5;

describe.skipIf(missing).each(KINDS)('%s through Kafka', (_, encoder, make) => {
  const model = tinyModel({ encoder });
  const { classes } = model.configuration;
  const labelOf = (i: number) => classes[i % classes.length] ?? '';
  let world: World | undefined;
  afterEach(async () => {
    await world?.close();
    world = undefined;
  });

  test('are nowhere when they are encoded, though nobody writes any more, and a deletion is exact', async () => {
    const { brokers, dataDirs } = await testBroker();
    const opened = await openWorld(brokers, model, { deadlineMs: QUICK_MS, encoders });
    world = opened;
    const { log, database, options } = opened;
    const topic = options.topics.sampleEvents;
    const raw = await Promise.all(Array.from({ length: COUNT + 2 }, (__, i) => make(i)));
    const [other, corrected] = raw.slice(COUNT) as [Raw, Raw];
    const meta = (id: string, second = 0) => ({
      id,
      source: 'urn:test',
      time: `2026-01-01T00:00:0${second}Z`,
    });
    const content = (i: number, { data }: Raw) => ({
      sampleId: `s${i}`,
      label: labelOf(i),
      input: data,
    });
    const ingests = raw
      .slice(0, COUNT)
      .map((one, i) => toNewRecord(sampleIngested(content(i, one), meta(`i${i}`))));
    await log.append(topic, [
      ...ingests,
      ...ingests.slice(0, 1),
      toNewRecord(sampleIngested(content(1, other), meta('in conflict', 1))),
      toNewRecord(sampleCorrected(content(2, corrected), meta('correction', 2))),
    ]);
    const markers = raw.map(({ marker }) => marker);
    await expect.poll(() => findOnDisk(dataDirs, markers), { timeout: 30_000 }).toEqual(markers);

    // One that has a day for it.
    const slow = await opened.start({ deadlineMs: SLOW_MS });
    await untilDone(opened);
    await slow.stop();
    const { erasuresWaiting } = await readErasures(database.pool, SLOW_MS);
    expect(erasuresWaiting).toBeGreaterThan(0n);
    expect(erasuresWaiting).toBeLessThanOrEqual(BigInt(PARTITIONS));

    await opened.start();
    await untilDone(opened, true);
    expect(await findOnDisk(dataDirs, markers)).toEqual([]);
    const values = (await readLog(log, topic)).map(({ value }) => String(value));
    expect(values.filter((value) => value.includes('"input"'))).toEqual([]);
    for (const marker of markers) expect(await tablesWith(database, marker)).toEqual([]);
    const kept = raw.slice(0, COUNT).with(2, corrected);
    expect(await servedDigest(opened)).toBe(await digestOf(model, kept, labelOf, []));

    const request = { sampleId: `s${DELETED}`, requestId: 'r' };
    await log.append(topic, [toNewRecord(sampleDeleted(request, meta('d', 3)))]);
    await untilDone(opened, true);
    const left = (await readLog(log, topic)).filter(({ key }) => key === `s${DELETED}`);
    expect(left.filter(({ value }) => String(value).includes('encoding'))).toEqual([]);
    expect(left).not.toEqual([]);
    expect(await servedDigest(opened)).toBe(await digestOf(model, kept, labelOf, [DELETED]));
  });
});

const servedDigest = async ({ database }: World) => (await readStatus(database.pool)).modelDigest;

/** Of the model built from these inputs by another encoder, some never seen. */
async function digestOf(
  model: Model,
  raw: readonly Raw[],
  labelOf: (i: number) => string,
  unseen: readonly number[],
): Promise<string> {
  const encoder = await openEncoder(model, encoders);
  const rows = raw.map((_, i) => i).filter((i) => !unseen.includes(i));
  const inputs = rows.flatMap((i) => raw[i]?.input ?? []);
  const encodings = await encodeInputs({ model, encoder }, inputs);
  await encoder?.close();
  const numbers = encodings.flatMap((encoding) => {
    if (encoding instanceof LegonetError) throw encoding;
    return [...encoding];
  });
  const labels = rows.map((i) => model.classIndex.get(labelOf(i)) ?? -1);
  return buildModel(plainKernel, model, { encodings: Int8Array.from(numbers), labels }).modelDigest;
}
