import * as z from 'zod';
import { parseTime } from '../../events/time.js';
import { fromBase64 } from '../bytes.js';
import { HASH_BYTES } from '../hash.js';

/*
 * Types of fields that the files for subjects and auditors share. Bytes are strict base64, so that each value
 * has one text. Throughout src/audit zod is imported as a namespace: of that, a bundler for browsers keeps what
 * is used, a third of the whole.
 */

const bytesOf = (text: string, context: z.RefinementCtx): Uint8Array => {
  try {
    return fromBase64(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected strict base64' });
    return z.NEVER;
  }
};

export const bytes = z.string().transform(bytesOf).meta({ contentEncoding: 'base64' });

/** Exactly so many bytes. */
export const sized = (length: number) =>
  z
    .string()
    .length(4 * Math.ceil(length / 3))
    .transform(bytesOf)
    .refine((value) => value.length === length, `expected ${length} bytes`)
    .meta({ contentEncoding: 'base64' });

export const hash = sized(HASH_BYTES);
export const signature = sized(64);

/** Hashes, one after the other in one text. */
export const hashes = bytes.refine(
  ({ length }) => length % HASH_BYTES === 0,
  `expected hashes of ${HASH_BYTES} bytes`,
);

/** Into hashes. */
export const split = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / HASH_BYTES }, (_, i) =>
    bytes.slice(HASH_BYTES * i, HASH_BYTES * (i + 1)),
  );

/** A number of four bytes. */
export const uint32 = z.int().min(0).max(0xffff_ffff);

/** Index of an entry of the log, or a count: below 2^53. */
export const natural = z.int().min(0);

export const text = z.string().max(2048);

export const time = z
  .string()
  .max(64)
  .refine((text) => text.endsWith('Z') && parseTime(text) !== undefined, 'expected a time in UTC')
  .meta({ format: 'date-time' });

export const decimal = z.string().regex(/^(?:0|[1-9][0-9]{0,18})$/, 'expected a decimal number');
