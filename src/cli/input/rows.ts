import type { Input as RawInput } from '../../events/event.js';

/** How a file's rows are to be read. */
export type InputOptions = {
  /** Labels of a .npy: a 1-D .npy of integers, or a text file with one label a line. Of a folder: a CSV. */
  readonly labels?: string;
  /**
   * What sample ids begin with; the row's index follows, or in a folder the file's path from there. Default:
   * the file's name and '-', or the folder's and '/'.
   */
  readonly idPrefix?: string;
  /** Class names, to translate integer labels; without them the number itself is the label. */
  readonly classes?: readonly string[];
  /** Rows to skip: `firstRow + rows.length` of the last batch that was dealt with resumes there. */
  readonly from?: number;
  readonly limit?: number;
  /** Rows in a batch, at most. Default 1000. */
  readonly batchRows?: number;
  /** Rows need no label; a column named label is still read. */
  readonly unlabelled?: boolean;
  /** A column of a CSV that is named text holds texts: no numbers are beside it. */
  readonly texts?: boolean;
};

/** Numbers to be quantised by the model, or, as Int8Array, an encoding that is quantised already. */
export type Encoding = Float64Array | Float32Array | Int8Array | Uint8Array;

type Named = {
  readonly sampleId: string;
  readonly label: string | null;
  readonly subjectId?: string;
};

/** One row of a file. Every row gives exactly one of these: nothing is lost silently. */
export type InputRow =
  /** The encoding may be a view of its batch's memory. */
  | (Named & { readonly kind: 'sample'; readonly encoding: Encoding })
  | (Named & { readonly kind: 'input'; readonly input: RawInput })
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  /** `row` counts from 0, header and blank lines left out. The reason never quotes the row. */
  | { readonly kind: 'bad'; readonly row: number; readonly reason: string };

export type InputBatch = {
  readonly rows: readonly InputRow[];
  readonly firstRow: number;
  /** How far into the file, as it is on disk (compressed bytes of a .gz). */
  readonly bytesRead: number;
};

export type Input = {
  readonly format: 'csv' | 'ndjson' | 'npy' | 'images';
  readonly totalBytes: number;
  /** What whoever named it should know. */
  readonly notes?: readonly string[];
  /** Reads from the start each time it is called. Stops with the signal's reason. */
  batches(signal?: AbortSignal): AsyncIterable<InputBatch>;
};

/** Rows as a reader finds them, and the bytes of memory that they may keep alive. */
export type RowGroup = { readonly rows: readonly InputRow[]; readonly bytes: number };
