import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../src/', import.meta.url));

/** Data flows down this list; imports point up it. */
const LAYERS = [
  'events',
  'model',
  'audit',
  'store',
  'log',
  'kernel',
  'engine',
  'projection',
  'build',
  'publish',
  'serve',
  'client',
  'service',
  'cli',
];
/** What other programs import. */
const PUBLIC = ['index.ts', 'verify.ts'];
/** What anything may import. */
const FREE = ['errors.ts', 'outcome.ts', 'settings.ts', 'kafka-settings.ts', 'tracing.ts'];
const MAX_LINES = 250;

const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.split(sep).join('/'));

const text = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const imports = (file: string): string[] =>
  [...text(file).matchAll(/(?:from|import\()\s*'([^']+)'/g)].flatMap(([, path = '']) =>
    path.startsWith('.')
      ? [
          relative(ROOT, join(ROOT, dirname(file), path))
            .split(sep)
            .join('/'),
        ]
      : [],
  );

const layer = (file: string): number => LAYERS.indexOf(file.split('/')[0] ?? '');

describe('the source', () => {
  test('has no folder that the architecture does not name', () => {
    const unknown = files.filter((file) => layer(file) < 0 && ![...PUBLIC, ...FREE].includes(file));
    expect(unknown).toEqual([]);
  });

  test('imports only upwards: data flows one way', () => {
    const wrong = files.flatMap((file) =>
      imports(file)
        .map((path) => path.replace(/\.js$/, '.ts'))
        .filter((path) =>
          PUBLIC.includes(path)
            ? !PUBLIC.includes(file)
            : layer(path) > layer(file) && layer(file) >= 0,
        )
        .map((path) => `${file} -> ${path}`),
    );
    expect(wrong).toEqual([]);
  });

  test('keeps events, model and audit free of input and output', () => {
    const outside = files
      .filter((file) => /^(events|model|audit)\//.test(file))
      .filter((file) =>
        /from '(node:(fs|net|http|child_process|worker)|pg|kafkajs)/.test(text(file)),
      );
    expect(outside).toEqual([]);
  });

  test(`keeps every file within ${MAX_LINES} lines`, () => {
    const long = files.filter((file) => text(file).split('\n').length > MAX_LINES);
    expect(long).toEqual([]);
  });

  test('leaves nothing to do later, and switches no check of types off', () => {
    const marks = files.filter((file) => /\b(TODO|FIXME|XXX)\b|@ts-/.test(text(file)));
    expect(marks).toEqual([]);
  });
});
