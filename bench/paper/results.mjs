// Results by task, kept in a file so that a run that was stopped goes on.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

const RESULTS = new URL('./results.json', import.meta.url);

/** Results kept in `file`, or in memory alone. */
export function openResults(file) {
  const kept = new Map(Object.entries(file ? (readJson(file) ?? {}) : {}));
  const key = (task) => JSON.stringify(task);
  return {
    has: (task) => kept.has(key(task)),
    add(task, result) {
      kept.set(key(task), result);
      if (file) replace(file, JSON.stringify(Object.fromEntries(kept)));
    },
    /** What is complete is measured anew the next time. */
    close() {
      if (file) rmSync(file, { force: true });
    },
    /** By the tasks' names: lists of what they gave. */
    of(tasks) {
      const lists = {};
      for (const task of tasks) {
        lists[task.name] ??= [];
        lists[task.name].push(...[kept.get(key(task))].flat());
      }
      return lists;
    },
  };
}

export const readResults = () => JSON.parse(readFileSync(RESULTS, 'utf8'));

export const saveResults = (results) =>
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 2)}\n`);

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all. */
function replace(file, text) {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
