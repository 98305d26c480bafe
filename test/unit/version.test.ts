import { expect, it } from 'vitest';
import { compareVersions, type Version } from '#src/events/version.js';

const base: Version = { time: 1n, eventId: 'b', source: 'b', digest: 'bb' };

it('versions are ordered by time, then event id, source and digest', () => {
  const ordered: Version[] = [
    { ...base, time: 0n, eventId: 'z', source: 'z', digest: 'ff' },
    { ...base, eventId: 'a', source: 'z', digest: 'ff' },
    { ...base, source: 'a', digest: 'ff' },
    { ...base, digest: 'aa' },
    base,
    { ...base, time: 2n },
  ];
  for (const [i, a] of ordered.entries()) {
    for (const [j, b] of ordered.entries()) {
      expect(Math.sign(compareVersions(a, b))).toBe(Math.sign(i - j));
    }
  }
});

it('ids are ordered by their UTF-8 bytes, as Postgres orders them, not by UTF-16 units', () => {
  const low = { ...base, eventId: '\uFF5E' };
  const high = { ...base, eventId: '\u{1F600}' };
  expect(low.eventId < high.eventId).toBe(false);
  expect(compareVersions(low, high)).toBeLessThan(0);
});
