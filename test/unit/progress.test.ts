import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createProgress } from '#src/cli/progress.js';

function run(options: { unit: string; quiet?: boolean; tty?: boolean }, total = 100): string {
  const stream = Object.assign(new PassThrough(), { isTTY: options.tty ?? false });
  // What the bar asks of a terminal, which a plain stream lacks.
  Object.assign(stream, { cursorTo: () => {}, clearLine: () => {}, moveCursor: () => {} });
  const { unit, quiet = false } = options;
  const progress = createProgress('reading', total, { unit, quiet, stream });
  for (let value = 0; value <= total; value++) progress.update(value);
  progress.stop();
  return String(stream.read() ?? '');
}

test('without a terminal there is a plain line for each quarter, up to the whole', () => {
  const lines = run({ unit: 'rows' }).trimEnd().split('\n');
  expect(lines).toHaveLength(4);
  expect(lines.at(-1)).toBe('reading: 100 of 100 rows (100%)');
});

test('bytes are shown in the unit that suits the whole', () => {
  expect(run({ unit: 'bytes' }, 100)).toContain('0.1 of 0.1 kB');
  expect(run({ unit: 'bytes' }, 2_000_000)).toContain('2.0 of 2.0 MB');
});

test('quiet shows nothing, and neither does a total of nothing', () => {
  expect(run({ unit: 'rows', quiet: true })).toBe('');
  expect(run({ unit: 'rows', quiet: true, tty: true })).toBe('');
  expect(run({ unit: 'rows' }, 0)).toBe('');
});

test('a terminal gets a bar that ends at the last value', () => {
  expect(run({ unit: 'rows', tty: true })).toContain('100% | 100 of 100 rows');
});
