// The plots of docs/paper.md: each as two SVGs, for pages that are light and that are dark.
import { init } from 'echarts';
import { headsOf, legonetOf } from './figures.mjs';
import { ACTIVATED, ADAPTERS } from './plan.mjs';

/** Colours of GitHub's own pages; those of the lines (Okabe, Ito) are told apart by the colour-blind. */
const THEMES = {
  light: { text: '#1f2328', grid: '#d1d9e0' },
  dark: { text: '#f0f6fc', grid: '#3d444d' },
};
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c959f'];
const SYMBOLS = [
  'circle',
  'rect',
  'triangle',
  'diamond',
  'roundRect',
  'emptyCircle',
  'emptyTriangle',
];

/** `{ name-theme: SVG }` of all plots. */
export function plots(results) {
  const charts = { accuracy: accuracyOverParts(results), time: accuracyOverTime(results) };
  return Object.fromEntries(
    Object.entries(charts).flatMap(([name, chart]) =>
      Object.entries(THEMES).map(([theme, colours]) => [`${name}-${theme}`, draw(chart, colours)]),
    ),
  );
}

/** Test accuracy over the number of parts that the training set is divided among. */
function accuracyOverParts(results) {
  const legonet = legonetOf(results, 'Random100');
  const lines = ACTIVATED.map((k) => ({
    name: `LegoNet, k = ${k}`,
    data: legonet.filter(({ activated }) => activated === k).map((r) => [r.adapters, r.test]),
  }));
  const heads = headsOf(results, 'Random100').map(({ name, rows }) => ({
    name: `FixSISA, ${name}`,
    data: rows.filter(({ shards }) => shards > 1).map((r) => [r.shards, r.test]),
    dashed: true,
  }));
  const x = { name: 'adapters n, shards s', min: 10, max: 1000 };
  return { x, series: [...lines, ...heads] };
}

/** Test accuracy over the seconds that it takes to unlearn one sample. */
function accuracyOverTime(results) {
  const legonet = legonetOf(results, 'Random100');
  const lines = ADAPTERS.map((n) => ({
    name: `LegoNet, n = ${n}`,
    data: legonet.filter(({ adapters }) => adapters === n).map((r) => [1000 * r.sums, r.test]),
  }));
  const heads = headsOf(results, 'Random100').map(({ name, rows }) => ({
    name: `FixSISA, ${name}`,
    data: rows.filter(({ shards }) => shards > 1).map((r) => [1000 * r.seconds, r.test]),
    dashed: true,
  }));
  return { x: { name: 'milliseconds to unlearn one sample' }, series: [...lines, ...heads] };
}

function draw({ x, series }, { text, grid }) {
  const axis = {
    nameLocation: 'middle',
    nameTextStyle: { color: text, fontSize: 13 },
    axisLabel: { color: text },
    axisLine: { lineStyle: { color: text } },
    splitLine: { lineStyle: { color: grid } },
  };
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 800, height: 420 });
  chart.setOption({
    animation: false,
    color: COLOURS,
    textStyle: { fontFamily: 'sans-serif' },
    grid: { left: 60, right: 215, top: 20, bottom: 55 },
    legend: { orient: 'vertical', left: 600, top: 20, textStyle: { color: text } },
    xAxis: { ...axis, type: 'log', nameGap: 32, ...x },
    yAxis: { ...axis, type: 'value', scale: true, nameGap: 38, name: 'test accuracy, %' },
    series: series.map(({ name, data, dashed }, i) => ({
      name,
      data,
      type: 'line',
      symbol: SYMBOLS[i % SYMBOLS.length],
      symbolSize: 8,
      lineStyle: { width: 2, type: dashed ? 'dashed' : 'solid' },
    })),
  });
  const svg = chart.renderToSVGString({ useViewBox: true });
  chart.dispose();
  return `${svg}\n`;
}
