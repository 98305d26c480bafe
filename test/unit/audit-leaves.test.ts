import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { adapterEntry, setEntry } from '#src/audit/adapters.js';
import { toHex } from '#src/audit/bytes.js';
import { decodeLeaf, encodeLeaf, type Leaf, rotationMessage } from '#src/audit/leaves.js';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const filled = hash.filter((bytes) => bytes.some((byte) => byte !== 0));
const orNull = fc.option(filled);
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const kind = <Kind extends string>(name: Kind) => fc.constant(name);

const leaf: fc.Arbitrary<Leaf> = fc.oneof(
  fc.record({ kind: kind('ingest'), commitment: hash, membership: hash }),
  fc.record({ kind: kind('delete'), commitment: orNull, request: orNull }),
  fc.record({
    kind: kind('train-intent'),
    config: hash,
    code: hash,
    sets: hash,
    retainedRoot: hash,
    retained: u64,
  }),
  fc.record({
    kind: kind('version'),
    version: u32,
    model: hash,
    config: hash,
    adapters: hash,
    retainedRoot: hash,
    retained: u64,
    deletions: u32,
    intent: hash,
    parent: orNull,
    statement: hash,
  }),
  fc.record({ kind: kind('erase'), commitment: hash, record: hash }),
  fc.record({
    kind: kind('key'),
    vkey: fc.string({ unit: 'binary' }),
    oldKeyId: u32,
    signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  }),
);

const of = (byte: number, length = 32) => new Uint8Array(length).fill(byte);
const text = (hex: string) => Buffer.from(hex, 'hex').toString('latin1');

describe('an entry of the log', () => {
  test('is read as it was written, whatever its kind', () => {
    fc.assert(
      fc.property(leaf, (leaf) => {
        expect(decodeLeaf(encodeLeaf(leaf))).toEqual(leaf);
      }),
    );
  });

  test('has one form: whatever is read is written as the same bytes', () => {
    fc.assert(
      fc.property(leaf, fc.nat(), fc.integer({ min: 1, max: 255 }), (leaf, at, change) => {
        const bytes = encodeLeaf(leaf);
        (bytes[at % bytes.length] as number) ^= change;
        let read: Leaf;
        try {
          read = decodeLeaf(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_leaf' });
          return;
        }
        expect(toHex(encodeLeaf(read))).toBe(toHex(bytes));
      }),
    );
  });

  test('that is longer or shorter is refused', () => {
    fc.assert(
      fc.property(leaf, (leaf) => {
        const bytes = encodeLeaf(leaf);
        expect(() => decodeLeaf(bytes.subarray(0, -1))).toThrow('ends early');
        expect(() => decodeLeaf(Uint8Array.of(...bytes, 0))).toThrow('goes on');
      }),
    );
    expect(() => decodeLeaf(new Uint8Array())).toThrow('no tag');
  });

  test('of a deletion says by zeros that nothing was removed, or that nobody asked', () => {
    const bytes = encodeLeaf({ kind: 'delete', commitment: null, request: of(2) });
    expect(text(toHex(bytes))).toBe(`legonet.delete.v1\n${'\0'.repeat(32)}${'\u0002'.repeat(32)}`);
    expect(() => encodeLeaf({ kind: 'delete', commitment: of(0), request: null })).toThrow('zeros');
  });

  test('of a version has its fields in the documented order', () => {
    const bytes = encodeLeaf({
      kind: 'version',
      version: 0x0102,
      model: of(0xaa),
      config: of(0xbb),
      adapters: of(0xcc),
      retainedRoot: of(0xdd),
      retained: 5n,
      deletions: 3,
      intent: of(0xee),
      parent: null,
      statement: of(0xff),
    });
    const fields = ['aa', 'bb', 'cc', 'dd'].map((byte) => byte.repeat(32)).join('');
    expect(toHex(bytes)).toBe(
      `${Buffer.from('legonet.version.v1\n').toString('hex')}00000102${fields}000000000000000500000003` +
        `${'ee'.repeat(32)}${'00'.repeat(32)}${'ff'.repeat(32)}`,
    );
  });

  test('is refused if a field has not its length', () => {
    const short = { kind: 'ingest', commitment: of(1, 31), membership: of(1) } as const;
    expect(() => encodeLeaf(short)).toThrow('31 bytes, not 32');
  });
});

test('an entry of an adapter is 40 bytes before training and 76 after it', () => {
  const adapter = { weights: of(1), setRoot: of(2), members: 258n, builtIn: 3 };
  expect(toHex(setEntry(adapter))).toBe(`${'02'.repeat(32)}0000000000000102`);
  expect(toHex(adapterEntry(adapter))).toBe(
    `${'01'.repeat(32)}${'02'.repeat(32)}000000000000010200000003`,
  );
});

test('a rotation names the log that it is for', () => {
  const message = text(toHex(rotationMessage('o.example', 'key')));
  expect(message).toBe('legonet.key-rotation.v1\n\0\0\0\to.example\0\0\0\u0003key');
});
