/**
 * Rows in COPY's binary format (PostgreSQL manual, COPY; the types' send functions), one field after the
 * other. For `copyInto`: header and trailer are not written here.
 */
export class CopyRows {
  #bytes = Buffer.allocUnsafe(1 << 16);
  #length = 0;

  /** Begins a row of so many fields. */
  row(fields: number): this {
    this.#reserve(2);
    this.#length = this.#bytes.writeInt16BE(fields, this.#length);
    return this;
  }

  bool(value: boolean): this {
    this.#field(1);
    this.#length = this.#bytes.writeUInt8(value ? 1 : 0, this.#length);
    return this;
  }

  int2(value: number): this {
    this.#field(2);
    this.#length = this.#bytes.writeInt16BE(value, this.#length);
    return this;
  }

  int4(value: number | null): this {
    if (value === null) return this.#null();
    this.#field(4);
    this.#length = this.#bytes.writeInt32BE(value, this.#length);
    return this;
  }

  int8(value: bigint | null): this {
    if (value === null) return this.#null();
    this.#field(8);
    this.#length = this.#bytes.writeBigInt64BE(value, this.#length);
    return this;
  }

  text(value: string | null): this {
    if (value === null) return this.#null();
    const length = Buffer.byteLength(value);
    this.#field(length);
    this.#bytes.write(value, this.#length);
    this.#length += length;
    return this;
  }

  bytea(value: Uint8Array | Int8Array | null): this {
    if (value === null) return this.#null();
    this.#field(value.byteLength);
    this.#bytes.set(value, this.#length);
    this.#length += value.byteLength;
    return this;
  }

  int4Array(values: readonly number[]): this {
    this.#field(20 + 8 * values.length);
    // Dimensions, no nulls, element type; then length and lower bound of the one dimension.
    for (const head of [1, 0, INT4, values.length, 1]) {
      this.#length = this.#bytes.writeInt32BE(head, this.#length);
    }
    for (const value of values) {
      this.#length = this.#bytes.writeInt32BE(4, this.#length);
      this.#length = this.#bytes.writeInt32BE(value, this.#length);
    }
    return this;
  }

  jsonb(value: string | null): this {
    if (value === null) return this.#null();
    const length = Buffer.byteLength(value);
    this.#field(1 + length);
    this.#bytes[this.#length] = JSONB_VERSION;
    this.#bytes.write(value, this.#length + 1);
    this.#length += 1 + length;
    return this;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #null(): this {
    this.#reserve(4);
    this.#length = this.#bytes.writeInt32BE(-1, this.#length);
    return this;
  }

  #field(length: number): void {
    this.#reserve(4 + length);
    this.#length = this.#bytes.writeInt32BE(length, this.#length);
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

const INT4 = 23;
const JSONB_VERSION = 1;
