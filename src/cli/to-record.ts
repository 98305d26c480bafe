import {
  EVENT_CONTENT_TYPE,
  encodeEvent,
  int8Data,
  recordKey,
  sampleIngested,
  subjectKey,
} from '../events/cloud-event.js';
import { EventError } from '../events/error.js';
import type { Input } from '../events/event.js';
import { LIMITS } from '../events/record.js';
import type { NewRecord } from '../log/event-log.js';
import type { Model } from '../model/model.js';
import { checkInt8, type Quantiser, quantise } from '../model/quantise.js';
import type { Encoding, InputRow } from './input/rows.js';

const SOURCE = 'urn:legonet:command-line';
const HEADERS = { 'content-type': EVENT_CONTENT_TYPE };

/** A row of a file as a record of the log. Throws a `LegonetError` saying what is wrong with it. */
export function toRecord(model: Model, row: Exclude<InputRow, { kind: 'bad' }>): NewRecord {
  if (row.kind === 'raw') return { key: keyOfRaw(row.bytes), value: row.bytes, headers: HEADERS };
  const { sampleId, label, subjectId } = row;
  const event = sampleIngested(
    {
      sampleId,
      label: label ?? '',
      ...(subjectId !== undefined && { subjectId }),
      ...contentOf(model, row),
    },
    // The same file again gives the same events, which change nothing.
    { id: `ingest:${sampleId}`, source: SOURCE },
  );
  const value = encodeEvent(event);
  if (value.length > LIMITS.recordBytes) {
    throw new EventError(
      'oversize',
      `its event has ${value.length} bytes, more than ${LIMITS.recordBytes}`,
    );
  }
  return { key: recordKey(event), value, headers: HEADERS };
}

function contentOf(model: Model, row: Exclude<InputRow, { kind: 'bad' | 'raw' }>) {
  if (row.kind === 'input') return { input: inputData(row.input) };
  return { encoding: int8Data(toInt8Encoding(model.quantiser, row.encoding)) };
}

function inputData(input: Input) {
  if (input.form === 'text') return { text: input.text };
  const { mediaType, bytes } = input;
  return { mediaType, base64: Buffer.from(bytes).toString('base64') };
}

export function toInt8Encoding(quantiser: Quantiser, encoding: Encoding): Int8Array {
  return encoding instanceof Int8Array
    ? checkInt8(quantiser, encoding)
    : quantise(quantiser, encoding);
}

/** The key that an event in a line of NDJSON asks for; null where none can be found. */
export function keyOfRaw(bytes: Uint8Array): string | null {
  try {
    const { data } = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof data?.sampleId === 'string') return data.sampleId;
    return typeof data?.subjectId === 'string' ? subjectKey(data.subjectId) : null;
  } catch {
    return null;
  }
}
