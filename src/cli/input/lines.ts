/** A longer line is not kept: no sample is that large. */
export const LINE_BYTES = 4 * 1024 * 1024;

const NEWLINE = 10;
const RETURN = 13;
const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/** Lines without their ends; undefined stands for a line over LINE_BYTES. */
export type LineGroup = {
  readonly lines: readonly (Uint8Array | undefined)[];
  /** Bytes of memory that the lines may keep alive. */
  readonly bytes: number;
};

/** Splits bytes at \n, whatever the size of their chunks. A \r before it is dropped. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  limit = LINE_BYTES,
): AsyncGenerator<LineGroup> {
  const tail = new Tail(limit);
  let first = true;
  for await (const chunk of chunks) {
    const lines: (Uint8Array | undefined)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = tail.finish(chunk.subarray(start, end));
      lines.push(first ? withoutMark(line) : line);
      first = false;
      start = end + 1;
    }
    tail.keep(chunk.subarray(start));
    yield { lines, bytes: chunk.length };
  }
  if (tail.length === 0) return;
  const last = tail.finish(new Uint8Array());
  yield { lines: [first ? withoutMark(last) : last], bytes: 0 };
}

/** The unfinished line between two chunks. */
class Tail {
  length = 0;
  #parts: Uint8Array[] = [];

  constructor(readonly limit: number) {}

  keep(part: Uint8Array): void {
    this.length += part.length;
    // Beyond the limit only the length is counted, so that no line can fill the memory.
    if (this.length > this.limit) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  finish(part: Uint8Array): Uint8Array | undefined {
    const length = this.length + part.length;
    const line = this.#parts.length === 0 ? part : Buffer.concat([...this.#parts, part]);
    this.length = 0;
    this.#parts = [];
    if (length > this.limit) return undefined;
    return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
  }
}

function withoutMark(line: Uint8Array | undefined): Uint8Array | undefined {
  const marked = line && BYTE_ORDER_MARK.every((byte, i) => line[i] === byte);
  return marked ? line.subarray(BYTE_ORDER_MARK.length) : line;
}
