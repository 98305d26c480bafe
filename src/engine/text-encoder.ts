import { setImmediate as breathe } from 'node:timers/promises';
import { LegonetError } from '../errors.js';
import type { Input } from '../events/event.js';
import type { Encoder } from '../model/encoder.js';
import { type HashingText, hashText } from '../model/hashing-text.js';

/** UTF-16 units between two looks at what else there is to do: some milliseconds. */
const WORK = 16_384;

export function textEncoder(options: HashingText): Encoder {
  const encodeOne = (input: Input) =>
    input.form === 'text'
      ? hashText(options, input.text)
      : new LegonetError('input_not_encodable', 'input: this model’s encoder takes {"text"} only');
  return {
    encode: async (inputs, signal) => {
      const encodings: ReturnType<typeof encodeOne>[] = [];
      let work = 0;
      for (const input of inputs) {
        signal?.throwIfAborted();
        encodings.push(encodeOne(input));
        work += input.form === 'text' ? input.text.length : 0;
        if (work < WORK) continue;
        work = 0;
        await breathe();
      }
      return encodings;
    },
    close: async () => {},
  };
}
