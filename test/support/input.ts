import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openInput } from '#src/cli/input/input.js';
import type { InputBatch, InputOptions, InputRow, RowGroup } from '#src/cli/input/rows.js';

/** A folder for this test file alone, removed when it is done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'legonet-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function readBatches(path: string, options?: InputOptions): Promise<InputBatch[]> {
  const input = await openInput(path, options);
  const batches: InputBatch[] = [];
  for await (const batch of input.batches()) batches.push(batch);
  return batches;
}

export async function readRows(path: string, options?: InputOptions): Promise<InputRow[]> {
  return (await readBatches(path, options)).flatMap((batch) => batch.rows);
}

export async function rowsOf(groups: AsyncIterable<RowGroup>): Promise<InputRow[]> {
  const rows: InputRow[] = [];
  for await (const group of groups) rows.push(...group.rows);
  return rows;
}

export async function* asChunks(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** Cuts bytes at the given places, wherever they fall. */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort(
    (a, b) => a - b,
  );
  const chunks: Uint8Array[] = [];
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    chunks.push(bytes.slice(start, end));
    start = end;
  }
  return chunks;
}
