// The tables of docs/paper.md on accuracy.
import { kindsOf, legonetOf, settingOf, softmaxLegonetOf } from './figures.mjs';
import { accuracies, ms, nameOf, percent, signed, table } from './format.mjs';

/** What the paper says, and what we see with either kind of adapter. */
export function statements(results) {
  const kinds = kindsOf(results, 'Random100').map(({ legonet, heads }) => ({
    at: (adapters, activated) => settingOf(legonet, { adapters, activated }).test.toFixed(1),
    shard: (s) => heads.find((r) => r.shards === s).test.toFixed(1),
  }));
  const row = (statement, seen) => [statement, ...kinds.map(seen)];
  return table(
    ['statement', 'least squares', 'softmax'],
    [
      row(
        'A: adapters make up for what a fixed encoder loses',
        ({ at, shard }) =>
          `one head on all data ${shard(1)}, n = 1,000 with k = 10 ${at(1000, 10)}`,
      ),
      row(
        'P: accuracy holds as n grows',
        ({ at }) => `k = 10: n = 100 ${at(100, 10)}, n = 1,000 ${at(1000, 10)}`,
      ),
      row(
        'P: it grows with k',
        ({ at }) => `n = 1,000: k = 1 ${at(1000, 1)}, k = 5 ${at(1000, 5)}, k = 20 ${at(1000, 20)}`,
      ),
      row(
        'P: with k = 1 it is about that of FixSISA',
        ({ at, shard }) => `n = 100 ${at(100, 1)}, s = 100 ${shard(100)}`,
      ),
    ],
  );
}

export const random100 = (results) =>
  table(
    ['n', 'k', 'members', 'retained', 'deleted', 'test', 'ms, kept sums', 'ms, from members'],
    legonetOf(results, 'Random100').map((r) => [
      r.adapters,
      r.activated,
      r.members.join(' / '),
      ...accuracies(r),
      ms(r.seconds),
      ms(r.rebuilt),
    ]),
  );

export const unclass = (results) =>
  table(
    ['model', 'retained', 'deleted', 'test'],
    kindsOf(results, 'UnClass').flatMap(({ name, legonet, heads }) =>
      [...legonet, ...heads].map((r) => [`${nameOf(r)}, ${name}`, ...accuracies(r)]),
    ),
  );

export const shards = (results) =>
  table(
    ['model', 'retained', 'deleted', 'test', 'ms'],
    kindsOf(results, 'Random100').flatMap(({ name, legonet, heads }) =>
      [...heads, settingOf(legonet)].map((r) => [
        `${nameOf(r)}, ${name}`,
        ...accuracies(r),
        ms(r.seconds),
      ]),
    ),
  );

/** Softmax adapters, and least-squares ones beside them. */
export function softmax(results) {
  const others = legonetOf(results, 'Random100');
  return table(
    ['n', 'k', 'retained', 'deleted', 'test', 'ms', 'test, least squares', 'ms, least squares'],
    softmaxLegonetOf(results, 'Random100').map((r) => {
      const other = settingOf(others, r);
      const beside = [percent(other.test), ms(other.seconds)];
      return [r.adapters, r.activated, ...accuracies(r), ms(r.seconds), ...beside];
    }),
  );
}

export function inference({ inference: [{ before, after, digestEqual }] }) {
  const of = ({ accuracy, advantage, low, high }) => [
    percent(accuracy),
    advantage === undefined ? '' : `${signed(advantage)} (${signed(low)} to ${signed(high)})`,
  ];
  const rows = { retained: 'retained', deleted: 'deleted', unseen: 'never in the set' };
  const attacks = table(
    ['samples', 'accuracy before', 'advantage before', 'accuracy after', 'advantage after'],
    Object.entries(rows).map(([name, text]) => [text, ...of(before[name]), ...of(after[name])]),
  );
  const verb = digestEqual ? 'equal' : 'DIFFER';
  return `${attacks}\n\nDigests after the deletion and of a build from the retained samples alone: ${verb}.`;
}
