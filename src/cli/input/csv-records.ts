import { pipeline } from 'node:stream';
import { CsvError, Parser } from 'csv-parse';
import { LegonetError } from '../../errors.js';

/** Far above the widest row a model takes; a quote that is never closed ends here. */
const RECORD_BYTES = 1024 * 1024;

/** The records of a CSV (RFC 4180), header included. Throws `input_malformed`, naming the file. */
export async function* csvRecords(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<readonly string[]> {
  const parser = new Parser({
    bom: true,
    max_record_size: RECORD_BYTES,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
  });
  // An error of the source reaches the loop below through the parser.
  pipeline(chunks, parser, () => {});
  try {
    yield* parser as AsyncIterable<string[]>;
  } catch (error) {
    throw error instanceof CsvError ? withoutContent(error, name) : error;
  }
}

/** The parser's own message and error quote the record, which may be about a person. */
function withoutContent(error: CsvError, name: string): LegonetError {
  const reasons: Readonly<Record<string, string>> = {
    CSV_MAX_RECORD_SIZE: `is longer than ${RECORD_BYTES / 1024} KiB, or has a quote that is never closed`,
    CSV_QUOTE_NOT_CLOSED: 'has a quote that is never closed',
  };
  const record = Number(error.records) + 1;
  const reason = reasons[error.code] ?? `is not CSV (${error.code})`;
  return new LegonetError('input_malformed', `${name}: record ${record} of the file ${reason}`);
}
