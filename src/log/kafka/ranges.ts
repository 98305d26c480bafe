import { LegonetError } from '../../errors.js';

/** The first position of a partition, and the next that a reader can come to: open transactions end it. */
export type Range = { readonly low: bigint; readonly high: bigint };
export type Ranges = ReadonlyMap<number, Range>;

/** Where to go on: at the start if what is asked for is gone. Throws `log_truncated` beyond the end. */
export function inside(
  topic: string,
  partition: number,
  from: bigint,
  range: Range | undefined,
): bigint {
  if (!range) return from;
  if (from > range.high) throw truncated(topic, partition, from, range);
  return from < range.low ? range.low : from;
}

export const truncated = (
  topic: string,
  partition: number,
  from: bigint,
  range: Range | undefined,
): LegonetError =>
  new LegonetError(
    'log_truncated',
    `partition ${partition} of ${topic} ends at ${range?.high ?? 0n} and was read up to ${from}, so it ` +
      'is not what it was: restore the topic, or `legonet replay` if it has every event from the first',
    'stop',
  );
