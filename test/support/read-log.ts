import type { LogRecord } from '#src/events/record.js';
import type { Batch, Consumption, EventLog } from '#src/log/event-log.js';

type Options = Partial<Pick<Consumption, 'maxRecords' | 'maxBytes'>> & {
  /** Where to begin in every partition; else at 0. */
  readonly from?: (partition: number) => bigint;
};

/** The batches of everything that is in the topic now. */
export async function readBatches(
  log: EventLog,
  topic: string,
  { from = () => 0n, ...limits }: Options = {},
): Promise<Batch[]> {
  const ends = await log.ends(topic);
  const next = new Map([...ends.keys()].map((partition) => [partition, from(partition)]));
  const batches: Batch[] = [];
  const isRead = () => [...ends].every(([partition, end]) => (next.get(partition) ?? 0n) >= end);
  const controller = new AbortController();
  if (isRead()) return [];
  await log.consume(topic, {
    ...limits,
    signal: controller.signal,
    start: async (partition) => from(partition),
    handle: async (batch) => {
      batches.push(batch);
      next.set(batch.partition, batch.next);
      if (isRead()) controller.abort();
    },
  });
  return batches;
}

export async function readLog(
  log: EventLog,
  topic: string,
  options: Options = {},
): Promise<LogRecord[]> {
  return (await readBatches(log, topic, options)).flatMap(({ records }) => records);
}
