import type { Batch, EventLog } from '../log/event-log.js';
import { type ApplyOptions, apply } from './apply.js';
import { type Activate, prepare } from './prepare.js';

export type ProjectorOptions = ApplyOptions & {
  readonly log: EventLog;
  readonly topic: string;
  readonly activate: Activate;
  /** Told after each batch how many records it had. */
  readonly onBatch?: (records: number) => void;
};

/**
 * Projects the sample events into Postgres, exactly once, until the signal aborts. The next batch is
 * prepared while this one is written. Throws what `apply` throws.
 */
export async function project(options: ProjectorOptions, signal: AbortSignal): Promise<void> {
  const { database, log, topic, onBatch = () => {} } = options;
  const failed = new AbortController();
  const next = new Map<number, bigint>();
  let applying: Promise<void> = Promise.resolve();

  const applyBatch = async (
    { partition, records }: Batch,
    prepared: ReturnType<typeof prepare>,
  ) => {
    let [rest, work] = [records, prepared];
    while (rest.length > 0) {
      const place = { partition, next: next.get(partition) ?? 0n };
      const position = await apply(options, place, await work);
      next.set(partition, position);
      // Records are left when an operator has let it go past a deletion among them.
      rest = rest.filter((record) => record.position >= position);
      work = prepare(options.model, options.activate, rest);
    }
    onBatch(records.length);
  };

  await log.consume(topic, {
    signal: AbortSignal.any([signal, failed.signal]),
    start: async (partition) => {
      const { rows } = await database.pool.query<{ position: bigint }>(
        'SELECT position FROM offsets WHERE partition = $1',
        [partition],
      );
      const position = rows[0]?.position ?? 0n;
      next.set(partition, position);
      return position;
    },
    handle: async (batch) => {
      const prepared = prepare(options.model, options.activate, batch.records);
      prepared.catch(() => {});
      await applying;
      applying = applyBatch(batch, prepared);
      applying.catch(() => failed.abort());
      await prepared;
    },
  });
  await applying;
}
