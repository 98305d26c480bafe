import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { expect } from 'vitest';
import { OWN_HEADER, rollRecord } from '#src/events/own-records.js';
import type { LogRecord } from '#src/events/record.js';
import { plainKernel } from '#src/kernel/plain.js';
import type { NewRecord } from '#src/log/event-log.js';
import { describeTopic } from '#src/log/kafka/cluster.js';
import { createClient } from '#src/log/kafka/connection.js';
import { planErasure, planTopics, violations } from '#src/log/kafka/policy.js';
import { buildModel } from '#src/model/build.js';
import type { Model } from '#src/model/model.js';
import { interpret } from '#src/projection/interpret.js';
import { catchUp } from '#src/service/catch-up.js';
import { replay } from '#src/service/replay.js';
import { readDeadLetters } from '#src/store/dead-letters.js';
import { readStatus } from '#src/store/status.js';
import { expectCaughtUp, type Outcome } from './caught-up.js';
import { type Expected, expectedOf, type History } from './history.js';
import { QUICK_MS } from './kafka-log.js';
import { untilDone, type World } from './kafka-world.js';
import { readLog } from './read-log.js';
import { openTestService } from './service.js';

export const NEVER = new AbortController().signal;
const POLL_MS = 20;
/** Later than any event time of a history. */
const LATER = BigInt(Date.UTC(2025, 0)) * 1000n;

/** What is to come of a history, by the definition of the retained set. */
export type Wanted = {
  readonly history: History;
  readonly expected: Expected;
  /** partition:position of what is no event. */
  readonly rejected: readonly string[];
};

/**
 * What is to come of what is in the topic, read before anything is compacted. `acknowledged` are the
 * records that producers were told are there: none is lost, and none is there more often than it was sent
 * (`again`: those that somebody sent once more, not having been told).
 */
export async function wantedOf(
  world: World,
  acknowledged: readonly NewRecord[],
  again: readonly NewRecord[] = [],
): Promise<Wanted> {
  const { log, options, model } = world;
  const all = await readLog(log, options.topics.sampleEvents);
  const events = all.filter(({ headers }) => headers[OWN_HEADER] === undefined);
  const there = events.map(plain);
  const told = acknowledged.map(plain);
  expect({
    lost: without(told, there),
    doubled: without(there, [...told, ...again.map(plain)]),
  }).toEqual({ lost: [], doubled: [] });
  return wantedOfRecords(model, events);
}

export function wantedOfRecords(model: Model, records: readonly LogRecord[]): Wanted {
  const good = records.filter((record) => interpret(model, record).kind !== 'rejected');
  const rejected = records.filter((record) => !good.includes(record));
  const requests = good.flatMap((record) => {
    const read = interpret(model, record);
    if (read.kind !== 'deletion') return [];
    const { event } = read;
    const target = event.kind === 'deleted' ? event.sampleId : event.subjectId;
    return [`${event.request.requestId} ${target}`];
  });
  // As Postgres sorts them: by bytes. One request may name a sample and a subject, not one twice.
  const history = { phases: [good], requests: [...new Set(requests)].sort() };
  return {
    history,
    expected: expectedOf(model, history, LATER),
    rejected: rejected.map(({ partition, position }) => `${partition}:${position}`).sort(),
  };
}

const plain = ({ key, value, headers = {} }: NewRecord | LogRecord): string =>
  JSON.stringify([
    key,
    value && Buffer.from(value).toString('latin1'),
    Object.entries(headers).sort(),
  ]);

/** What is left of all if each of `some` takes one away that equals it. */
function without(all: readonly string[], some: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const one of some) counts.set(one, (counts.get(one) ?? 0) + 1);
  return all.filter((one) => {
    const count = counts.get(one) ?? 0;
    counts.set(one, count - 1);
    return count <= 0;
  });
}

export type Ending = {
  /** Whether nothing of a deleted sample may be left in the log by now. */
  readonly erased?: boolean;
  /** Whether the projections have been dropped and made again on the way. */
  readonly replayed?: boolean;
  /** False: of the versions the last one only. What is to be retained is found in quadratic time. */
  readonly everyVersion?: boolean;
};

/** Nothing lost and nothing doubled, and the model is that of the retained set. */
export async function expectExact(
  world: World,
  { history, expected, rejected }: Wanted,
  { erased = false, replayed: again = false, everyVersion = true }: Ending = {},
): Promise<Outcome> {
  const { url, model, log, options, database } = world;
  const { topics } = options;
  const outcome = await expectCaughtUp(url, model, history, expected, { log, topics, erased });
  const letters = await readDeadLetters(database.pool);
  const places = letters
    .filter(({ code }) => code !== 'conflicting_content')
    .map(({ partition, position }) => `${partition}:${position}`);
  expect(places.sort()).toEqual(rejected);
  if (everyVersion) await expectVersions(world, history, again);
  return outcome;
}

/**
 * Every version is what the records before its cut give, and is retired as soon as a later one lacks some
 * of its content, and only then; but after a replay, content that came back by another record counts as gone.
 */
async function expectVersions({ database, model }: World, history: History, again: boolean) {
  const { rows } = await database.pool.query<VersionRow>(
    `SELECT version, cut, model_digest AS digest, retired_at IS NOT NULL AS retired
     FROM versions ORDER BY version`,
  );
  const held = rows.map(({ version, cut, digest }) => {
    const covered = history.phases.flat().filter((record) => {
      const { partition, position } = record as LogRecord;
      return position < BigInt(cut[partition] ?? 0);
    });
    const { retained, rows: built } = expectedOf(model, { phases: [covered], requests: [] }, LATER);
    const modelDigest = buildModel(plainKernel, model, built).modelDigest;
    expect([version, digest]).toEqual([version, modelDigest]);
    return new Set([...retained].map(([id, content]) => `${id} ${content.digest}`));
  });
  rows.forEach(({ version, retired }, i) => {
    const own = [...(held[i] ?? [])];
    const lacking = held.slice(i + 1).some((set) => own.some((content) => !set.has(content)));
    if (lacking || !again) expect([version, retired]).toEqual([version, lacking]);
  });
}

type VersionRow = {
  version: number;
  cut: Record<string, string>;
  digest: string;
  retired: boolean;
};

/** The digest that the embedded log gives for the same records; null if they mean nothing. */
export async function embeddedDigest(
  model: Model,
  records: readonly NewRecord[],
): Promise<string | null> {
  const service = await openTestService(model);
  try {
    const { sampleEvents } = service.settings.topics;
    await service.log.append(
      sampleEvents,
      records.map(({ partition: _, ...record }) => record),
    );
    await catchUp(service, NEVER);
    return (await readStatus(service.database.pool)).modelDigest;
  } finally {
    await service.close();
  }
}

/** Gives the topic the settings of a deadline that is over in a moment. */
async function makeQuick({ options }: World): Promise<void> {
  const { kafka, topics } = options;
  const plans = planTopics(topics, kafka, planErasure(QUICK_MS));
  const plan = plans.find(({ topic }) => topic === topics.sampleEvents);
  if (!plan) throw new Error('expected a plan for the topic');
  const configEntries = plan.rules.map(({ name, value }) => ({ name, value }));
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  const admin = createClient(kafka, () => {}).admin();
  await admin.connect();
  try {
    const resources = [{ type, name: topics.sampleEvents, configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
    // The answer comes before the change is there for everybody to see.
    for (;;) {
      const settings = await describeTopic(admin, topics.sampleEvents);
      if (settings && violations(plan, settings).length === 0) return;
      await sleep(POLL_MS);
    }
  } finally {
    await admin.disconnect();
  }
}

export async function replayed(world: World): Promise<void> {
  const service = await world.open();
  try {
    await replay(service, NEVER, () => {});
  } finally {
    await service.close();
  }
}

/**
 * Has the topic compacted from now on, waits until whatever is deleted is gone from it, and until it
 * holds nothing but the last record of each key. Nobody else may be at work.
 */
export async function compact(world: World): Promise<void> {
  const { options, log, model } = world;
  const { sampleEvents } = options.topics;
  await makeQuick(world);
  await untilErased(world);
  for (;;) {
    const ends = await log.ends(sampleEvents);
    await log.append(
      sampleEvents,
      [...ends.keys()].map((partition) => ({ ...rollRecord(), partition })),
    );
    const left = await readLog(log, sampleEvents);
    const keys = left
      .filter((record) => interpret(model, record).kind !== 'roll')
      .map(({ partition, key }) => `${partition} ${key}`);
    if (new Set(keys).size === keys.length) return;
  }
}

/** Works until nothing of what is deleted is left in a topic that is compacted. */
export async function untilErased(world: World): Promise<void> {
  const erasing = await world.start({ deadlineMs: QUICK_MS });
  await untilDone(world, true);
  await erasing.stop();
}
