import { hash } from 'node:crypto';
import { LegonetError } from '../errors.js';
import type { ContentEvent, DeletionEvent } from '../events/event.js';
import { isRoll } from '../events/own-records.js';
import { readRecord } from '../events/read-record.js';
import type { LogRecord } from '../events/record.js';
import type { Model } from '../model/model.js';
import { checkInt8, quantise } from '../model/quantise.js';

/** What a sample contributes to the model: the index of its label and its int8 encoding. */
export type Content = {
  readonly label: number;
  readonly encoding: Int8Array;
  /** SHA-256 over both, hex: two events with the same digest have the same content. */
  readonly digest: string;
};

/** A record, read with the model's eyes. */
export type Interpreted = { readonly record: LogRecord } & (
  | { readonly kind: 'content'; readonly event: ContentEvent; readonly content: Content }
  | { readonly kind: 'deletion'; readonly event: DeletionEvent }
  | { readonly kind: 'rejected'; readonly code: string; readonly reason: string }
  /** The log's own, without meaning. */
  | { readonly kind: 'roll' }
  /** It asks for a deletion, and nothing says of what: it must not be passed over. */
  | { readonly kind: 'stopping'; readonly code: string; readonly reason: string }
);

/** Reads and checks one record. Pure; never throws for what a record holds. */
export function interpret(model: Model, record: LogRecord): Interpreted {
  if (isRoll(record)) return { record, kind: 'roll' };
  const result = readRecord(record);
  if (!result.ok) {
    const { code, message } = result.error;
    return { record, kind: result.deletion ? 'stopping' : 'rejected', code, reason: message };
  }
  const { event } = result;
  if (event.kind === 'deleted' || event.kind === 'erased')
    return { record, kind: 'deletion', event };
  try {
    return { record, kind: 'content', event, content: contentOf(model, event) };
  } catch (error) {
    if (!(error instanceof LegonetError)) throw error;
    return { record, kind: 'rejected', code: error.code, reason: error.message };
  }
}

function contentOf(model: Model, event: ContentEvent): Content {
  const label = model.classIndex.get(event.label);
  if (label === undefined) {
    throw new LegonetError('unknown_label', `data.label is not one of the model's classes`);
  }
  if (!event.encoding) {
    throw new LegonetError(
      'input_not_encodable',
      "data.input: this model's encoder takes encodings, not raw input",
    );
  }
  const { encoding } = event;
  const int8 =
    encoding.form === 'int8'
      ? checkInt8(model.quantiser, encoding.values)
      : quantise(model.quantiser, encoding.values);
  return { label, encoding: int8, digest: contentDigest(label, int8) };
}

/** Bytes that a label's index and a line's end take at most. */
const HEAD = 16;

export function contentDigest(label: number, encoding: Int8Array): string {
  const bytes = Buffer.allocUnsafe(HEAD + encoding.length);
  const head = bytes.write(`${label}\n`, 'latin1');
  bytes.set(encoding, head);
  return hash('sha256', bytes.subarray(0, head + encoding.length), 'hex');
}
