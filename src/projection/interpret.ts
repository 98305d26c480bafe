import { hash } from 'node:crypto';
import { LegonetError } from '../errors.js';
import { EventError } from '../events/error.js';
import type { ContentEvent, DeletionEvent, Input } from '../events/event.js';
import { isRoll } from '../events/own-records.js';
import { readRecord } from '../events/read-record.js';
import type { LogRecord } from '../events/record.js';
import type { Version } from '../events/version.js';
import { checkInput } from '../model/encoder.js';
import type { Model } from '../model/model.js';
import { checkInt8, quantise } from '../model/quantise.js';

/** What a sample contributes to the model: the index of its label and its int8 encoding. */
export type Content = {
  readonly label: number;
  readonly encoding: Int8Array;
  /**
   * SHA-256, hex: two events with the same digest have the same content. Of label and encoding; of a raw
   * input it is that of label, input and encoder, whatever bits an engine has made of it.
   */
  readonly digest: string;
};

/** A record, read with the model's eyes. */
export type Interpreted = { readonly record: LogRecord } & (
  | { readonly kind: 'content'; readonly event: ContentEvent; readonly content: Content }
  /** Content whose encoding is yet to be made. */
  | {
      readonly kind: 'input';
      readonly event: ContentEvent;
      readonly input: Input;
      readonly content: Omit<Content, 'encoding'>;
    }
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
    const { input } = event;
    if (!input) return { record, kind: 'content', event, content: contentOf(model, event) };
    return { record, kind: 'input', event, input, content: inputContent(model, event, input) };
  } catch (error) {
    if (!(error instanceof LegonetError)) throw error;
    return { record, kind: 'rejected', code: error.code, reason: error.message };
  }
}

function labelOf(model: Model, event: ContentEvent): number {
  const label = model.classIndex.get(event.label);
  if (label !== undefined) return label;
  throw new LegonetError('unknown_label', `data.label is not one of the model's classes`);
}

function contentOf(model: Model, event: ContentEvent): Content {
  const label = labelOf(model, event);
  const given = event.encoding ?? { form: 'numbers', values: [] };
  const encoding =
    given.form === 'int8'
      ? checkInt8(model.quantiser, given.values)
      : quantise(model.quantiser, given.values);
  return { label, encoding, digest: originDigest(model, event) ?? contentDigest(label, encoding) };
}

/** The digest of the raw input that an encoding came of, if it did. */
function originDigest(model: Model, { kind, remembered }: ContentEvent): string | undefined {
  if (remembered?.encoder === undefined) return undefined;
  const version = kind === 'ingested' ? remembered.ingest : remembered.correction;
  if (!version) throw new EventError('invalid_state', 'no digest of the input that it came of');
  if (remembered.encoder === model.encoderDigest) return version.digest;
  throw new LegonetError(
    'encoder_differs',
    'encoded by another encoder than the model’s: send the raw input again',
  );
}

/** Whether an encoding came of a raw input: content that did not has the digest of its encoding. */
export const isFromInput = (label: number, encoding: Int8Array, { digest }: Version): boolean =>
  digest !== contentDigest(label, encoding);

function inputContent(model: Model, event: ContentEvent, input: Input): Omit<Content, 'encoding'> {
  const label = labelOf(model, event);
  checkInput(model, input);
  return { label, digest: inputDigest(model, label, input) };
}

function inputDigest({ encoderDigest }: Model, label: number, input: Input): string {
  const head = `input\n${encoderDigest}\n${label}\n`;
  return input.form === 'text'
    ? hash('sha256', `${head}text\n${input.text}`, 'hex')
    : hash(
        'sha256',
        Buffer.concat([Buffer.from(`${head}${input.mediaType}\n`), input.bytes]),
        'hex',
      );
}

/** Bytes that a label's index and a line's end take at most. */
const HEAD = 16;

export function contentDigest(label: number, encoding: Int8Array): string {
  const bytes = Buffer.allocUnsafe(HEAD + encoding.length);
  const head = bytes.write(`${label}\n`, 'latin1');
  bytes.set(encoding, head);
  return hash('sha256', bytes.subarray(0, head + encoding.length), 'hex');
}
