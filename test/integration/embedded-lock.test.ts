import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from '#src/store/embedded/lock.js';
import { thisProcess } from '#src/store/embedded/processes.js';
import { temporaryDirectory } from '../support/embedded.js';

const CHILD = fileURLToPath(new URL('../support/lock-child.mjs', import.meta.url));

let directory: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
});

afterEach(() => rm(directory, { recursive: true, force: true }));

test('one process at a time holds the lock, though each holder in the end is killed', async () => {
  await writeFile(join(directory, 'number'), '0');
  const children = Array.from({ length: 4 }, () => fork(CHILD, [directory, '40']));
  const ends = await Promise.all(children.map((child) => once(child, 'exit')));
  expect(ends.map(([, signal]) => signal)).toEqual(Array(4).fill('SIGKILL'));
  expect(await readFile(join(directory, 'number'), 'utf8')).toBe('160');
  await withLock(directory, async () => {});
  expect((await readdir(directory)).filter((name) => /^lock\.\d/.test(name)).length).toBe(2);
});

test('a holder whose pid was given to another process holds nothing', async () => {
  const earlier = { ...(await thisProcess()), started: 'before' };
  await writeFile(join(directory, 'lock.7'), JSON.stringify(earlier));
  expect(await withLock(directory, async () => 'done')).toBe('done');
});

test('a lock file cut short by a power failure holds nothing', async () => {
  await writeFile(join(directory, 'lock.7'), '{"pid":');
  expect(await withLock(directory, async () => 'done')).toBe('done');
});

test('waiting for the lock ends when the signal aborts, and names the holder', async () => {
  const holders: number[] = [];
  await withLock(directory, async () => {
    const control = new AbortController();
    const onWait = (pid: number) => {
      holders.push(pid);
      control.abort(new Error('enough'));
    };
    const waiting = withLock(directory, async () => {}, { signal: control.signal, onWait });
    await expect(waiting).rejects.toThrow(/enough|aborted/);
  });
  expect(holders).toEqual([process.pid]);
});
