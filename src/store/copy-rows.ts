/**
 * Rows in COPY's binary format (PostgreSQL manual, COPY; the types' send functions), one field after the
 * other. For `copyInto`: header and trailer are not written here.
 */
export class CopyRows {
  #bytes: Buffer;
  /** The same memory: numbers are written through it, at a fraction of what Buffer's own methods take. */
  #view: DataView;
  #length = 0;

  /** For about so many bytes: more is possible, and costs a copy. */
  constructor(size = 1 << 16) {
    this.#bytes = Buffer.allocUnsafe(size);
    this.#view = viewOf(this.#bytes);
  }

  /** Begins a row of so many fields. */
  row(fields: number): this {
    this.#reserve(2);
    this.#view.setInt16(this.#length, fields);
    this.#length += 2;
    return this;
  }

  bool(value: boolean): this {
    this.#field(1);
    this.#length = this.#bytes.writeUInt8(value ? 1 : 0, this.#length);
    return this;
  }

  int2(value: number): this {
    this.#field(2);
    this.#view.setInt16(this.#length, value);
    this.#length += 2;
    return this;
  }

  int4(value: number | null): this {
    if (value === null) return this.#null();
    this.#field(4);
    this.#view.setInt32(this.#length, value);
    this.#length += 4;
    return this;
  }

  int8(value: bigint | null): this {
    if (value === null) return this.#null();
    this.#field(8);
    this.#view.setBigInt64(this.#length, value);
    this.#length += 8;
    return this;
  }

  text(value: string | null): this {
    if (value === null) return this.#null();
    return this.#string(value);
  }

  /** A bytea of so many bytes, which are to follow what was written here: the last field of the last row. */
  byteaOf(length: number): this {
    this.#reserve(4);
    return this.#int4(length);
  }

  bytea(value: Uint8Array | Int8Array | null): this {
    if (value === null) return this.#null();
    this.#field(value.byteLength);
    this.#bytes.set(value, this.#length);
    this.#length += value.byteLength;
    return this;
  }

  /** A bytea, from hexadecimal digits. */
  hex(value: string | null): this {
    if (value === null) return this.#null();
    this.#field(value.length / 2);
    this.#length += this.#bytes.write(value, this.#length, 'hex');
    return this;
  }

  int4Array(values: readonly number[]): this {
    this.#field(20 + 8 * values.length);
    // Dimensions, no nulls, element type; then length and lower bound of the one dimension.
    for (const head of [1, 0, INT4, values.length, 1]) this.#int4(head);
    for (const value of values) this.#int4(4).#int4(value);
    return this;
  }

  jsonb(value: string | null): this {
    if (value === null) return this.#null();
    return this.#string(JSONB_VERSION + value);
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #null(): this {
    this.#reserve(4);
    return this.#int4(-1);
  }

  #string(value: string): this {
    // In UTF-8 no unit of UTF-16 takes more than three bytes.
    this.#reserve(4 + 3 * value.length);
    const length = this.#bytes.write(value, this.#length + 4);
    this.#int4(length);
    this.#length += length;
    return this;
  }

  #field(length: number): void {
    this.#reserve(4 + length);
    this.#int4(length);
  }

  #int4(value: number): this {
    this.#view.setInt32(this.#length, value);
    this.#length += 4;
    return this;
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView =>
  new DataView(buffer, byteOffset, length);

const INT4 = 23;
/** What jsonb is sent with: its version, in one byte. */
const JSONB_VERSION = '\x01';
