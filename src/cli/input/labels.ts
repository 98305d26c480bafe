import { LegonetError } from '../../errors.js';
import { fileSize, readChunks } from './chunks.js';
import { splitLines } from './lines.js';
import { type NpyFile, openFile, openNpy, readRows } from './npy-file.js';
import { decodeIntegers, INTEGER_TYPES, type IntegerType } from './npy-values.js';
import { textProblem } from './text.js';

/** The labels of a file of encodings, read along with it. */
export type Labels = {
  /** What is wrong with a row whose label is undefined. */
  readonly problem: string;
  open(from: number): Promise<LabelReader>;
};

export type LabelReader = {
  /** The next labels; undefined for one that cannot be used. */
  take(count: number): Promise<readonly (string | undefined)[]>;
  close(): Promise<void>;
};

/**
 * Opens labels: 1-D .npy integers, or text with one label a line. Throws `labels_mismatch` if there
 * are not as many as `rows`, and as openNpy does.
 */
export async function openLabels(
  path: string,
  rows: number,
  classes?: readonly string[],
): Promise<Labels> {
  if (path.toLowerCase().endsWith('.npy')) {
    const file = await openNpy(path, { dimensions: 1, types: INTEGER_TYPES });
    checkCount(path, file.rows, rows);
    return integerLabels(file, classes);
  }
  await fileSize(path);
  let lines = 0;
  for await (const group of splitLines(readChunks(path).chunks)) lines += group.lines.length;
  checkCount(path, lines, rows);
  return textLabels(path);
}

function checkCount(path: string, found: number, rows: number): void {
  if (found === rows) return;
  throw new LegonetError('labels_mismatch', `${path}: ${found} labels for ${rows} encodings`);
}

function integerLabels(file: NpyFile<IntegerType>, classes?: readonly string[]): Labels {
  const nameOf = (value: number | bigint) => (classes ? classes[Number(value)] : String(value));
  return {
    problem: `its label is not one of the ${classes?.length} classes`,
    async open(from) {
      const handle = await openFile(file.path);
      let next = from;
      return {
        async take(count) {
          const bytes = await readRows(handle, file, next, count);
          next += count;
          const values = decodeIntegers(bytes, file.type, file.littleEndian);
          return Array.from<number | bigint, string | undefined>(values, nameOf);
        },
        close: () => handle.close(),
      };
    },
  };
}

function textLabels(path: string): Labels {
  return {
    problem: 'its label is empty, too long or not plain UTF-8 text',
    async open(from) {
      const groups = splitLines(readChunks(path).chunks);
      let lines: readonly (Uint8Array | undefined)[] = [];
      let at = 0;
      /** Calls `use` with each of the next lines. */
      const advance = async (count: number, use: (line: Uint8Array | undefined) => void) => {
        for (let left = count; left > 0; ) {
          if (at === lines.length) {
            const group = await groups.next();
            if (group.done) throw new LegonetError('input_truncated', `${path}: ends early`);
            lines = group.value.lines;
            at = 0;
          }
          for (; at < lines.length && left > 0; at++, left--) use(lines[at]);
        }
      };
      await advance(from, () => {});
      return {
        async take(count) {
          const labels: (string | undefined)[] = [];
          await advance(count, (line) => labels.push(line && labelOf(line)));
          return labels;
        },
        close: async () => {
          await groups.return(undefined);
        },
      };
    },
  };
}

function labelOf(line: Uint8Array): string | undefined {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8').trim();
  return textProblem(text) === undefined ? text : undefined;
}
