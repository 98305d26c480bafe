import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { countBuilders } from '#src/store/lock.js';
import { kafkaMissing, testBroker } from '../support/kafka.js';
import { embeddedDigest, expectExact, wantedOf } from '../support/kafka-exactness.js';
import { events, type Partitioner, type Sending, toRecord } from '../support/kafka-history.js';
import { Ear, type LogLine, type Moment, Places } from '../support/kafka-processes.js';
import {
  environmentOf,
  leftToDo,
  openWorld,
  until,
  untilDone,
  type World,
} from '../support/kafka-world.js';
import { tinyModel } from '../support/models.js';
import { randomIntegers } from '../support/random.js';

const missing = await kafkaMissing();
const SEED = Number(process.env.LEGONET_SEED ?? 1);

// So many adapters that a build of many of them is shared.
const model = tinyModel({
  adapters: 200,
  activated: 6,
  encoder: { kind: 'identity', dimension: 8, scale: 1 },
});
/** A process that was killed holds its partitions for so long: as short as the brokers for tests allow. */
const SESSION_MS = '2000';
const ROUNDS = 8;
/** Events of a round, and those of all before that come once more. */
const EVENTS = 80;
const AGAIN = 15;
const PARTITIONERS: readonly Partitioner[] = ['java', 'librdkafka', 0, 1, 2];
/** Failures of a role that the death of another process may be the reason of. */
const OVERTAKEN = ['offset_moved', 'build_overtaken', 'snapshot_gone', 'log_unreachable'];

type Random = (limit: number) => number;
const choose = <T>(random: Random, from: readonly T[]): T => from[random(from.length)] as T;

/** What producers send in each round: everything that can happen, and some of it twice. */
function drawRounds(random: Random): Sending[][] {
  const alphabet = { samples: 250, subjects: 120, contents: 150 };
  const all = fc.sample(events(alphabet), { seed: SEED, numRuns: ROUNDS * EVENTS });
  const sending = (from: number, count: number): Sending => {
    return { by: choose(random, PARTITIONERS), events: all.slice(from, from + count) };
  };
  return Array.from({ length: ROUNDS }, (_, round) => [
    ...[0, 20, 40, 60].map((from) => sending(round * EVENTS + from, 20)),
    sending(random((round + 1) * EVENTS - AGAIN), AGAIN),
  ]);
}

const recordsOf = ({ by, events }: Sending) => events.map((event) => toRecord(model, event, by));

/** Moments that come in every round, whoever dies: what they wait for, and how many of it at most. */
const MOMENTS: readonly { readonly of: Moment['of']; readonly most: number }[] = [
  { of: ['legonet_projected'], most: 1 },
  { of: ['legonet_projected', 'legonet_outbox'], most: 2 },
  { of: ['legonet_build', 'legonet_outbox'], most: 1 },
  { of: ['legonet_outbox'], most: 1 },
  { of: ['legonet_published'], most: 1 },
  { of: ['line'], most: 2 },
];

function drawMoment(random: Random): Moment {
  const { of, most } = choose(random, MOMENTS);
  return { of, count: 1 + random(most), laterMs: random(40) };
}

/** One of them at least, all at most. */
function drawVictims(random: Random, count: number): number[] {
  const first = random(count);
  const others = Array.from({ length: count - 1 }, (_, i) => (first + i + 1) % count);
  return [first, ...others.filter(() => random(2) === 0)];
}

type Run = { readonly kills: number; readonly idle: number; readonly lines: readonly LogLine[] };

/** Plays the rounds with so many processes; in each, some of them are killed in the midst of it. */
async function play(world: World, count: number, rounds: readonly Sending[][]): Promise<Run> {
  const ear = await Ear.open(world.url);
  const environment = { ...environmentOf(world), KAFKA_SESSION_TIMEOUT_MS: SESSION_MS };
  const places = new Places(environment, ear);
  const all = Array.from({ length: count }, (_, place) => place);
  const random = randomIntegers(1000 * SEED + count);
  let kills = 0;
  let idle = 0;
  try {
    for (const place of all) places.start(place);
    await allThere(world, count);
    for (const round of rounds) {
      const victims = drawVictims(random, count);
      let killed = false;
      const kill = () => {
        killed = true;
        kills += victims.filter((place) => places.kill(place)).length;
      };
      const forget = ear.at(drawMoment(random), kill);
      for (const sending of round)
        await world.log.append(world.options.topics.sampleEvents, recordsOf(sending));
      await until(world, async () => (killed ? [] : leftToDo(world)));
      forget();
      // A moment that did not come: they die with nothing to do.
      if (!killed) {
        idle += victims.length;
        kill();
      }
      for (const place of victims) await places.replace(place);
      // Now and then their successors are met as they begin.
      if (random(3) > 0) await allThere(world, count);
    }
    await untilDone(world);
    // Who has not begun yet knows no signal.
    await allThere(world, count);
    expect(await places.stop()).toEqual(all.map(() => 0));
    return { kills: kills - idle, idle, lines: places.lines };
  } finally {
    await places.close();
    await ear.close();
  }
}

/** Each process counts as a builder as soon as it works. */
const allThere = (world: World, count: number): Promise<void> =>
  until(world, async () => {
    const builders = await countBuilders(world.database.pool);
    return builders === count ? [] : [`${builders} builders of ${count}`];
  });

describe.skipIf(missing)('where `legonet start` is killed again and again', () => {
  const rounds = drawRounds(randomIntegers(SEED));
  const sent = rounds.flat().flatMap(recordsOf);
  let embedded: string | null;
  beforeAll(async () => {
    embedded = await embeddedDigest(model, sent);
    expect(embedded).not.toBeNull();
  });

  // Side by side, for they wait most of the time for sessions to end.
  test.concurrent.each([
    [1, 6],
    [4, 12],
  ])(
    'nothing is lost or doubled, and the model is that of the embedded log: %i at a time',
    async (count, least) => {
      const { brokers } = await testBroker();
      const world = await openWorld(brokers, model);
      try {
        const { kills, idle, lines } = await play(world, count, rounds);
        const wanted = await wantedOf(world, sent);
        expect((await expectExact(world, wanted)).modelDigest).toBe(embedded);
        const told = (name: string) => lines.filter(({ event }) => event === name);
        const helped = told('build_helped').reduce((sum, line) => sum + Number(line.adapters), 0);
        const failures = told('role_failed');
        console.log(
          `${count} at a time: ${kills} killed at work and ${idle} idle, ${sent.length} records, 0 lost, ` +
            `0 doubled, ${told('version_built').length} builds, ${helped} adapters for another's, ` +
            `${failures.length} failures of roles (seed ${SEED})`,
        );
        expect(failures.filter(({ code }) => !OVERTAKEN.includes(String(code)))).toEqual([]);
        expect(kills).toBeGreaterThanOrEqual(least);
        // Whether anybody comes in time to help is a matter of speed: `builders` sees to it that somebody does.
      } finally {
        await world.close();
      }
    },
    10 * 60_000,
  );
});
