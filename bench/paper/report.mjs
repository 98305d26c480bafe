// Tables and plots of docs/paper.md from results.json.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convergenceOf, headsOf, legonetOf, mainOf, opponentOf, resultsOn } from './figures.mjs';
import { COMPONENTS } from './plan.mjs';
import { plots } from './plots.mjs';

const PAGE = fileURLToPath(new URL('../../docs/paper.md', import.meta.url));

/** Writes the page and its plots. */
export function writePage(results) {
  for (const [path, text] of files(results)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** The files that are not what the results give. */
export function staleFiles(results) {
  const differs = ([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text;
  return files(results)
    .filter(differs)
    .map(([path]) => relative(process.cwd(), path));
}

/** Path and content of what is made of the results; the page's prose stays as it is. */
function files(all) {
  const results = resultsOn(all, undefined);
  const projected = resultsOn(all, COMPONENTS);
  const pictures = Object.entries(plots(results)).map(([name, svg]) => [
    PAGE.replace('.md', `/${name}.svg`),
    svg,
  ]);
  const page = Object.entries(tables(results, projected)).reduce(
    replaceBlock,
    readFileSync(PAGE, 'utf8'),
  );
  return [[PAGE, page], ...pictures];
}

/** A block stands between `<!-- NAME -->` and `<!-- end -->`. */
function replaceBlock(page, [name, text]) {
  const start = `<!-- ${name} -->`;
  const from = page.indexOf(start);
  const to = page.indexOf('<!-- end -->', from);
  if (from < 0 || to < 0) throw new Error(`docs/paper.md has no block ${name}`);
  return `${page.slice(0, from)}${start}\n\n${text}\n\n${page.slice(to)}`;
}

const percent = (value) => value.toFixed(2);
const ms = (seconds) => {
  const value = 1000 * seconds;
  return value < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString('en');
};

function tables(results, projected) {
  return {
    statements: statements(results),
    random100: random100(results),
    unclass: unclass(results),
    shards: shards(results),
    softmax: softmax(results),
    convergence: convergence(results, projected),
    speed: speed(results, projected),
    projected: settingsByPoints(projected),
    inference: inference(results),
  };
}

/** What the paper says, and what we see. */
function statements(results) {
  const legonet = legonetOf(results, 'Random100');
  const at = (n, k) => legonet.find((r) => r.adapters === n && r.activated === k).test.toFixed(1);
  const [{ rows }] = headsOf(results, 'Random100');
  const shard = (s) => rows.find((r) => r.shards === s).test.toFixed(1);
  return table(
    ['statement', 'here, test accuracy in percent'],
    [
      [
        'A: adapters make up for what a fixed encoder loses',
        `one head on all data ${shard(1)}, n = 1,000 with k = 10 ${at(1000, 10)}`,
      ],
      ['P: accuracy holds as n grows', `k = 10: n = 100 ${at(100, 10)}, n = 1,000 ${at(1000, 10)}`],
      [
        'P: it grows with k',
        `n = 1,000: k = 1 ${at(1000, 1)}, k = 5 ${at(1000, 5)}, k = 20 ${at(1000, 20)}`,
      ],
      ['P: with k = 1 it is about that of FixSISA', `n = 100 ${at(100, 1)}, s = 100 ${shard(100)}`],
    ],
  );
}

const random100 = (results) =>
  table(
    ['n', 'k', 'members', 'retained', 'deleted', 'test', 'ms, kept sums', 'ms, from members'],
    legonetOf(results, 'Random100').map((r) => [
      r.adapters,
      r.activated,
      r.members.join(' / '),
      ...accuracies(r),
      ms(r.sums),
      ms(r.rebuilt),
    ]),
  );

const unclass = (results) =>
  table(
    ['model', 'retained', 'deleted', 'test'],
    [
      ...legonetOf(results, 'UnClass').map((r) => [
        `LegoNet, n = ${r.adapters}, k = ${r.activated}`,
        ...accuracies(r),
      ]),
      ...headsOf(results, 'UnClass').flatMap(({ name, rows }) =>
        rows.map((r) => [`${nameOf(r)}, ${name}`, ...accuracies(r)]),
      ),
    ],
  );

const shards = (results) =>
  table(
    ['model', 'retained', 'deleted', 'test', 'ms'],
    headsOf(results, 'Random100').flatMap(({ name, rows }) =>
      rows.map((r) => [`${nameOf(r)}, ${name}`, ...accuracies(r), ms(r.seconds)]),
    ),
  );

const softmax = ({ softmaxLegonet }) =>
  table(
    ['n', 'k', 'steps', 'retained', 'deleted', 'test'],
    softmaxLegonet.map((r) => [r.adapters, r.activated, r.adapter.steps, ...accuracies(r)]),
  );

function convergence(results, projected) {
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

const speed = (results, projected) =>
  table(
    ['d', '', 'ms', 'times', 'test'],
    [...speedRows(768, results), ...speedRows(COMPONENTS, projected)],
  );

function speedRows(dimension, results) {
  const legonet = mainOf(results);
  const row = (text, seconds, test) => {
    const times = (seconds / legonet.sums).toFixed(1);
    return [dimension, text, ms(seconds), times, percent(test)];
  };
  return [
    row('LegoNet, least squares, WebAssembly', legonet.sums, legonet.test),
    ...opponentsOf(results).flatMap(({ steps, batch, seconds, wasmSeconds, test }) => {
      const name = `FixSISA, softmax, ${steps} steps on ${batch ? `batches of ${batch}` : 'all rows'}`;
      return [
        row(`${name}, native TensorFlow`, seconds, test),
        row(`${name}, TensorFlow in WebAssembly`, wasmSeconds, test),
      ];
    }),
  ];
}

/** One that is as accurate as it gets, and one that stops a little earlier. */
const opponentsOf = (results) => [0.1, 0.2].map((within) => opponentOf(results, within));

/** LegoNet's settings: how many times faster than the cheaper opponent, and how many points above the better one. */
function settingsByPoints(results) {
  const [better, cheaper] = opponentsOf(results);
  return table(
    ['n', 'k', 'ms', 'times, native', 'times, WebAssembly', 'test', 'points'],
    legonetOf(results, 'Random100').map((r) => [
      r.adapters,
      r.activated,
      ms(r.sums),
      (cheaper.seconds / r.sums).toFixed(1),
      (cheaper.wasmSeconds / r.sums).toFixed(1),
      percent(r.test),
      signed(r.test - better.test, 2),
    ]),
  );
}

const accuracies = (row) => [row.retained, row.deleted, row.test].map(percent);
const nameOf = ({ shards: s }) => (s === 1 ? 'one head on all data' : `FixSISA, s = ${s}`);

function inference({ inference: [{ before, after, digestEqual }] }) {
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

const signed = (value, digits = 3) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;

/** A Markdown table with aligned columns. */
function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, c) => Math.max(3, ...cells.map((row) => row[c].length)));
  const line = (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join('\n');
}
