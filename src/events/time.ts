const MICROSECONDS = 1_000_000n;
const RFC_3339 =
  /^(\d{4}-\d\d-(\d\d))[Tt]((?:[01]\d|2[0-3]):[0-5]\d:)([0-5]\d|60)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/** 0000-01-01T00:00:00Z and the last microsecond of the year 9999. */
const EARLIEST = -62_167_219_200_000_000n;
const LATEST = 253_402_300_799_999_999n;

/** Whether `formatTime` can write it, and `parseTime` read it again. */
export function isTime(microseconds: bigint): boolean {
  return microseconds >= EARLIEST && microseconds <= LATEST;
}

/**
 * Microseconds since 1970 of an RFC 3339 timestamp; finer fractions are cut off. A leap second is the
 * second after it. Undefined if the text is no such timestamp.
 */
export function parseTime(text: string): bigint | undefined {
  const match = RFC_3339.exec(text);
  if (!match) return undefined;
  const [, date, day, minutes, second, fraction = '', sign, offsetHours, offsetMinutes] = match;
  const leaps = second === '60';
  const milliseconds = Date.parse(`${date}T${minutes}${leaps ? '59' : second}Z`);
  // V8 reads 30 February as 1 March, and a 13th month as no date at all.
  if (new Date(milliseconds).getUTCDate() !== Number(day)) return undefined;
  const offset = (Number(offsetHours ?? 0) * 60 + Number(offsetMinutes ?? 0)) * 60;
  const seconds = milliseconds / 1000 + (leaps ? 1 : 0) - (sign === '-' ? -offset : offset);
  const time = BigInt(seconds) * MICROSECONDS + BigInt(fraction.slice(0, 6).padEnd(6, '0'));
  return isTime(time) ? time : undefined;
}

/** The nearest time that `formatTime` can write. */
export function clampTime(microseconds: bigint): bigint {
  if (microseconds < EARLIEST) return EARLIEST;
  return microseconds > LATEST ? LATEST : microseconds;
}

/** RFC 3339 in UTC with microseconds, for a time that `isTime` holds for. */
export function formatTime(microseconds: bigint): string {
  const fraction = ((microseconds % MICROSECONDS) + MICROSECONDS) % MICROSECONDS;
  const seconds = (microseconds - fraction) / MICROSECONDS;
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(fraction).padStart(6, '0')}Z`;
}
