import fc from 'fast-check';
import { expect } from 'vitest';
import type { NewRecord } from '#src/log/event-log.js';
import type { Model } from '#src/model/model.js';
import { type Ending, embeddedDigest, expectExact, wantedOf } from './kafka-exactness.js';
import { sendings, toRecord } from './kafka-history.js';
import { until, untilDone, type World } from './kafka-world.js';
import { persist } from './persist.js';

/** Everybody does all roles. */
const PROCESSES = 2;
const ALPHABET = { samples: 24, subjects: 4, contents: 24 };

/** `count` sendings of up to a dozen events each, the same ones for the same seed. */
export const historyOf = (model: Model, seed: number, count: number): NewRecord[][] =>
  fc
    .sample(sendings(ALPHABET, 12), { seed, numRuns: count })
    .map(({ by, events }) => events.map((event) => toRecord(model, event, by)));

/** Something that fails while the nth sending is on its way; resolves when it works again. */
export type Failing = (nth: number) => Promise<void>;

/** What a history came to, in words. */
export const told = ({ events, versions, again }: Endured): string =>
  `${events} events, ${versions} versions, ${again} sendings repeated; 0 lost, 0 doubled`;

export type Endured = {
  readonly events: number;
  readonly versions: number;
  /** Sendings that were not acknowledged, and sent once more. */
  readonly again: number;
};

/**
 * Two processes with all roles work while a history is sent and things fail; in the end nothing is lost
 * or doubled, and the model is that of the embedded log.
 */
export async function expectEndured(
  world: World,
  sent: readonly (readonly NewRecord[])[],
  failing: Failing,
  ending: Ending = {},
): Promise<Endured> {
  const processes = await Promise.all(Array.from({ length: PROCESSES }, () => world.start()));
  const { acknowledged, again, failures } = await sendAll(world, sent, failing);
  await respite(world);
  await Promise.all(processes.map((process) => process.stop()));
  const wanted = await wantedOf(world, acknowledged, again);
  const { modelDigest } = await expectExact(world, wanted, ending);
  expect(modelDigest).toBe(await embeddedDigest(world.model, acknowledged));
  const { rows } = await world.database.pool.query<{ versions: number }>(
    'SELECT count(*)::int AS versions FROM versions',
  );
  return { events: acknowledged.length, versions: rows[0]?.versions ?? 0, again: failures };
}

async function sendAll(
  { log, options }: World,
  sent: readonly (readonly NewRecord[])[],
  failing: Failing,
) {
  const acknowledged: NewRecord[] = [];
  const again: NewRecord[] = [];
  let failures = 0;
  for (const [nth, records] of sent.entries()) {
    const send = persist(async () => void (await log.append(options.topics.sampleEvents, records)));
    const [failed] = await Promise.all([send, failing(nth)]);
    acknowledged.push(...records);
    for (let i = 0; i < failed; i++) again.push(...records);
    failures += failed;
  }
  return { acknowledged, again, failures };
}

/** Waits until all that is sent is projected, built and published, in spite of whatever fails now. */
export const respite = async (world: World): Promise<void> =>
  void (await persist(() => untilDone(world)));

/** Waits until more is projected than `than`: what fails then fails in the midst of the work. */
export async function untilFurther(world: World, than: bigint): Promise<bigint> {
  let projected = than;
  await until(world, async () => {
    const { rows } = await world.database.pool.query<{ sum: bigint }>(
      'SELECT coalesce(sum(position), 0)::int8 AS sum FROM offsets',
    );
    projected = rows[0]?.sum ?? 0n;
    return projected > than ? [] : [`${projected} projected`];
  });
  return projected;
}
