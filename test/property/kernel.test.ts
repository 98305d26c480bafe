import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainKernel as plain } from '#src/kernel/plain.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';

const wasm = await loadWasmKernel();
const blocks = await Promise.all([4, 8, 12, 32, 128].map((block) => loadWasmKernel({ block })));

type Numbers = Int8Array | Int32Array | Float64Array;

/** The bytes themselves: -0 and 0 differ. */
const bytes = (x: Numbers): Buffer => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
const bits = (x: Numbers): string => bytes(x).toString('base64');

function expectSameBits(actual: Numbers, expected: Numbers): void {
  expect(actual.constructor).toBe(expected.constructor);
  expect(actual.length).toBe(expected.length);
  // One boolean: a difference in a long array must not be printed element by element.
  expect(bytes(actual).equals(bytes(expected))).toBe(true);
}

/** A generator of whole numbers below 2³², so that large inputs need not be shrunk by element. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

const KINDS = ['any', 'lowest', 'highest', 'extremes', 'sparse'] as const;

function int8(length: number, kind: (typeof KINDS)[number], seed: number): Int8Array {
  const next = generator(seed);
  return Int8Array.from({ length }, () => {
    if (kind === 'lowest') return -128;
    if (kind === 'highest') return 127;
    if (kind === 'extremes') return next() % 2 ? -128 : 127;
    if (kind === 'sparse') return next() % 8 ? 0 : next() % 256;
    return next() % 256;
  });
}

/** Values over many orders of magnitude, zeros of both signs among them. */
function doubles(length: number, seed: number): Float64Array {
  const next = generator(seed);
  return Float64Array.from({ length }, () => {
    const sign = next() % 2 ? 1 : -1;
    return next() % 16 ? (sign * next()) / 2 ** (next() % 64) : sign * 0;
  });
}

/** XᵀX plus `ridge` on the diagonal, packed upper [n]. */
function ridged(x: Int8Array, rows: number, n: number, ridge: number): Float64Array {
  const a = Float64Array.from(plain.gram(x, rows, n));
  let at = 0;
  for (let i = 0; i < n; at += n - i, i++) a[at] = (a[at] ?? 0) + ridge;
  return a;
}

/** The bits of a result, or the code and message of the error. */
function outcome(work: () => Numbers): string {
  try {
    return bits(work());
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
}

const size = fc.oneof(fc.nat(12), fc.nat(40), fc.constantFrom(0, 1, 63, 64, 65));
const kind = fc.constantFrom(...KINDS);
const seed = fc.nat();

describe('the WebAssembly kernel returns the bits of the plain one', () => {
  test('for integer products of any shape and content', () => {
    fc.assert(
      fc.property(size, size, size, kind, seed, (rows, columns, others, content, s) => {
        const x = int8(rows * columns, content, s);
        const y = int8(others * columns, content, s + 1);
        expectSameBits(wasm.gram(x, rows, columns), plain.gram(x, rows, columns));
        expectSameBits(wasm.outer(x, rows, columns), plain.outer(x, rows, columns));
        expectSameBits(
          wasm.products(x, rows, y, others, columns),
          plain.products(x, rows, y, others, columns),
        );
      }),
    );
  });

  test('for rows added to sums, and taken away again', () => {
    fc.assert(
      fc.property(fc.nat(5), size, kind, seed, (rows, columns, content, s) => {
        const x = int8(rows * columns, content, s);
        const before = Int32Array.from({ length: (columns * (columns + 1)) / 2 }, generator(s + 1));
        const [ours, theirs] = [before.slice(), before.slice()] as const;
        wasm.addGram(ours, x, rows, columns, 1);
        plain.addGram(theirs, x, rows, columns, 1);
        expectSameBits(ours, theirs);
        const gram = plain.gram(x, rows, columns);
        expectSameBits(
          ours,
          before.map((sum, i) => sum + (gram[i] ?? 0)),
        );
        wasm.addGram(ours, x, rows, columns, -1);
        expectSameBits(ours, before);
      }),
    );
  });

  test('for combinations of any shape and content', () => {
    fc.assert(
      fc.property(size, size, fc.nat(13), kind, seed, (rows, columns, width, content, s) => {
        const x = int8(rows * columns, content, s);
        const c = doubles(rows * width, s + 1);
        expectSameBits(
          wasm.combine(x, rows, columns, c, width),
          plain.combine(x, rows, columns, c, width),
        );
      }),
    );
  });

  test('for systems of any size, in blocks of any size, down to a hopeless condition', () => {
    const ridge = fc.constantFrom(0, 1e-12, 1e-6, 1, 1e4);
    const rank = fc.nat(80);
    fc.assert(
      fc.property(size, fc.nat(13), rank, ridge, kind, seed, (n, width, rows, mu, content, s) => {
        const x = int8(rows * n, content, s);
        const sums = plain.gram(x, rows, n);
        const a = ridged(x, rows, n, mu);
        const b = doubles(n * width, s + 1);
        const expected = outcome(() => plain.solve(a, n, b, width));
        for (const kernel of [plain, wasm, ...blocks]) {
          expect(outcome(() => kernel.solve(a, n, b, width)) === expected).toBe(true);
          expect(outcome(() => kernel.solve(sums, n, b, width, mu)) === expected).toBe(true);
        }
      }),
    );
  });

  test('for symmetric matrices that need not be positive definite', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), fc.double(), seed, (n, shift, s) => {
        const a = doubles((n * (n + 1)) / 2, s);
        let at = 0;
        // Mostly dominant, so that a pivot fails early, late or not at all.
        for (let i = 0; i < n; at += n - i, i++) a[at] = i === s % (2 * n) ? shift : 1e13;
        const b = doubles(n, s + 1);
        const expected = outcome(() => plain.solve(a, n, b, 1));
        for (const kernel of [wasm, ...blocks]) {
          expect(outcome(() => kernel.solve(a, n, b, 1)) === expected).toBe(true);
        }
      }),
    );
  });

  test('when every dimension is more than one panel', () => {
    const a = int8(521 * 1030, 'any', 1);
    const long = a.subarray(0, 90 * 1030);
    expectSameBits(wasm.gram(long, 1030, 90), plain.gram(long, 1030, 90));
    expectSameBits(wasm.outer(long, 90, 1030), plain.outer(long, 90, 1030));
    expectSameBits(
      wasm.products(long, 90, long, 90, 1030),
      plain.products(long, 90, long, 90, 1030),
    );
    const few = a.subarray(0, 521 * 9);
    const many = a.subarray(0, 1030 * 9);
    expectSameBits(wasm.products(few, 521, many, 1030, 9), plain.products(few, 521, many, 1030, 9));
    const c = doubles(521 * 11, 2);
    const x = a.subarray(0, 521 * 270);
    expectSameBits(wasm.combine(x, 521, 270, c, 11), plain.combine(x, 521, 270, c, 11));
    const system = ridged(x, 521, 270, 1);
    const b = doubles(270 * 11, 3);
    expectSameBits(wasm.solve(system, 270, b, 11), plain.solve(system, 270, b, 11));
  });

  test.each(KINDS)('for as many terms as fit an int32 sum (%s)', (content) => {
    const terms = 131_071;
    const x = int8(terms * 3, content, 7);
    expectSameBits(wasm.gram(x, terms, 3), plain.gram(x, terms, 3));
    expectSameBits(wasm.outer(x, 3, terms), plain.outer(x, 3, terms));
    const y = x.subarray(0, terms);
    expectSameBits(wasm.products(x, 3, y, 1, terms), plain.products(x, 3, y, 1, terms));
    if (content === 'lowest') expect(wasm.gram(x, terms, 3)[0]).toBe(terms * 128 ** 2);
  });
});

describe.each([plain, wasm])('the $name kernel', (kernel) => {
  test('changes none of its arguments', () => {
    fc.assert(
      fc.property(size, size, seed, (rows, columns, s) => {
        const x = int8(rows * columns, 'any', s);
        const a = ridged(x, rows, columns, 1);
        const b = doubles(columns * 3, s);
        const c = doubles(rows * 3, s);
        const before = [x, a, b, c].map(bits);
        kernel.gram(x, rows, columns);
        kernel.outer(x, rows, columns);
        kernel.products(x, rows, x, rows, columns);
        kernel.solve(a, columns, b, 3, 1);
        kernel.combine(x, rows, columns, c, 3);
        expect([x, a, b, c].map(bits)).toEqual(before);
      }),
      { numRuns: 30 },
    );
  });

  test('returns for all rows the sum of what it returns for any two parts of them', () => {
    fc.assert(
      fc.property(size, size, size, kind, seed, (first, second, columns, content, s) => {
        const x = int8((first + second) * columns, content, s);
        const head = kernel.gram(x.subarray(0, first * columns), first, columns);
        const tail = kernel.gram(x.subarray(first * columns), second, columns);
        const sum = head.map((value, i) => value + (tail[i] ?? 0));
        expectSameBits(kernel.gram(x, first + second, columns), sum);
      }),
    );
  });

  test('returns for each right-hand side what it returns for all together', () => {
    const n = 37;
    const a = ridged(int8(50 * n, 'any', 5), 50, n, 1);
    const b = doubles(n * 6, 6);
    const all = kernel.solve(a, n, b, 6);
    const column = (x: Float64Array, c: number) => x.filter((_, i) => i % 6 === c);
    for (let c = 0; c < 6; c++) {
      expectSameBits(kernel.solve(a, n, column(b, c), 1), column(all, c));
    }
  });
});

describe('the working memory of the WebAssembly kernel', () => {
  test('leaks nothing from one call into the next, whatever that call was', () => {
    const a = ridged(int8(70 * 70, 'any', 8), 70, 70, 1);
    const b = doubles(70 * 3, 9);
    const expected = plain.solve(a, 70, b, 3);
    const x = int8(70 * 70, 'any', 10);
    wasm.combine(x, 70, 70, new Float64Array(70 * 70).fill(Number.NaN), 70);
    expectSameBits(wasm.solve(a, 70, b, 3), expected);
    expectSameBits(wasm.combine(x, 70, 70, b, 3), plain.combine(x, 70, 70, b, 3));
    expect(
      outcome(() =>
        wasm.solve(
          a.map(() => Number.NaN),
          70,
          b,
          3,
        ),
      ),
    ).toMatch(/^not_positive/);
    expectSameBits(wasm.solve(a, 70, b, 3), expected);
    expectSameBits(wasm.gram(x, 70, 70), plain.gram(x, 70, 70));
  });

  test('has a limit, beyond which a call is refused and the next one works', () => {
    const x = int8(24_000, 'any', 12);
    expect(outcome(() => wasm.gram(x, 1, 24_000))).toMatch(/^kernel_limit: .* fewer dimensions/);
    expectSameBits(wasm.gram(x, 24_000, 1), plain.gram(x, 24_000, 1));
  });
});

test('two threads at work at once return the bits of one', async () => {
  const rows = 90;
  const tasks = Array.from({ length: 40 }, (_, i) => {
    const n = 61 + i;
    const x = int8(rows * n, 'any', i);
    return { rows, n, a: ridged(x, rows, n, 1), x, rhs: doubles(n * 5, i) };
  });
  const ready = new Int32Array(new SharedArrayBuffer(4));
  const answers = (some: typeof tasks): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const url = import.meta.resolve('#src/kernel/wasm.js');
      const workerData = { url, ready, tasks: some };
      new Worker(THREAD, { eval: true, workerData }).once('message', resolve).once('error', reject);
    });
  const expected = (some: typeof tasks): string[][] =>
    some.map(({ n, a, x, rhs }) => [bits(plain.gram(x, rows, n)), bits(plain.solve(a, n, rhs, 5))]);
  const halves = [tasks.slice(0, 20), tasks.slice(20)];
  expect(await Promise.all(halves.map(answers))).toEqual(halves.map(expected));
});

/** The first of the two threads to be ready waits for the other. */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const { url, ready, tasks } = workerData;
const bits = (x) => Buffer.from(x.buffer).toString('base64');
import(url).then(async ({ loadWasmKernel }) => {
  const kernel = await loadWasmKernel();
  if (Atomics.add(ready, 0, 1) === 0) Atomics.wait(ready, 0, 1, 10_000);
  else Atomics.notify(ready, 0);
  parentPort.postMessage(tasks.map(({ rows, n, a, x, rhs }) => [
    bits(kernel.gram(x, rows, n)),
    bits(kernel.solve(a, n, rhs, 5)),
  ]));
});
`;
