import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { parseConfiguration } from '#src/model/configuration.js';
import { createModel, type Model } from '#src/model/model.js';

export const LANGUAGES = fileURLToPath(new URL('../../examples/languages/', import.meta.url));

export type Text = { readonly label: string; readonly text: string };

/** The example's rows: each text is quoted, and none has a line break. */
export function readTexts(file: 'stream.csv.gz' | 'test.csv.gz'): Text[] {
  const [, ...lines] = gunzipSync(readFileSync(`${LANGUAGES}${file}`))
    .toString('utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => {
    const [, , label = '', text = ''] = /^([^,]*),([^,]*),"(.*)"$/.exec(line) ?? [];
    return { label, text: text.replaceAll('""', '"') };
  });
}

/** The example's model. */
export function languagesModel(): Model {
  const json = JSON.parse(readFileSync(`${LANGUAGES}MODEL.json`, 'utf8'));
  return createModel(parseConfiguration(json), {});
}
