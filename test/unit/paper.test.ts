import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it("the tables and plots of docs/paper.md are those of the bench's results", () => {
  const root = join(import.meta.dirname, '../..');
  const arguments_ = [join(root, 'bench/paper/main.mjs'), '--check'];
  const { status, stderr } = spawnSync(process.execPath, arguments_, { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
