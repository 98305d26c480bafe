// The plots of docs/paper.md: each as two SVGs, for pages that are light and that are dark.
import { init } from 'echarts';
import { kindsOf } from './figures.mjs';
import { ACTIVATED, ADAPTERS } from './plan.mjs';

/** Of the kinds side by side. */
const PANELS = [
  { left: 60, width: 290 },
  { left: 400, width: 290 },
];

/** Colours of GitHub's own pages; those of the lines (Okabe, Ito) are told apart by the colour-blind. */
const THEMES = {
  light: { text: '#1f2328', grid: '#d1d9e0' },
  dark: { text: '#f0f6fc', grid: '#3d444d' },
};
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond', 'roundRect', 'emptyCircle'];

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
const accuracyOverParts = (results) => ({
  x: { name: 'adapters n, shards s', min: 10, max: 1000 },
  panels: panels(results, {
    values: ACTIVATED,
    name: (k) => `LegoNet, k = ${k}`,
    of: ({ activated }) => activated,
    x: ({ adapters, shards }) => adapters ?? shards,
  }),
});

/** Test accuracy over the time that it takes to unlearn one sample. */
function accuracyOverTime(results) {
  const lines = {
    values: ADAPTERS,
    name: (n) => `LegoNet, n = ${n}`,
    of: ({ adapters }) => adapters,
    x: ({ seconds }) => 1000 * seconds,
  };
  const both = panels(results, lines);
  const all = both.flatMap(({ series }) => series.flatMap(({ data }) => data.map(([x]) => x)));
  const power = (round, x) => 10 ** round(Math.log10(x));
  const [min, max] = [power(Math.floor, Math.min(...all)), power(Math.ceil, Math.max(...all))];
  return { x: { name: 'milliseconds to unlearn one sample', min, max }, panels: both };
}

/** For each kind a line for each value of n or k, and one of FixSISA by s. */
const panels = (results, { values, name, of, x }) =>
  kindsOf(results, 'Random100').map(({ name: title, legonet, heads }) => ({
    title,
    series: [
      ...values.map((value) => ({
        name: name(value),
        data: legonet.filter((row) => of(row) === value).map((row) => [x(row), row.test]),
      })),
      {
        name: 'FixSISA',
        data: heads.filter(({ shards }) => shards > 1).map((row) => [x(row), row.test]),
        dashed: true,
      },
    ],
  }));

function draw({ x, panels }, { text, grid }) {
  const axis = (gridIndex) => ({
    gridIndex,
    nameLocation: 'middle',
    nameTextStyle: { color: text, fontSize: 13 },
    axisLabel: { color: text },
    axisLine: { lineStyle: { color: text } },
    splitLine: { lineStyle: { color: grid } },
  });
  const tests = panels.flatMap(({ series }) =>
    series.flatMap(({ data }) => data.map(([, y]) => y)),
  );
  const [min, max] = [
    2 * Math.floor(Math.min(...tests) / 2),
    2 * Math.ceil(Math.max(...tests) / 2),
  ];
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 870, height: 420 });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'sans-serif' },
    title: panels.map(({ title }, i) => ({
      text: title,
      left: PANELS[i].left + PANELS[i].width / 2,
      top: 8,
      textAlign: 'center',
      textStyle: { color: text, fontSize: 14 },
    })),
    grid: PANELS.map((panel) => ({ ...panel, top: 40, bottom: 55 })),
    legend: { orient: 'vertical', left: 712, top: 40, textStyle: { color: text } },
    xAxis: panels.map((_, i) => ({ ...axis(i), type: 'log', nameGap: 32, ...x })),
    yAxis: panels.map((_, i) => ({
      ...axis(i),
      type: 'value',
      nameGap: 38,
      name: i === 0 ? 'test accuracy, %' : '',
      min,
      max,
    })),
    series: panels.flatMap(({ series }, panel) =>
      series.map((line, i) => ({ ...styled(line, i), xAxisIndex: panel, yAxisIndex: panel })),
    ),
  });
  const svg = chart.renderToSVGString({ useViewBox: true });
  chart.dispose();
  return `${svg}\n`;
}

/** Lines of one name look alike in both panels, and are one in the legend. */
const styled = ({ name, data, dashed }, i) => ({
  name,
  data,
  type: 'line',
  symbol: SYMBOLS[i],
  symbolSize: 8,
  itemStyle: { color: COLOURS[i] },
  lineStyle: { width: 2, color: COLOURS[i], type: dashed ? 'dashed' : 'solid' },
});
