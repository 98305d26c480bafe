import { LegonetError } from '../errors.js';
import type { Input } from '../events/event.js';
import { readRecord } from '../events/read-record.js';
import { encodeInputs, type ModelEncoder } from '../model/encoder.js';
import type { Encoding, InputRow } from './input/rows.js';
import { keyOfRaw, toInt8Encoding } from './to-record.js';

/** A row to be predicted. */
export type Sample = { readonly sampleId: string; readonly label: string | null } & (
  | { readonly encoding: Encoding }
  | { readonly input: Input }
);

/** Throws `input_malformed` for a row that is no sample. */
export function toSample(row: InputRow, index: number): Sample {
  if (row.kind === 'sample' || row.kind === 'input') return row;
  if (row.kind === 'bad') throw malformed(row.row, row.reason);
  const { bytes: value } = row;
  const key = keyOfRaw(value);
  const read = readRecord({ key, value, headers: {}, partition: 0, position: 0n, time: 0n });
  if (!read.ok) throw malformed(index, read.error.message);
  const { event } = read;
  if (event.kind === 'deleted' || event.kind === 'erased') throw malformed(index, 'a deletion');
  const { sampleId, label, input, encoding } = event;
  if (input) return { sampleId, label, input };
  const { form, values } = encoding ?? { form: 'numbers', values: [] };
  return { sampleId, label, encoding: form === 'numbers' ? Float64Array.from(values) : values };
}

/** int8 [samples, dimension]. Throws the first sample's error, and as the encoder does. */
export async function encodeRows(
  encoder: ModelEncoder,
  samples: readonly Sample[],
  signal?: AbortSignal,
): Promise<Int8Array> {
  const { quantiser, shape } = encoder.model;
  const inputs = samples.flatMap((one) => ('input' in one ? [one.input] : []));
  const encoded = (await encodeInputs(encoder, inputs, signal)).values();
  const rows = new Int8Array(samples.length * shape.dimension);
  samples.forEach((one, i) => {
    const row = 'input' in one ? encoded.next().value : toInt8Encoding(quantiser, one.encoding);
    if (row instanceof LegonetError)
      throw new LegonetError(row.code, `${one.sampleId}: ${row.message}`);
    rows.set(row ?? [], i * shape.dimension);
  });
  return rows;
}

const malformed = (row: number, reason: string): LegonetError =>
  new LegonetError('input_malformed', `cannot predict: row ${row}: ${reason}`);
