import { LegonetError } from '../errors.js';
import { encodedRecord } from '../events/own-records.js';
import { encodeInputs, type ModelEncoder } from '../model/encoder.js';
import type { Model } from '../model/model.js';
import type { Interpreted } from './interpret.js';

type Of<Kind extends Interpreted['kind']> = Extract<Interpreted, { kind: Kind }>;
type Readable = Exclude<Interpreted, { kind: 'stopping' }>;
/** An input that is encoded looks from here on as if it had come so, its record too. */
type Encoded =
  | Exclude<Readable, { kind: 'input' | 'content' }>
  | (Of<'content'> & { readonly wasInput: boolean });

/**
 * Encodes the raw inputs of a batch, all in one go; what cannot be encoded is rejected. Throws what is not
 * the inputs' fault, and the signal's reason: nothing of the batch is done then.
 */
export async function encodeItems(
  encoder: ModelEncoder,
  items: readonly Readable[],
  signal?: AbortSignal,
): Promise<Encoded[]> {
  const inputs = items.flatMap((item) => (item.kind === 'input' ? [item.input] : []));
  const encodings = await encodeInputs(encoder, inputs, signal);
  let next = 0;
  return items.map((item) => {
    if (item.kind === 'content') return { ...item, wasInput: false };
    if (item.kind !== 'input') return item;
    const answer = encodings[next++] ?? new Int8Array();
    if (!(answer instanceof LegonetError)) return encoded(encoder.model, item, answer);
    return { record: item.record, kind: 'rejected', code: answer.code, reason: answer.message };
  });
}

function encoded(
  { encoderDigest }: Model,
  { record, event, content }: Of<'input'>,
  encoding: Int8Array,
): Encoded {
  const { input, ...rest } = event;
  const origin = { encoder: encoderDigest, digest: content.digest };
  return {
    record: { ...record, ...encodedRecord(event, encoding, origin) },
    kind: 'content',
    event: { ...rest, encoding: { form: 'int8', values: encoding } },
    content: { ...content, encoding },
    wasInput: true,
  };
}
