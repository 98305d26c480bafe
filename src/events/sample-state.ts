import { z } from 'zod';
import { EventError } from './error.js';
import type { LogRecord } from './record.js';
import type { SampleState } from './retention.js';
import { id } from './schemas.js';
import type { Version } from './version.js';

/*
 * A log that compacts keeps the last record of a key alone, and what a sample has come to may rest on
 * several. Such a sample's content is written once more, and with it in a header all that is remembered
 * of it, so that this one record says everything.
 */

const HEADER = 'legonet_state';

export type Remembered = Pick<
  Extract<SampleState, { status: 'retained' }>,
  'ingest' | 'correction' | 'subjects'
> & {
  /** Digest of the encoder that has made the record's encoding from a raw input, whose digest its version has. */
  readonly encoder?: string;
};

const microseconds = z.string().regex(/^-?\d{1,18}$/);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const version = z.object({ time: microseconds, eventId: id, source: id, digest });
const schema = z.object({
  ingest: version.optional(),
  correction: version.optional(),
  subjects: z.array(z.tuple([id, microseconds])),
  encoder: digest.optional(),
});

const written = ({ time, ...rest }: Version) => ({ ...rest, time: String(time) });
const read = ({ time, ...rest }: z.output<typeof version>): Version => ({
  ...rest,
  time: BigInt(time),
});

export function stateHeader(remembered: Remembered): Record<string, string> {
  const { ingest, correction, subjects, encoder } = remembered;
  const state = {
    ...(ingest && { ingest: written(ingest) }),
    ...(correction && { correction: written(correction) }),
    subjects: [...subjects].map(([subject, time]) => [subject, String(time)]),
    ...(encoder !== undefined && { encoder }),
  };
  return { [HEADER]: JSON.stringify(state) };
}

/** What a record remembers besides its event; undefined for nearly all. Throws `invalid_state`. */
export function readState({ headers }: LogRecord): Remembered | undefined {
  const text = headers[HEADER];
  if (text === undefined) return undefined;
  const result = schema.safeParse(jsonOf(text));
  if (!result.success) throw new EventError('invalid_state', `${HEADER}: not what Legonet writes`);
  const { ingest, correction, subjects, encoder } = result.data;
  return {
    ...(ingest && { ingest: read(ingest) }),
    ...(correction && { correction: read(correction) }),
    subjects: new Map(subjects.map(([subject, time]) => [subject, BigInt(time)])),
    ...(encoder !== undefined && { encoder }),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
