import { isUtf8 } from 'node:buffer';
import type { IHeaders, KafkaMessage, Message } from 'kafkajs';
import type { LogRecord } from '../../events/record.js';
import type { NewRecord } from '../event-log.js';

/** What a record takes in a batch besides key, value and headers, and a header besides its bytes. */
const RECORD_OVERHEAD = 32;
const HEADER_OVERHEAD = 10;

/** A Kafka message as a record. */
export function toLogRecord(partition: number, message: KafkaMessage): LogRecord {
  return {
    partition,
    position: BigInt(message.offset),
    key: message.key === null ? null : readKey(message.key),
    value: message.value,
    headers: readHeaders(message.headers ?? {}),
    time: BigInt(message.timestamp) * 1000n,
  };
}

/** What is no text must not become the key of another sample: no id has a control character. */
function readKey(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return isUtf8(bytes) ? text : text.replaceAll('\ufffd', '\u0001');
}

function readHeaders(headers: IHeaders): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    // Of a header that is there more than once the last counts, as everywhere in Kafka.
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined && last !== null) texts[name] = last.toString('utf8');
  }
  return texts;
}

export function toMessage(record: NewRecord, partition: number): Message & { partition: number } {
  const { key, value, headers = {} } = record;
  return {
    key,
    value: value && Buffer.from(value.buffer, value.byteOffset, value.byteLength),
    headers: { ...headers },
    partition,
  };
}

/** No less than the bytes that a record takes in a batch. */
export function recordSize({ key, value, headers = {} }: NewRecord): number {
  const named = Object.entries(headers).map(
    ([name, text]) => Buffer.byteLength(name) + Buffer.byteLength(text) + HEADER_OVERHEAD,
  );
  const own = Buffer.byteLength(key ?? '') + (value?.length ?? 0) + RECORD_OVERHEAD;
  return named.reduce((sum, size) => sum + size, own);
}

/** Cuts a list into parts of so many items and so much size, or one item. Order is kept. */
export function cut<T>(
  items: readonly T[],
  size: (item: T) => number,
  limits: { readonly items: number; readonly size: number },
): T[][] {
  const parts: T[][] = [];
  let [part, total]: [T[], number] = [[], 0];
  for (const item of items) {
    const own = size(item);
    if (part.length > 0 && (part.length >= limits.items || total + own > limits.size)) {
      parts.push(part);
      [part, total] = [[], 0];
    }
    part.push(item);
    total += own;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
