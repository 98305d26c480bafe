import { expect } from 'vitest';
import type { LogRecord } from '#src/events/record.js';
import { plainKernel } from '#src/kernel/plain.js';
import type { Place } from '#src/log/event-log.js';
import { buildModel } from '#src/model/build.js';
import type { Model } from '#src/model/model.js';
import type { Rows } from '#src/model/statistics.js';
import type { Trainer } from '#src/model/trainer.js';
import { expected, type Part, type Step } from './histories.js';
import type { Pipeline } from './pipeline.js';

/** What the equation is of: a model, and for softmax adapters what trains them. */
export type Subject = { readonly model: Model; readonly trainer: Trainer | null };

export const digestOf = ({ model, trainer }: Subject, rows: Rows) =>
  buildModel(plainKernel, model, rows, trainer).modelDigest;

/** Plays the steps; every version on the way is checked against its own cut. */
export async function play(subject: Subject, open: () => Pipeline, steps: readonly Step[]) {
  let pipeline = open();
  let seen: LogRecord[] = [];
  const held: Held = new Map();
  // Kafka's compaction lag is longer than a publisher may be away.
  const ever = new Map<number, bigint>();
  await pipeline.begin();
  for (const step of steps) {
    if (step.kind === 'append') {
      await pipeline.append(step.records);
      // What is erased later was seen here.
      seen.push(...(await unseen(pipeline, seen)));
    } else if (step.kind === 'project') await project(pipeline, step);
    else if (step.kind === 'build') {
      const { meanwhile } = step;
      await pipeline.build(async () => {
        if (meanwhile) await project(pipeline, meanwhile);
      });
    } else if (step.kind === 'race') await race(pipeline);
    else if (step.kind === 'compact') await pipeline.compact(ever);
    else if (step.kind === 'replay') {
      await pipeline.replay();
      // What is erased already is not projected again; what is compacted says no more than the rest.
      if (!pipeline.log.compacts) seen = await pipeline.records();
    } else if (step.kind === 'publish') await pipeline.publish();
    else if (step.kind === 'publisher') await pipeline.publishes(step.there);
    else if (step.kind === 'skip') await pipeline.skip();
    else {
      await pipeline.close();
      pipeline = open();
    }
    seen.push(...(await unseen(pipeline, seen)));
    for (const [partition, next] of await pipeline.tidied()) {
      ever.set(partition, max(next, ever.get(partition) ?? 0n));
    }
    await note(subject, pipeline, seen, held);
  }
  return { pipeline, seen, held };
}

async function race(pipeline: Pipeline): Promise<void> {
  const outcomes = await Promise.allSettled([pipeline.build(), pipeline.build()]);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('build_overtaken');
  }
}

async function project(pipeline: Pipeline, { count, partition }: Part): Promise<void> {
  const all = Array.from({ length: pipeline.partitions }, (_, each) => each);
  for (const each of partition === null ? all : [partition]) {
    await pipeline.project(count, undefined, each);
  }
}

export async function unseen(pipeline: Pipeline, seen: readonly LogRecord[]): Promise<LogRecord[]> {
  const known = new Map<number, bigint>();
  for (const { partition, position } of seen) {
    known.set(partition, max(position, known.get(partition) ?? -1n));
  }
  const records = await pipeline.records();
  return records.filter(({ partition, position }) => position > (known.get(partition) ?? -1n));
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** Next position by partition, as JSON has it. */
type CutJson = Readonly<Record<string, string>>;

export const isBefore = (cut: CutJson, { partition, position }: Place): boolean =>
  position < BigInt(cut[partition] ?? 0);

/** Sample and content of everything that a version was built from. */
export type Held = Map<number, ReadonlySet<string>>;

/** Every new version is what its own cut gives. */
export async function note(
  subject: Subject,
  { database }: Pipeline,
  seen: readonly LogRecord[],
  held: Held,
) {
  const { model } = subject;
  const { rows } = await database.pool.query(
    'SELECT version, model_digest, cut FROM versions WHERE version > $1 ORDER BY version',
    [held.size],
  );
  for (const { version, cut, model_digest } of rows) {
    const covered = expected(
      model,
      seen.filter((record) => isBefore(cut, record)),
    );
    expect(model_digest).toBe(digestOf(subject, covered.rows));
    held.set(version, contentsOf(covered.retained));
  }
}

export const sampleOf = (content: string): string => content.split(' ')[0] ?? '';

export const contentsOf = (retained: ReadonlyMap<string, string>): ReadonlySet<string> =>
  new Set([...retained].map(([id, digest]) => `${id} ${digest}`));
