/** Limits on what is read from the log, each checked before anything is made of a record. */
export const LIMITS = {
  /** Bytes of a record's value. */
  recordBytes: 1024 * 1024,
  /** Characters (code points) of a sample's, subject's, event's or request's id, and of a source. */
  idLength: 256,
  /** UTF-16 units, as in the model's configuration. */
  labelLength: 256,
  reasonLength: 4096,
  mediaTypeLength: 255,
  /** Numbers in an encoding. */
  encodingLength: 65_536,
} as const;

/** One record of the sample-events topic, as the log has it. */
export type LogRecord = {
  readonly partition: number;
  readonly position: bigint;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Microseconds since 1970, by the log's clock. */
  readonly time: bigint;
};

/** A re-driven record carries here the time of its first appearance, in decimal microseconds. */
export const RECORD_TIME_HEADER = 'legonet_record_time';

/** When the record first came into the log, in microseconds since 1970. */
export function recordTime(record: LogRecord): bigint {
  const first = record.headers[RECORD_TIME_HEADER];
  return first !== undefined && /^-?\d{1,18}$/.test(first) ? BigInt(first) : record.time;
}
