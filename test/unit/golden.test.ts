import { expect, test } from 'vitest';
import { isDual } from '#src/model/adapter.js';
import { buildModel } from '#src/model/build.js';
import { kernels } from '../support/kernels.js';
import { syntheticRows, tinyModel } from '../support/models.js';

/**
 * Pinned: a change here changes every model that was ever published, and every certificate about it.
 * Seen again in Python: keys by `openssl enc`, exact fractions in place of Cholesky.
 */
test.each(kernels)('the $name kernel builds this model from these samples for ever', (kernel) => {
  const model = tinyModel();
  const built = buildModel(kernel, model, syntheticRows('golden', 12, 4, 3));
  const members = built.adapters.map((adapter) => adapter.members);
  expect(members).toEqual([4, 6, 6, 3, 5]);
  expect(new Set(members.map((count) => isDual(count, model.shape)))).toEqual(
    new Set([true, false]),
  );
  expect(model.digest).toBe('9892a627d496b15a436626404b6300f9509b73f59253f55dbfb62519eb6c7136');
  expect(built.adapters.map(({ digest }) => digest.slice(0, 16))).toEqual([
    'ca20d7a5ac92ceec',
    '2b03824f15162b15',
    '02bd2229bbb677bd',
    '5439c4999211883d',
    '95d80cfa071a134d',
  ]);
  expect(built.modelDigest).toBe(
    'dde9eefc3bb1fa691ec4f393216a23f47e11fc71e69ff97935bfddf6dbcef501',
  );
});
