import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_PRODUCT_TERMS } from '#src/model/kernel.js';
import {
  accumulate,
  decodeStatistics,
  emptyStatistics,
  encodeStatistics,
  type Rows,
  type Shape,
  type Statistics,
} from '#src/model/statistics.js';
import { kernels } from '../support/kernels.js';
import { pick, syntheticRows } from '../support/models.js';

const int8 = fc.oneof(fc.integer({ min: -128, max: 127 }), fc.constantFrom(-128, 127));

/** A shape and samples, and the batches in which they come and go. */
const histories = fc
  .record({
    dimension: fc.integer({ min: 1, max: 6 }),
    classes: fc.integer({ min: 2, max: 4 }),
    count: fc.integer({ min: 1, max: 30 }),
  })
  .chain(({ dimension, classes, count }) =>
    fc.record({
      shape: fc.constant({ dimension, classes }),
      rows: fc.record({
        encodings: fc
          .array(int8, { minLength: count * dimension, maxLength: count * dimension })
          .map((values) => Int8Array.from(values)),
        labels: fc.array(fc.nat(classes - 1), { minLength: count, maxLength: count }),
      }),
      batches: fc.array(fc.uniqueArray(fc.nat(count - 1), { maxLength: 12 }), { maxLength: 12 }),
    }),
  );

describe.each(kernels)('statistics on the $name kernel', (kernel) => {
  const sum = (shape: Shape, rows: Rows): Statistics =>
    accumulate(kernel, emptyStatistics(shape), shape, rows, 1);

  /** G and B by their definition, in integers of any size. */
  function byDefinition({ dimension, classes }: Shape, { encodings, labels }: Rows): bigint[] {
    const rows = Array.from(labels, (label, r) => ({
      x: [...encodings.subarray(r * dimension, (r + 1) * dimension), 127].map(BigInt),
      label,
    }));
    const total = (term: (row: (typeof rows)[number]) => bigint): bigint =>
      rows.reduce((all, row) => all + term(row), 0n);
    const out: bigint[] = [];
    for (let i = 0; i <= dimension; i++) {
      for (let j = i; j <= dimension; j++) {
        out.push(total(({ x }) => (x[i] ?? 0n) * (x[j] ?? 0n)));
      }
    }
    for (let i = 0; i <= dimension; i++) {
      for (let c = 0; c < classes; c++) {
        out.push(total(({ x, label }) => (label === c ? (x[i] ?? 0n) : 0n)));
      }
    }
    return out;
  }

  test('are the sums of their definition', () => {
    fc.assert(
      fc.property(histories, ({ shape, rows }) => {
        expect([...sum(shape, rows).sums].map(BigInt)).toEqual(byDefinition(shape, rows));
      }),
    );
  });

  test('after any adding and subtracting are the bits of a fresh sum over what is left', () => {
    fc.assert(
      fc.property(histories, ({ shape, rows, batches }) => {
        const present = new Set<number>();
        let statistics = emptyStatistics(shape);
        for (const batch of batches) {
          const leaving = batch.filter((row) => present.has(row));
          const coming = batch.filter((row) => !present.has(row));
          for (const row of leaving) present.delete(row);
          for (const row of coming) present.add(row);
          const taken = pick(rows, leaving, shape.dimension);
          statistics = accumulate(kernel, statistics, shape, taken, -1);
          const added = pick(rows, coming, shape.dimension);
          statistics = accumulate(kernel, statistics, shape, added, 1);
        }
        const fresh = sum(shape, pick(rows, [...present].sort(), shape.dimension));
        expect(statistics).toEqual(fresh);
        expect(encodeStatistics(statistics)).toEqual(encodeStatistics(fresh));
      }),
      { numRuns: 300 },
    );
  });

  test('survive storage, wherever the stored bytes lie', () => {
    fc.assert(
      fc.property(histories, fc.nat(16), ({ shape, rows }, offset) => {
        const statistics = sum(shape, rows);
        const stored = Buffer.concat([Buffer.alloc(offset, 1), encodeStatistics(statistics)]);
        const read = decodeStatistics(stored.subarray(offset), statistics.count, shape);
        expect(read).toEqual(statistics);
      }),
    );
  });

  test('refuse to give back more members than they have, and stop for it', () => {
    fc.assert(
      fc.property(histories, ({ shape, rows }) => {
        const fewer = pick(
          rows,
          Array.from(rows.labels.slice(1), (_, i) => i + 1),
          shape.dimension,
        );
        expect(() => accumulate(kernel, sum(shape, fewer), shape, rows, -1)).toThrow(
          expect.objectContaining({ code: 'statistics_negative', retry: 'stop' }),
        );
      }),
    );
  });

  test.each([
    ['one byte short', -1, 3],
    ['one byte long', 1, 3],
    ['int32 where the count demands float64', 0, MAX_PRODUCT_TERMS + 1],
  ])('stored bytes of the wrong length (%s) are refused', (_, change, count) => {
    const shape = { dimension: 2, classes: 2 };
    const bytes = new Uint8Array((6 + 6) * 4 + change);
    expect(() => decodeStatistics(bytes, count, shape)).toThrow(
      expect.objectContaining({ code: 'statistics_corrupt', retry: 'stop' }),
    );
  });

  describe('beyond what int32 can hold', () => {
    const shape = { dimension: 1, classes: 2 };
    /** Every product is 128²: the largest sum there can be at this count. */
    const extreme = (count: number): Rows => ({
      encodings: new Int8Array(count).fill(-128),
      labels: new Uint8Array(count),
    });

    test('the widest sum in int32 is exact, and one member more moves to float64 and back', () => {
      const most = sum(shape, extreme(MAX_PRODUCT_TERMS));
      expect(most.sums).toBeInstanceOf(Int32Array);
      expect(most.sums[0]).toBe(MAX_PRODUCT_TERMS * 128 ** 2);
      const before = most.sums.slice();

      const over = accumulate(kernel, most, shape, extreme(1), 1);
      expect(over.sums).toBeInstanceOf(Float64Array);
      expect(over.sums[0]).toBe(2 ** 31);
      expect(over).toEqual(sum(shape, extreme(MAX_PRODUCT_TERMS + 1)));
      const stored = encodeStatistics(over).slice();
      expect(decodeStatistics(stored, over.count, shape)).toEqual(over);

      const back = accumulate(kernel, over, shape, extreme(1), -1);
      expect(back.sums).toBeInstanceOf(Int32Array);
      expect(back.sums).toEqual(before);
    });

    test('any way across the switch and back gives the bits of a fresh sum', () => {
      const base = syntheticRows('wide', MAX_PRODUCT_TERMS - 5, 1, 2);
      const extra = syntheticRows('extra', 20, 1, 2);
      const order = fc.shuffledSubarray([...Array(20).keys()], { minLength: 6 });
      const wide = sum(shape, base);
      fc.assert(
        fc.property(order, order, (coming, leaving) => {
          const start = { count: wide.count, sums: wide.sums.slice() };
          const all = accumulate(kernel, start, shape, pick(extra, coming, 1), 1);
          expect(all.sums).toBeInstanceOf(Float64Array);
          const gone = leaving.filter((row) => coming.includes(row));
          const left = accumulate(kernel, all, shape, pick(extra, gone, 1), -1);
          const kept = coming.filter((row) => !gone.includes(row)).reverse();
          const again = { count: wide.count, sums: wide.sums.slice() };
          const fresh = accumulate(kernel, again, shape, pick(extra, kept, 1), 1);
          expect(encodeStatistics(left)).toEqual(encodeStatistics(fresh));
        }),
      );
    });
  });
});
