import { openInput } from '../input/input.js';
import type { InputRow } from '../input/rows.js';

export type LabelledRow = Extract<InputRow, { kind: 'sample' }> & { readonly label: string };

/** All labelled rows of a small file. */
export async function readRows(path: string): Promise<LabelledRow[]> {
  const rows: LabelledRow[] = [];
  const input = await openInput(path);
  for await (const batch of input.batches()) {
    rows.push(
      ...batch.rows.filter(
        (row): row is LabelledRow => row.kind === 'sample' && row.label !== null,
      ),
    );
  }
  return rows;
}
