import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/*
 * Vectors that others wrote are not part of the project: `VECTORS_DIR` says where they are.
 */

const path = resolve(
  process.env.VECTORS_DIR ?? join(import.meta.dirname, '../../../shared/vectors'),
);

/** The directory of others' test vectors, or null if there is none. */
export const vectors: string | null = existsSync(join(path, 'README.md')) ? path : null;

/**
 * A suite over others' vectors. Without them it is skipped and its name says so; with CI set it fails, so that
 * nobody takes a skipped suite for a passed one.
 */
export function vectorsOrSkip(name: string, suite: (vectors: string) => void): void {
  if (vectors !== null) {
    const directory = vectors;
    describe(name, () => suite(directory));
  } else if (process.env.CI) {
    test(`${name}: needs the vectors that are not at ${path}`, () =>
      expect(vectors).not.toBeNull());
  } else {
    test.skip(`${name}: SKIPPED, no vectors at ${path} (VECTORS_DIR)`, () => undefined);
  }
}
