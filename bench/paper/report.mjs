// Tables and plots of docs/paper.md from results.json.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as accuracy from './accuracy.mjs';
import { resultsOn } from './figures.mjs';
import { COMPONENTS } from './plan.mjs';
import { plots } from './plots.mjs';
import * as speed from './speed.mjs';

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

/** The text of each block. */
const tables = (results, projected) => ({
  statements: accuracy.statements(results),
  random100: accuracy.random100(results),
  unclass: accuracy.unclass(results),
  shards: accuracy.shards(results),
  softmax: accuracy.softmax(results),
  engines: speed.engines(results),
  convergence: speed.convergence(results, projected),
  speed: speed.speed(results, projected),
  times: speed.times(results, projected),
  projected: speed.settingsByPoints(projected),
  inference: accuracy.inference(results),
});
