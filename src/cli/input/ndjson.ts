import { LINE_BYTES, splitLines } from './lines.js';
import type { InputRow, RowGroup } from './rows.js';

/** NDJSON: each line that is not blank as a raw row. What it says is for the reader of events. */
export async function* readNdjson(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RowGroup> {
  let row = 0;
  for await (const { lines, bytes } of splitLines(chunks)) {
    const rows: InputRow[] = [];
    for (const line of lines) {
      if (line && isBlank(line)) continue;
      rows.push(line ? { kind: 'raw', bytes: line } : tooLong(row));
      row++;
    }
    yield { rows, bytes };
  }
}

const tooLong = (row: number): InputRow => ({
  kind: 'bad',
  row,
  reason: `the line is longer than ${LINE_BYTES / 1024 / 1024} MiB`,
});

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
