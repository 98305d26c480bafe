import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/*
 * Data sets and networks are not part of the project: LEGONET_TEST_DATA says where they are.
 */

const path = resolve(
  process.env.LEGONET_TEST_DATA ?? join(import.meta.dirname, '../../../shared/data'),
);

/**
 * A suite over folders of the data. Without them it is skipped and its name says so; with CI set it fails, so
 * that nobody takes a skipped suite for a passed one.
 */
export function dataOrSkip(
  name: string,
  folders: readonly string[],
  suite: (data: string) => void,
): void {
  const missing = folders.filter((folder) => !existsSync(join(path, folder)));
  if (missing.length === 0) {
    describe(name, () => suite(path));
  } else if (process.env.CI) {
    test(`${name}: needs data that are not at ${path}`, () => expect(missing).toEqual([]));
  } else {
    test.skip(`${name}: SKIPPED, no ${missing.join(', ')} at ${path} (LEGONET_TEST_DATA)`, () =>
      undefined);
  }
}
