import type { Readiness } from '../serve/deps.js';
import type { Database } from '../store/database.js';
import { STOPS } from '../store/dead-letters.js';
import { pending, shippedMigrations } from '../store/migrate.js';
import type { Service } from './service.js';
import type { Watch } from './watch.js';

/** Whether the database answers and is up to date, the model is the one in force, and roles come further. */
export async function checkReadiness(
  { model }: Service,
  { pool }: Database,
  watch: Watch,
): Promise<Readiness> {
  const reasons = watch
    .stalls()
    .map(
      ({ role, what, mark, seconds }) =>
        `${role} has not moved for ${seconds} s while work waits: ${what}, ${mark}`,
    );
  const warnings = watch.logAnswers ? [] : ['the event log does not answer'];
  try {
    const missing = await pending(pool, await shippedMigrations());
    if (missing.length > 0) reasons.push(`migrations are missing: ${names(missing)}`);
    else {
      const { rows } = await pool.query<{ digest: string; stopped: bigint }>(
        `SELECT digest, (SELECT count(*) FROM dead_letters WHERE ${STOPS}) AS stopped
         FROM model`,
      );
      const [found] = rows;
      if (found?.digest !== model.digest) reasons.push('the model in force is not the one loaded');
      if (found && found.stopped > 0n) {
        warnings.push(`${found.stopped} deletions that cannot be read stop their partitions`);
      }
    }
  } catch {
    reasons.push('the database does not answer, or is not one that this program can use');
  }
  return { ready: reasons.length === 0, reasons, warnings };
}

const names = (migrations: readonly { readonly name: string }[]): string =>
  migrations.map(({ name }) => name).join(', ');

/** How long an answer is good for. */
const FRESH_MS = 500;

/** One call at a time, whoever asks, and its result for half a second. */
export function shared<T>(call: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let until = 0;
  return () => {
    if (running && performance.now() < until) return running;
    until = Number.POSITIVE_INFINITY;
    running = call().finally(() => {
      until = performance.now() + FRESH_MS;
    });
    return running;
  };
}
