// Tables and plots of docs/paper.md from results.json.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { headsOf, legonetOf } from './figures.mjs';
import { plots } from './plots.mjs';

const PAGE = fileURLToPath(new URL('../../docs/paper.md', import.meta.url));

/** Writes the page and its plots. */
export function writePage(results) {
  for (const [path, text] of files(results)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Path and content of what is made of the results; the page's prose stays as it is. */
export function files(results) {
  const pictures = Object.entries(plots(results)).map(([name, svg]) => [
    PAGE.replace('.md', `/${name}.svg`),
    svg,
  ]);
  const page = Object.entries(tables(results)).reduce(replaceBlock, readFileSync(PAGE, 'utf8'));
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

function tables(results) {
  return {
    random100: random100(results),
    unclass: unclass(results),
    shards: shards(results),
    inference: inference(results),
  };
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

const accuracies = (row) => [row.retained, row.deleted, row.test].map(percent);
const nameOf = ({ shards: s }) => (s === 1 ? 'one head on all data' : `FixSISA, s = ${s}`);

function inference({ inference: [{ before, after }] }) {
  const interval = ({ advantage, low, high }) =>
    `${advantage.toFixed(3)} (${low.toFixed(3)} … ${high.toFixed(3)})`;
  return table(
    ['attack on', 'before the deletion', 'after it'],
    [
      ['retained samples', interval(before.retained), interval(after.retained)],
      ['the deleted ones', interval(before.deleted), interval(after.deleted)],
    ],
  );
}

/** A Markdown table with aligned columns. */
function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, c) => Math.max(3, ...cells.map((row) => row[c].length)));
  const line = (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join('\n');
}
