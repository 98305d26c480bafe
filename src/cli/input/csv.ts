import { pipeline } from 'node:stream';
import { CsvError, Parser } from 'csv-parse';
import { LegonetError } from '../../errors.js';
import { type Columns, readColumns } from './csv-columns.js';
import { toNumber } from './number.js';
import type { InputRow, RowGroup } from './rows.js';
import { textProblem } from './text.js';

/** Far above the widest row a model takes; a quote that is never closed ends here. */
const RECORD_BYTES = 1024 * 1024;
const GROUP_ROWS = 256;
const NUMBER_BYTES = 8;

export type CsvOptions = {
  /** Named in errors. */
  readonly name: string;
  readonly idPrefix: string;
  readonly unlabelled: boolean;
  /** A column named text holds texts. */
  readonly texts: boolean;
};

/** CSV (RFC 4180) with or without a header. Throws `input_malformed` or `labels_missing`. */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<RowGroup> {
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
  let columns: Columns | undefined;
  let row = 0;
  let rows: InputRow[] = [];
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      if (!columns) {
        const first = readColumns(record, options);
        columns = first.columns;
        if (first.header) continue;
      }
      rows.push(readRecord(record, columns, options.idPrefix, row));
      row++;
      if (rows.length === GROUP_ROWS) {
        yield { rows, bytes: bytesOf(rows, columns) };
        rows = [];
      }
    }
  } catch (error) {
    throw error instanceof CsvError ? withoutContent(error, options.name) : error;
  }
  if (rows.length > 0) yield { rows, bytes: 0 };
}

const bytesOf = (rows: readonly InputRow[], { count }: Columns): number =>
  rows.reduce(
    (sum, row) => sum + (row.kind === 'text' ? 2 * row.text.length : count * NUMBER_BYTES),
    0,
  );

function readRecord(
  record: readonly string[],
  columns: Columns,
  idPrefix: string,
  row: number,
): InputRow {
  const bad = (reason: string): InputRow => ({ kind: 'bad', row, reason });
  if (record.length !== columns.count) {
    return bad(`${record.length} fields, not ${columns.count}`);
  }
  const { features } = columns;
  const encoding = new Float64Array(features.length);
  for (let i = 0; i < features.length; i++) {
    const column = features[i] ?? 0;
    const value = toNumber(record[column] ?? '');
    if (!Number.isFinite(value)) return bad(`field ${column + 1} is not a finite number`);
    encoding[i] = value;
  }
  const field = (column: number | undefined) =>
    column === undefined ? undefined : (record[column] ?? '').trim();
  const label = field(columns.label) ?? null;
  const sampleId = field(columns.sampleId) ?? `${idPrefix}${row}`;
  // A sample need not belong to a subject.
  const subjectId = field(columns.subjectId) || undefined;
  const problem =
    describe('the label', label) ??
    describe('the sample id', sampleId) ??
    describe('the subject id', subjectId);
  if (problem !== undefined) return bad(problem);
  const named = { sampleId, label, ...(subjectId !== undefined && { subjectId }) };
  if (columns.text === undefined) return { kind: 'sample', ...named, encoding };
  return { kind: 'text', ...named, text: record[columns.text] ?? '' };
}

function describe(what: string, text: string | null | undefined): string | undefined {
  if (text === null || text === undefined) return undefined;
  const problem = textProblem(text);
  return problem === undefined ? undefined : `${what} ${problem}`;
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
