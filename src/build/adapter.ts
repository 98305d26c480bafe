import type { ClientBase } from 'pg';
import { fitFromStatistics, isDual, weightsDigest } from '../model/adapter.js';
import { type BuiltAdapter, builtAdapter, fitMembers } from '../model/build.js';
import type { AdapterSettings } from '../model/configuration.js';
import type { Kernel } from '../model/kernel.js';
import { joinKey } from '../model/keyed.js';
import {
  accumulate,
  emptyStatistics,
  type Rows,
  type Shape,
  type Statistics,
} from '../model/statistics.js';
import type { Trainer } from '../model/trainer.js';
import { type KeptStatistics, type NewSums, readStatistics, rowsOf } from '../store/statistics.js';
import { readKey } from './anchors.js';
import { readMembers } from './members.js';
import { heldStill, type Owed } from './owed.js';

/** What is needed to build one adapter; plain data, so that it crosses to a worker thread. */
export type AdapterTask = {
  readonly adapter: number;
  /** The version it was last built in. */
  readonly builtIn: number | null;
  /** Whether there are kept statistics, and whether they hold, without what is `owed`. */
  readonly stored: boolean;
  readonly kept: boolean;
  readonly owed: readonly Owed[];
  /** Whether its statistics are to be kept when others are built. */
  readonly keepLater: boolean;
  /** Whether its key is part of it. */
  readonly keyed: boolean;
  readonly shape: Shape;
  readonly settings: AdapterSettings;
  /** The build's cut, positions as decimal strings. */
  readonly cut: Readonly<Record<string, string>>;
};

/** `sums`: what is to be kept of it. */
export type BuildResult = BuiltAdapter & { readonly sums: NewSums };

/**
 * Builds one adapter from the snapshot that `client` reads. From kept statistics and the members that
 * came since, where there are any; else from all members. Equal in every bit to `buildAdapter`.
 */
export async function buildAdapterFrom(
  client: ClientBase,
  kernel: Kernel,
  trainer: Trainer | null,
  task: AdapterTask,
): Promise<BuildResult> {
  const { settings } = task;
  const built =
    settings.kind === 'softmax'
      ? await buildSoftmax(client, kernel, trainer, task)
      : await buildLeastSquares(client, kernel, { ...task, lambda: settings.lambda });
  if (!task.keyed) return built;
  const bytes = joinKey(built.bytes, await readKey(client, task.adapter));
  return { ...built, bytes, digest: weightsDigest(bytes) };
}

async function buildSoftmax(
  client: ClientBase,
  kernel: Kernel,
  trainer: Trainer | null,
  task: AdapterTask,
): Promise<BuildResult> {
  const pages: Rows[] = [];
  for await (const page of readMembers(client, task.adapter, Object.keys(task.cut))) {
    pages.push(page);
  }
  const members = concatenate(pages);
  const weights = fitMembers(kernel, trainer, task.shape, task.settings, members);
  return { ...builtAdapter(members.labels.length, weights), sums: null };
}

type LeastSquares = AdapterTask & { readonly lambda: number };

async function buildLeastSquares(
  client: ClientBase,
  kernel: Kernel,
  task: LeastSquares,
): Promise<BuildResult> {
  const kept = task.kept && (await readStatistics(client, task.adapter, task.shape));
  return (
    (kept && (await fromStatistics(client, kernel, task, kept))) ||
    fromMembers(client, kernel, task)
  );
}

/** Null when too few members are left for the primal form, or what to subtract is not known. */
async function fromStatistics(
  client: ClientBase,
  kernel: Kernel,
  task: LeastSquares,
  kept: KeptStatistics,
): Promise<BuildResult | null> {
  const { statistics, through, without } = kept;
  const removed = heldStill(task.owed, kept);
  if (!removed) return null;
  let sum = statistics;
  let changed = removed.length > 0;
  if (changed) sum = accumulate(kernel, sum, task.shape, rowsOf(removed, task.shape), -1);
  for await (const page of readMembers(client, task.adapter, Object.keys(task.cut), through)) {
    sum = accumulate(kernel, sum, task.shape, page, 1);
    changed = true;
  }
  if (isDual(sum.count, task.shape)) return null;
  const result = primal(kernel, task, sum);
  return changed ? result : { ...result, sums: { through, without } };
}

async function fromMembers(
  client: ClientBase,
  kernel: Kernel,
  task: LeastSquares,
): Promise<BuildResult> {
  const small: Rows[] = [];
  let count = 0;
  let sum: Statistics | null = null;
  for await (const page of readMembers(client, task.adapter, Object.keys(task.cut))) {
    count += page.labels.length;
    small.push(page);
    if (isDual(count, task.shape)) continue;
    sum ??= emptyStatistics(task.shape);
    for (const rows of small.splice(0)) sum = accumulate(kernel, sum, task.shape, rows, 1);
  }
  if (sum) return primal(kernel, task, sum);
  const weights = fitMembers(kernel, null, task.shape, task.settings, concatenate(small));
  return { ...builtAdapter(count, weights), sums: null };
}

function primal(kernel: Kernel, task: LeastSquares, sums: Statistics) {
  const weights = fitFromStatistics(kernel, task.shape, task.lambda, sums);
  return { ...builtAdapter(sums.count, weights), sums };
}

function concatenate(pages: readonly Rows[]): Rows {
  const [only] = pages;
  if (pages.length === 1 && only) return only;
  return {
    encodings: joined(pages.map(({ encodings }) => encodings)),
    labels: pages.flatMap(({ labels }) => Array.from(labels)),
  };
}

function joined(parts: readonly Int8Array[]): Int8Array {
  const out = new Int8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
