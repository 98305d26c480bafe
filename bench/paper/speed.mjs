// The tables of docs/paper.md on how long a deletion takes beside FixSISA, and what they say in words.
import {
  bestOf,
  convergenceOf,
  kindsOf,
  legonetOf,
  mainOf,
  opponentOf,
  softmaxMainOf,
} from './figures.mjs';
import { descentOf, ms, nameOf, percent, points, signed, span, table } from './format.mjs';
import { COMPONENTS } from './plan.mjs';

/** Softmax adapters, and heads with as many steps, with those of the shards' table, and as accurate as they get. */
export function engines(results) {
  const { adapter, ...legonet } = softmaxMainOf(results);
  const heads = convergenceOf(results);
  const { steps: usual } = kindsOf(results, 'Random100')[1].heads[0];
  const best = opponentOf(results, 0.1);
  const opponents = heads.filter(
    (r) => (!r.batch && [adapter.steps, usual].includes(r.steps)) || isTrainedAs(best)(r),
  );
  const rows = table(
    ['model', 'trained by', 'test', 'ms, native', 'ms, WebAssembly'],
    [{ ...legonet, steps: adapter.steps }, ...opponents].map((r) => [
      nameOf(r),
      descentOf(r),
      percent(r.test),
      ms(r.seconds),
      ms(r.wasmSeconds),
    ]),
  );
  const least = mainOf(results);
  const longer = span([legonet.seconds / least.seconds]);
  return `${rows}

At this n and k, softmax adapters are ${points(legonet.test - least.test)} than least-squares ones, and a deletion takes
${longer} times as long as theirs with kept sums.`;
}

const isTrainedAs = (a) => (b) => a.steps === b.steps && a.batch === b.batch;

export function convergence(results, projected) {
  const columns = ({ test, seconds }) => [percent(test), ms(seconds)];
  const onComponents = convergenceOf(projected);
  const d = `d = ${COMPONENTS}`;
  return table(
    ['batch', 'steps', 'test', 'ms', `test, ${d}`, `ms, ${d}`],
    convergenceOf(results).map((r, i) => [
      r.batch ?? 'all',
      r.steps,
      ...columns(r),
      ...columns(onComponents[i]),
    ]),
  );
}

export const speed = (results, projected) =>
  table(
    ['d', '', 'ms', 'times', 'test'],
    [...speedRows(768, results), ...speedRows(COMPONENTS, projected)],
  );

function speedRows(dimension, results) {
  const legonet = mainOf(results);
  const row = (text, seconds, test) => {
    const times = (seconds / legonet.seconds).toFixed(1);
    return [dimension, text, ms(seconds), times, percent(test)];
  };
  return [
    row('LegoNet, least squares, WebAssembly', legonet.seconds, legonet.test),
    ...opponentsOf(results).flatMap(({ seconds, wasmSeconds, test, ...training }) => {
      const name = `FixSISA, softmax, ${descentOf(training)}`;
      return [
        row(`${name}, native TensorFlow`, seconds, test),
        row(`${name}, TensorFlow in WebAssembly`, wasmSeconds, test),
      ];
    }),
  ];
}

/** What the table of speeds says, in words. */
export function times(results, projected) {
  const [onAll, onComponents] = [results, projected].map((on) => {
    const opponents = opponentsOf(on);
    return { on, test: mainOf(on).test, best: opponents[0].test, opponents };
  });
  const longer = ({ on }, opponents, key = 'seconds') =>
    `${span(opponents.map((r) => r[key] / mainOf(on).seconds))} times as long`;
  const onEither = (side) => [
    `  FixSISA takes ${longer(side, side.opponents)} on native TensorFlow,`,
    `  and ${longer(side, side.opponents, 'wasmSeconds')} in WebAssembly, where LegoNet is computed, too.`,
  ];
  const short = convergenceOf(projected).find(isTrainedAs({ steps: 100, batch: 256 }));
  const below = (bestOf(projected) - short.test).toFixed(1);
  const cost = (onAll.test - onComponents.test).toFixed(1);
  return [
    `- **d = 768:** LegoNet is ${points(onAll.test - onAll.best)}.`,
    ...onEither(onAll),
    `- **d = ${COMPONENTS}:** LegoNet is **${points(onComponents.test - onComponents.best)}**.`,
    ...onEither(onComponents),
    `  After ${descentOf(short)}, ${below} points below its best, it has taken ${longer(onComponents, [short])} (native).`,
    `  LegoNet pays ${cost} points for the projection, and is ${points(onComponents.test - onAll.best)} than FixSISA on all 768 numbers,`,
    `  which takes ${longer(onComponents, onAll.opponents)} (native).`,
  ].join('\n');
}

/** One that is as accurate as it gets, and one that stops a little earlier. */
const opponentsOf = (results) => [0.1, 0.2].map((within) => opponentOf(results, within));

/** LegoNet's settings: how many times faster than the cheaper opponent, and how many points above the better one. */
export function settingsByPoints(results) {
  const [better, cheaper] = opponentsOf(results);
  return table(
    ['n', 'k', 'ms', 'times, native', 'times, WebAssembly', 'test', 'points'],
    legonetOf(results, 'Random100').map((r) => [
      r.adapters,
      r.activated,
      ms(r.seconds),
      (cheaper.seconds / r.seconds).toFixed(1),
      (cheaper.wasmSeconds / r.seconds).toFixed(1),
      percent(r.test),
      signed(r.test - better.test, 2),
    ]),
  );
}
