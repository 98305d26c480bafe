import type { Opening } from '../audit/commitment.js';
import { LegonetError } from '../errors.js';

/** What `legonet audit data` writes into its directory, and level 3 reads. */
export const DATA_FILES = {
  configuration: 'MODEL.json',
  /** int8 [adapters, dimension], as stored. */
  keys: 'keys.int8',
  /** float64, little-endian, row-major, as stored. */
  projection: 'projection.float64',
  /** A line for each sample: see `dataLine`. */
  samples: 'samples.ndjson',
  listing: 'listing',
  /** JSON: what softmax adapters are trained on. */
  backend: 'backend.json',
} as const;

/** A sample's line: JSON with salt and encoding (int8) in base64. */
export const dataLine = ({ id, label, salt, encoding }: Opening): string =>
  `${JSON.stringify({
    id,
    label,
    salt: Buffer.from(salt).toString('base64'),
    encoding: Buffer.from(encoding.buffer, encoding.byteOffset, encoding.length).toString('base64'),
  })}\n`;

/** A line is at most this long: far more than an encoding and its texts. */
const LINE_BYTES = 1_000_000;
const NEWLINE = 10;

const invalid = (line: number, reason: string): LegonetError =>
  new LegonetError('invalid_audit_data', `line ${line} of the samples: ${reason}`);

/** The samples of the file. Throws `invalid_audit_data`. */
export async function* readDataSamples(chunks: AsyncIterable<Buffer>): AsyncGenerator<Opening> {
  let line = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE)) {
      line++;
      yield parseLine(bytes.subarray(0, end), line);
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > LINE_BYTES) throw invalid(line + 1, `more than ${LINE_BYTES} bytes`);
    rest = bytes;
  }
  if (rest.length > 0) throw invalid(line + 1, 'it ends early');
}

function parseLine(bytes: Buffer, line: number): Opening {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid(line, 'not JSON in UTF-8');
  }
  const text = (name: string): string => {
    const value = fields?.[name];
    if (typeof value === 'string') return value;
    throw invalid(line, `${name}: expected a text`);
  };
  const base64 = (name: string): Buffer => {
    const value = text(name);
    const decoded = Buffer.from(value, 'base64');
    if (decoded.toString('base64') === value) return decoded;
    throw invalid(line, `${name}: expected base64`);
  };
  const encoding = base64('encoding');
  return {
    id: text('id'),
    label: text('label'),
    salt: base64('salt'),
    encoding: new Int8Array(encoding.buffer, encoding.byteOffset, encoding.length),
  };
}
