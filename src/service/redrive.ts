import { LegonetError } from '../errors.js';
import { RECORD_TIME_HEADER } from '../events/record.js';
import type { Stores } from '../log/open.js';
import { markRedriven, readRawLetter } from '../store/dead-letters.js';

/**
 * Puts a dead letter's record into the log again, at the end, with the time of its first appearance.
 * Throws `no_dead_letter`, `record_erased` or `partition_stopped`.
 */
export async function redrive(
  { database, log, settings }: Pick<Stores, 'database' | 'log' | 'settings'>,
  id: bigint,
): Promise<void> {
  const letter = await readRawLetter(database.pool, id);
  const { key, value, headers, recordTime, stopping } = letter;
  if (stopping) {
    throw new LegonetError(
      'partition_stopped',
      `dead letter ${id} is a deletion that stops its partition: ask for the deletion again in a form ` +
        `that can be read, then \`legonet dead-letters --skip ${id}\``,
    );
  }
  if (value === null) {
    throw new LegonetError(
      'record_erased',
      `dead letter ${id}: its sample was deleted, and it with it`,
    );
  }
  const time = { [RECORD_TIME_HEADER]: headers[RECORD_TIME_HEADER] ?? String(recordTime) };
  await log.append(settings.topics.sampleEvents, [
    { key, value, headers: { ...headers, ...time } },
  ]);
  await markRedriven(database.pool, letter);
}
