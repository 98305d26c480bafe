import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'));

/** What stands between a call's opening bracket and the `{ event` that it must begin with. */
const CALL = /\blogger\.(?:trace|debug|info|warn|error|fatal)\(\s*(\{\s*event\b)?/g;
const NAME = /\bevent(?:: | = )'([a-z_]+)'/g;

test('every line of the log has an event', () => {
  const calls = sources.flatMap((text) => [...text.matchAll(CALL)]);
  expect(calls.length).toBeGreaterThan(4);
  expect(calls.filter(([, event]) => event === undefined)).toEqual([]);
});

test('the reference has every event of the log, and none that there is not', () => {
  const named = sources
    .filter((text) => text.includes('logger.'))
    .flatMap((text) => [...text.matchAll(NAME)].map(([, name]) => name));
  const page = readFileSync(join(root, 'docs/reference/log-events.md'), 'utf8');
  const [, ...listed] = [...page.matchAll(/^\| `([a-z_]+)` +\|/gm)].map(([, name]) => name);
  expect([...new Set(named)].sort()).toEqual(listed.sort());
});
