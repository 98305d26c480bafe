// How the figures of docs/paper.md are written.

export const percent = (value) => value.toFixed(2);
export const ms = (seconds) => {
  const value = 1000 * seconds;
  return value < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString('en');
};

export const accuracies = (row) => [row.retained, row.deleted, row.test].map(percent);
export function nameOf({ adapters: n, activated: k, shards: s }) {
  if (n) return `LegoNet, n = ${n}, k = ${k}`;
  return s === 1 ? 'one head on all data' : `FixSISA, s = ${s}`;
}

export const descentOf = ({ steps, batch }) =>
  `${steps} steps on ${batch ? `batches of ${batch}` : 'all rows'}`;

export const signed = (value, digits = 3) =>
  `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;

export const points = (value) =>
  `${Math.abs(value).toFixed(1)} points ${value < 0 ? 'worse' : 'better'}`;

/** From the least to the greatest. */
export function span(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(value < 10 ? 1 : 0),
  );
  return low === high ? low : `${low} to ${high}`;
}

/** A Markdown table with aligned columns. */
export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, c) => Math.max(3, ...cells.map((row) => row[c].length)));
  const line = (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join('\n');
}
