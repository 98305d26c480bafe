import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EmbeddedLog } from '#src/log/embedded.js';
import type { Model } from '#src/model/model.js';
import { openDatabase } from '#src/store/database.js';
import { saveModel } from '#src/store/model.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import type { History } from './history.js';

const CHILD = fileURLToPath(new URL('./crash-child.mjs', import.meta.url));

export type Kill =
  | { readonly point: string; readonly occurrence: number }
  | { readonly total: number };
export type Ended = {
  readonly signal: NodeJS.Signals | null;
  readonly counts: Record<string, number>;
};

/** A database with the model and a history in its log, nothing of it projected. */
export async function createWith(model: Model, { phases }: History): Promise<TestDatabase> {
  const created = await createTestDatabase();
  const database = openDatabase(created.url, 1);
  const log = new EmbeddedLog(database);
  await saveModel(database, model, {});
  for (const phase of phases) await log.append('legonet.sample-events', phase);
  await log.close();
  await database.close();
  return created;
}

export async function withCopy<T>(
  template: TestDatabase,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const copy = await createTestDatabase({ template: new URL(template.url).pathname.slice(1) });
  try {
    return await work(copy.url);
  } finally {
    await copy.drop();
  }
}

/** A process that catches up with the log, phase by phase, and is killed where it is told. */
export function run(
  url: string,
  { phases }: History,
  kill: Kill | null,
  together = false,
): Promise<Ended> {
  const fences = phases.map((_, i) => `${phases.slice(0, i).flat().length}`);
  const task = JSON.stringify({ url, kill, together, fences: [...fences.slice(1), null] });
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CHILD, task], (error, stdout, stderr) => {
      const signal = error?.signal ?? null;
      if (error && !signal) reject(new Error(`the child failed: ${stderr}`));
      else resolve({ signal, counts: signal ? {} : JSON.parse(stdout) });
    });
  });
}
