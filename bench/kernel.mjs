// Rates of both kernels on one core: node bench/kernel.mjs [repetitions of the wasm kernel]
import { plainKernel } from '#src/kernel/plain.js';
import { loadWasmKernel } from '#src/kernel/wasm.js';

const ROWS = 1024;
const CLASSES = 10;
const DUAL = 370;
const repetitions = Number(process.argv[2] ?? 9);

/** Pseudo-random int8, the same in every run. */
function encodings(length) {
  let state = 1;
  return Int8Array.from({ length }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return state >> 24;
  });
}

function ridged(sums, n) {
  const a = Float64Array.from(sums);
  for (let i = 0, at = 0; i < n; at += n - i, i++) a[at] += 1e4;
  return a;
}

/** Median milliseconds of `count` calls, after `first` that let the compiler settle. */
function median(first, count, work) {
  for (let i = 0; i < first; i++) work();
  const times = Array.from({ length: count }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[count >> 1];
}

/** Rows of the table: the operations are those of the task, symmetric halves counted once. */
function tasks(n) {
  const x = encodings(ROWS * n);
  const gram = plainKernel.gram(x.subarray(0, 16 * n), 16, n);
  const a = ridged(gram, n);
  const rhs = Float64Array.from({ length: n * CLASSES }, (_, i) => i % 7);
  const none = new Float64Array(0);
  return [
    [`gram ${ROWS} x ${n}`, ROWS * n * (n + 1), (k) => k.gram(x, ROWS, n)],
    [`Cholesky ${n}`, n ** 3 / 3, (k) => k.solve(a, n, none, 0)],
    [
      `solve ${n}, ${CLASSES} right-hand sides`,
      n ** 3 / 3 + 2 * n * n * CLASSES,
      (k) => k.solve(a, n, rhs, CLASSES),
    ],
  ];
}

function dualTasks(n) {
  const x = encodings(DUAL * n);
  const c = Float64Array.from({ length: DUAL * CLASSES }, (_, i) => (i % 7) / 3);
  const keys = encodings(100 * n);
  return [
    [`outer ${DUAL} x ${n}`, DUAL * (DUAL + 1) * n, (k) => k.outer(x, DUAL, n)],
    [
      `combine ${DUAL} x ${n} x ${CLASSES}`,
      2 * DUAL * n * CLASSES,
      (k) => k.combine(x, DUAL, n, c, CLASSES),
    ],
    [`products ${DUAL} x 100 x ${n}`, 2 * DUAL * 100 * n, (k) => k.products(x, DUAL, keys, 100, n)],
  ];
}

const wasm = await loadWasmKernel();
const all = [...[256, 512, 768, 769].flatMap(tasks), ...dualTasks(769)];
const cell = (value, digits) => value.toFixed(digits).padStart(10);
console.log(`${'task'.padEnd(32)}   wasm ms   GFLOP/s  plain ms   GFLOP/s     times`);
for (const [name, operations, work] of all) {
  const fast = median(3, repetitions, () => work(wasm));
  const slow = median(1, 3, () => work(plainKernel));
  const rate = (ms) => cell(operations / ms / 1e6, 1);
  console.log(
    name.padEnd(30) +
      cell(fast, 2) +
      rate(fast) +
      cell(slow, 2) +
      rate(slow) +
      cell(slow / fast, 1),
  );
}
console.log(
  '\nA symmetric product is counted once: double its GFLOP/s to count 2 · rows · columns².',
);
