import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { NewRecord } from '#src/log/event-log.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import {
  compact,
  embeddedDigest,
  expectExact,
  replayed,
  untilErased,
  wantedOf,
} from '../support/kafka-exactness.js';
import {
  histories,
  type Partitioner,
  type Step,
  type Told,
  toRecord,
} from '../support/kafka-history.js';
import {
  openWorld,
  type RunningProcess,
  untilDone,
  untilProjected,
  type World,
} from '../support/kafka-world.js';
import { tinyModel } from '../support/models.js';

const model = tinyModel({ adapters: 6, encoder: { kind: 'identity', dimension: 3, scale: 1 } });
const missing = await kafkaMissing();
/** Histories are played side by side, for they wait most of the time. */
const LANES = 4;
const MANY = process.env.LEGONET_KAFKA_CHAOS === '1' ? 32 : 4;
const HISTORIES = Number(process.env.LEGONET_HISTORIES ?? MANY);
const SEED = Number(process.env.LEGONET_SEED ?? 1);

describe.skipIf(missing)('after any history through Kafka', () => {
  let held = 0;
  afterAll(() => console.log(`${held} random histories through Kafka held (seed ${SEED})`));

  test.concurrent.each(Array.from({ length: LANES }, (_, lane) => lane))(
    'nothing is lost or doubled, and the model is that of the embedded log (lane %i)',
    async (lane) => {
      const { brokers } = await testBroker();
      await fc.assert(
        fc.asyncProperty(histories(), fc.boolean(), async (steps, compacted) => {
          const world = await openWorld(brokers, model);
          try {
            await expectHolds(world, steps, compacted);
            held += 1;
          } finally {
            await world.close();
          }
        }),
        {
          numRuns: Math.ceil(HISTORIES / LANES),
          seed: SEED * LANES + lane,
          // A counterexample is shrunk for so long at most; fewer histories than asked for are no success.
          interruptAfterTimeLimit: 300_000 * Math.ceil(HISTORIES / 16),
          markInterruptAsFailure: true,
        },
      );
    },
    30 * 60_000,
  );
});

async function expectHolds(world: World, steps: readonly Step[], compacted: boolean) {
  const sent = await play(world, steps);
  const wanted = await wantedOf(world, sent);
  const replays = steps.some((step) => step.do === 'replay');
  const outcome = await expectExact(world, wanted, { replayed: replays });
  const embedded = await embeddedDigest(model, sent);
  if (embedded !== null) expect(outcome.modelDigest).toBe(embedded);
  if (compacted) await compact(world);
  await replayed(world);
  // A deletion under another sample's key is still there, and asks for its erasure again.
  if (compacted) await untilErased(world);
  expect(await expectExact(world, wanted, { erased: compacted, replayed: true })).toEqual(outcome);
}

/** Plays a history to its end and stops everybody; what was sent. */
async function play(world: World, steps: readonly Step[]): Promise<NewRecord[]> {
  const sent: NewRecord[] = [];
  const told: Told[] = [];
  const processes = new Map<number, RunningProcess>();
  const send = async (by: Partitioner, events: readonly Told[]) => {
    const records = events.map((event) => toRecord(model, event, by));
    await world.log.append(world.options.topics.sampleEvents, records);
    told.push(...events);
    sent.push(...records);
  };
  const stop = async (which: number) => {
    const process = processes.get(which);
    processes.delete(which);
    await process?.stop();
  };
  const stopAll = () => Promise.all([...processes.keys()].map(stop));
  for (const step of steps) {
    if (step.do === 'send') await send(step.by, step.events);
    else if (step.do === 'send again') await send(step.by, told.slice(-step.last));
    else if (step.do === 'start') {
      if (!processes.has(step.process)) processes.set(step.process, await world.start());
    } else if (step.do === 'stop') await stop(step.process);
    else if (step.do === 'catch up') {
      if (processes.size > 0) await untilProjected(world);
    } else {
      await stopAll();
      await replayed(world);
    }
  }
  if (processes.size === 0) processes.set(0, await world.start());
  await untilDone(world);
  await stopAll();
  return sent;
}
