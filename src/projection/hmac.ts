import { hash } from 'node:crypto';

/** Bytes that SHA-256 takes at a time. */
const BLOCK = 64;
export const HASH_BYTES = 32;

/** Writes the SHA-256 of a message to `out`. It comes as text, a byte a character: a Buffer costs twice as much. */
export function sha256Into(out: Buffer, at: number, message: Uint8Array): void {
  out.write(hash('sha256', message, 'binary'), at, HASH_BYTES, 'latin1');
}

/**
 * Messages for HMAC-SHA-256 (RFC 2104), written one after the other into the same memory. Two hashes in one go, and
 * nothing to collect, cost less than half of what a Buffer to each part does, and that a third of `createHmac`.
 */
export class HmacMessage {
  /** The key's inner pad and the message; the key's outer pad and the inner hash. */
  #inner = Buffer.alloc(2048, 0x36);
  readonly #outer = Buffer.alloc(BLOCK + HASH_BYTES, 0x5c);
  #length = BLOCK;

  /** Begins a new message. */
  begin(tag: Uint8Array): this {
    this.#length = BLOCK;
    return this.#bytes(tag);
  }

  uint32(value: number): this {
    this.#reserve(4);
    this.#length = this.#inner.writeUInt32BE(value, this.#length);
    return this;
  }

  /** The part's length as uint32, and then itself. */
  prefixed(part: Uint8Array): this {
    return this.uint32(part.length).#bytes(part);
  }

  /** The same of its UTF-8. */
  text(part: string): this {
    const length = Buffer.byteLength(part);
    this.uint32(length).#reserve(length);
    this.#length += this.#inner.write(part, this.#length, length, 'utf8');
    return this;
  }

  /** Writes the message's HMAC under a key of 32 bytes to `out`. */
  into(out: Buffer, at: number, key: Uint8Array): void {
    const inner = this.#inner;
    const outer = this.#outer;
    for (let i = 0; i < HASH_BYTES; i++) {
      const byte = key[i] as number;
      inner[i] = byte ^ 0x36;
      outer[i] = byte ^ 0x5c;
    }
    sha256Into(outer, BLOCK, inner.subarray(0, this.#length));
    sha256Into(out, at, outer);
  }

  #bytes(part: Uint8Array): this {
    this.#reserve(part.length);
    this.#inner.set(part, this.#length);
    this.#length += part.length;
    return this;
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#inner.length) return;
    const larger = Buffer.alloc(2 * (this.#length + length), 0x36);
    this.#inner.copy(larger, 0, 0, this.#length);
    this.#inner = larger;
  }
}
