import type { LogRecord } from '#src/events/record.js';

/** A record of the sample-events topic at partition 0, position 7, one second after 1970. */
export function record(parts: Partial<LogRecord>): LogRecord {
  const blank = {
    partition: 0,
    position: 7n,
    key: null,
    value: null,
    headers: {},
    time: 1_000_000n,
  };
  return { ...blank, ...parts };
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Structured mode: the whole event is the value. */
export function structured(key: string | null, event: unknown): LogRecord {
  return record({ key, value: utf8(JSON.stringify(event)) });
}

/** Binary mode: attributes in headers, data in the value. */
export function binary(
  key: string | null,
  data: unknown,
  headers: Readonly<Record<string, string>>,
): LogRecord {
  const attributes = { ce_specversion: '1.0', ce_id: 'e1', ce_source: 'urn:test' };
  const value = utf8(typeof data === 'string' ? data : JSON.stringify(data));
  return record({ key, value, headers: { ...attributes, ...headers } });
}
