import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatTime, isTime, parseTime } from '#src/events/time.js';

it.each([
  ['1970-01-01T00:00:00Z', 0n],
  ['1970-01-01T00:00:00.000001Z', 1n],
  ['1970-01-01T00:00:01.5Z', 1_500_000n],
  ['1970-01-01T00:00:00.1234569Z', 123_456n],
  ['1969-12-31T23:59:59.999999Z', -1n],
  ['1970-01-01t01:00:00+01:00', 0n],
  ['1969-12-31T23:30:00-00:30', 0n],
  ['2024-02-29T12:00:00z', 1_709_208_000_000_000n],
  ['2016-12-31T23:59:60Z', 1_483_228_800_000_000n],
  ['0000-01-01T00:00:00Z', -62_167_219_200_000_000n],
  ['9999-12-31T23:59:59.999999Z', 253_402_300_799_999_999n],
])('%s is read to the microsecond', (text, microseconds) => {
  expect(parseTime(text)).toBe(microseconds);
});

it.each([
  '',
  'now',
  '2024-01-01',
  '2024-01-01T00:00:00',
  '2024-01-01 00:00:00Z',
  '2024-01-01T24:00:00Z',
  '2024-01-01T00:60:00Z',
  '2024-01-01T00:00:61Z',
  '2024-01-01T00:00:00.Z',
  '2024-01-01T00:00:00+24:00',
  '2024-13-01T00:00:00Z',
  '2024-00-01T00:00:00Z',
  '2024-01-00T00:00:00Z',
  '2024-02-30T00:00:00Z',
  '2023-02-29T00:00:00Z',
  '0000-01-01T00:00:00+01:00',
  '9999-12-31T23:59:59-01:00',
  '٢٠٢٤-01-01T00:00:00Z',
])('%j is no time', (text) => {
  expect(parseTime(text)).toBeUndefined();
});

it('a time that is written is read again as the same', () => {
  const min = -62_167_219_200_000_000n;
  const max = 253_402_300_799_999_999n;
  fc.assert(
    fc.property(fc.bigInt({ min, max }), (microseconds) => {
      expect(isTime(microseconds)).toBe(true);
      expect(parseTime(formatTime(microseconds))).toBe(microseconds);
    }),
  );
});
