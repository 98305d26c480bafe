import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { activate, keyOf, keysOf, prepareKeys } from '#src/model/activation.js';
import { anchorKeys, anchorPlaces, withKeysFrom } from '#src/model/anchors.js';
import { buildModel, membersByAdapter } from '#src/model/build.js';
import { place } from '#src/model/placing.js';
import type { Rows } from '#src/model/statistics.js';
import { kernels } from '../support/kernels.js';
import { pick, tinyModel } from '../support/models.js';

const model = tinyModel({ keys: { kind: 'anchors', seed: 'tiny' }, adapters: 6, activated: 2 });
const { dimension, classes } = model.shape;
const { adapters, activated } = model.configuration;
const placeOf = anchorPlaces(model.configuration) ?? (() => expect.fail('no anchors'));

type Samples = Rows & { readonly ids: readonly string[] };

const int8 = fc.integer({ min: -128, max: 127 });
const vector: fc.Arbitrary<number[]> = fc.oneof(
  fc.constantFrom<number[]>([0, 0, 0, 0], [100, -100, 50, 0]),
  fc.array(int8, { minLength: dimension, maxLength: dimension }),
);

/** From none at all, so that adapters are left without key, to several for each. */
const samples = fc.uniqueArray(fc.nat(999), { maxLength: 30 }).chain((ids) =>
  fc
    .array(fc.record({ x: vector, label: fc.nat(classes - 1) }), {
      minLength: ids.length,
      maxLength: ids.length,
    })
    .map(
      (rows): Samples => ({
        encodings: Int8Array.from(rows.flatMap(({ x }) => x)),
        labels: rows.map(({ label }) => label),
        ids: ids.map((id) => `sample ${id} ü`),
      }),
    ),
);

const some = samples.filter(({ ids }) => ids.length > 0);
const chosen = fc.tuple(some, fc.nat()).map(([all, n]) => [all, n % all.ids.length] as const);

const rowOf = ({ encodings }: Rows, i: number): number[] => [
  ...encodings.subarray(i * dimension, (i + 1) * dimension),
];

const without = (all: Samples, gone: number): Samples => {
  const order = all.ids.map((_, i) => i).filter((i) => i !== gone);
  return { ...pick(all, order, dimension), ids: order.map((i) => all.ids[i] ?? '') };
};

/** The samples that fall to an adapter, in the order in which they are its anchor: by the definition. */
function queueOf({ ids }: Samples, adapter: number): number[] {
  const falling = ids.flatMap((id, row) => {
    const { adapter: own, priority } = placeOf(id);
    return own === adapter ? [{ row, order: Buffer.concat([priority, Buffer.from(id)]) }] : [];
  });
  return falling.sort((a, b) => Buffer.compare(a.order, b.order)).map(({ row }) => row);
}

const keysFrom = (all: Samples) => anchorKeys(model.configuration, dimension, all);

const keyList = (all: Samples) => {
  const keys = keysFrom(all);
  return Array.from({ length: adapters }, (_, j) => {
    const key = keyOf(keys, j);
    return key && [...key];
  });
};

test('the anchor of an adapter is the first of the samples that fall to it; without any it has no key', () => {
  fc.assert(
    fc.property(samples, (all) => {
      const first = Array.from({ length: adapters }, (_, j) => queueOf(all, j)[0]);
      expect(keyList(all)).toEqual(
        first.map((row) => (row === undefined ? null : rowOf(all, row))),
      );
    }),
  );
});

test('a sample that goes changes no key unless it is an anchor; then the next takes its place', () => {
  fc.assert(
    fc.property(chosen, ([all, gone]) => {
      const { adapter } = placeOf(all.ids[gone] ?? '');
      const [first, next] = queueOf(all, adapter);
      const expected = keyList(all);
      if (first === gone) expected[adapter] = next === undefined ? null : rowOf(all, next);
      expect(keyList(without(all, gone))).toEqual(expected);
    }),
  );
});

/** Worked out with Python's hmac. */
const PINNED = [5, 1, 3, 5, 1, 0, 4, 5];
const PRIORITY = '18f2ec2a2f81378f85d2506f387b997a30bff6171e0d50fd';

test('ids fall to the adapters as HMAC-SHA-256 under the seed says, and another seed says otherwise', () => {
  expect(Array.from({ length: 8 }, (_, i) => placeOf(`s${i}`).adapter)).toEqual(PINNED);
  expect(Buffer.from(placeOf('s0').priority).toString('hex')).toBe(PRIORITY);
  const other = anchorPlaces({ keys: { kind: 'anchors', seed: 'other' }, adapters });
  expect(other?.('s0').priority).not.toEqual(placeOf('s0').priority);
});

describe.each(kernels)('with anchors, on the $name kernel,', (kernel) => {
  test('the model is a function of the set: the order of the samples does not matter', () => {
    const shuffled = samples.chain((all) =>
      fc.tuple(
        fc.constant(all),
        fc.shuffledSubarray([...all.ids.keys()], { minLength: all.ids.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([all, order]) => {
        const ids = order.map((i) => all.ids[i] ?? '');
        const again = { ...pick(all, order, dimension), ids };
        expect(buildModel(kernel, model, again)).toEqual(buildModel(kernel, model, all));
      }),
    );
  });

  test('every sample has its adapters, those without key last and the lowest id first', () => {
    fc.assert(
      fc.property(samples, (all) => {
        const keys = keyList(all);
        const active = activate(kernel, keysFrom(all), all.encodings, all.ids.length, activated);
        all.ids.forEach((_, i) => {
          const distance = (j: number) =>
            keys[j]?.reduce((sum, k, d) => sum + (k - (rowOf(all, i)[d] ?? 0)) ** 2, 0) ??
            Number.POSITIVE_INFINITY;
          const order = [...keys.keys()].sort((a, b) =>
            distance(a) === distance(b) ? a - b : distance(a) - distance(b),
          );
          const own = [...active.subarray(i * activated, (i + 1) * activated)];
          expect(own).toEqual(order.slice(0, activated));
        });
      }),
    );
  });

  test('an adapter has its key behind its weights, and a change of its bytes if either changes', () => {
    fc.assert(
      fc.property(samples, (all) => {
        const keys = keyList(all);
        const plain = 4 * (dimension + 1) * classes;
        buildModel(kernel, model, all).adapters.forEach(({ bytes }, adapter) => {
          const key = keys[adapter];
          expect([...Int8Array.from(bytes.subarray(plain))]).toEqual(key ?? []);
          expect(bytes.length).toBe(plain + (key?.length ?? 0));
        });
      }),
    );
  });

  test('a deletion changes those adapters alone that have lost a member, gained one, or their key', () => {
    fc.assert(
      fc.property(chosen, ([all, gone]) => {
        const left = without(all, gone);
        const contents = (set: Samples) =>
          membersByAdapter(kernel, withKeysFrom(model, set), set).map((rows, j) => {
            const members = rows.map((row) => `${rowOf(set, row)} ${set.labels[row]}`);
            return JSON.stringify([members.sort(), keyList(set)[j]]);
          });
        const [before, after] = [contents(all), contents(left)];
        const digests = (set: Samples) => buildModel(kernel, model, set).adapters;
        const [was, is] = [digests(all), digests(left)];
        before.forEach((content, j) => {
          if (content === after[j]) expect(is[j]).toEqual(was[j]);
        });
      }),
    );
  });

  test('placing by new keys is activating all samples by them', () => {
    const moves = fc
      .record({ count: fc.nat(20), adapters: fc.integer({ min: 2, max: 12 }) })
      .chain(({ count, adapters }) => {
        const key = fc.option(vector, { freq: 4 });
        const keys = fc.array(key, { minLength: adapters, maxLength: adapters });
        return fc.record({
          rows: fc.array(vector, { minLength: count, maxLength: count }),
          fresh: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
          before: keys,
          after: keys,
          changed: fc.subarray([...new Array(adapters).keys()]),
          k: fc.integer({ min: 1, max: adapters }),
        });
      });
    fc.assert(
      fc.property(moves, ({ rows, fresh, before, after, changed, k }) => {
        const keysOfList = (list: readonly (number[] | null)[]) => {
          const values = Int8Array.from(list.flatMap((key) => key ?? [0, 0, 0, 0]));
          return prepareKeys(values, list.length, dimension, (j) => list[j] !== null);
        };
        const now = before.map((key, j) => (changed.includes(j) ? (after[j] ?? null) : key));
        const encodings = Int8Array.from(rows.flat());
        const count = rows.length;
        const current = activate(kernel, keysOfList(before), encodings, count, k);
        fresh.forEach((isNew, i) => {
          if (isNew) current.fill(-1, i * k, (i + 1) * k);
        });
        const keys = keysOfList(now);
        const placing = { encodings, count, current, keys, changed: Int32Array.from(changed) };
        expect(place(kernel, placing, k)).toEqual(activate(kernel, keys, encodings, count, k));
      }),
      { numRuns: 500 },
    );
  });
});

test('keys that follow from samples are not there without them', () => {
  expect(() => keysOf(model)).toThrow('follow from samples');
});
