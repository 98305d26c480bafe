import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRecord } from '#src/events/read-record.js';
import { parseConfiguration } from '#src/model/configuration.js';
import { structured } from '../support/record.js';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));
}

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')];

type Block = { readonly page: string; readonly language: string; readonly text: string };

const blocks: Block[] = pages.flatMap((page) =>
  [...read(page).matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    page,
    language,
    text,
  })),
);

const blocksOf = (language: string): Block[] =>
  blocks.filter((block) => block.language === language);

/** What `--help` says of a command; `generate --check` compares the page with the program. */
const help = (command: string): string =>
  read('docs/reference/cli.md').split(`\n## ${command}\n`)[1]?.split('\n## ')[0] ?? '';

/** As GitHub makes them. */
const anchors = (path: string): string[] =>
  [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

/** Codes of errors that the code throws. */
const thrown = new Set(
  filesBelow('src', '.ts').flatMap((path) =>
    [...read(path).matchAll(/Error\(\s*'([a-z0-9_]+)',/g)].map(([, code = '']) => code),
  ),
);

/** Codes that a table lists in its first column. */
const listed = (page: string): string[] =>
  [...read(page).matchAll(/^\| `([a-z0-9_]+)` +\|/gm)].map(([, code = '']) => code);

test.each(pages)('%s links to what is there', (page) => {
  const broken = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^https?:/.test(target))
    .filter((target) => {
      const [file = '', anchor] = target.split('#');
      const path = file === '' ? join(root, page) : resolve(root, dirname(page), file);
      return !existsSync(path) || (anchor !== undefined && !anchors(path).includes(anchor));
    });
  expect(broken).toEqual([]);
});

test.each(pages)('%s names files and folders that are there', (page) => {
  const names = [
    ...read(page).matchAll(/`((?:src|test|docs|tools|migrations|examples)\/[^`*\s]*)`/g),
  ];
  expect(
    names.map(([, name = '']) => name).filter((name) => !existsSync(join(root, name))),
  ).toEqual([]);
});

test.each(pages)('%s has no trace of a conflict in merging', (page) => {
  expect(read(page)).not.toMatch(/^(?:<{7}|>{7}|(?:> ){6}>)/m);
});

test('the README begins with the two commands', () => {
  const [first, second] = blocks.filter(
    ({ page, language }) => page === 'README.md' && language === 'sh',
  );
  expect(first?.text).toBe('npm ci && npm start\n');
  expect(second?.text).toBe('npm cit\n');
});

describe('examples', () => {
  const commands = blocksOf('sh').flatMap(({ page, text }) =>
    [...text.matchAll(/^.*?npx legonet ([a-z-]+)([^|>;#\n]*)/gm)].map(
      ([, name = '', rest = '']) => ({
        page,
        name,
        flags: rest.match(/ --?[a-z][a-z-]*/g) ?? [],
      }),
    ),
  );

  test('use commands and options that there are', () => {
    expect(commands.length).toBeGreaterThan(20);
    for (const { page, name, flags } of commands) {
      expect(help(name), `${page}: ${name}`).not.toBe('');
      for (const flag of flags) expect(help(name), `${page}: ${name}`).toMatch(`${flag} `);
    }
  });

  test('of events are read, one of each type', () => {
    const events = blocksOf('json event').map(({ text }) => JSON.parse(text));
    const kinds = events.map((event) => {
      const { sampleId, subjectId } = event.data;
      return readRecord(structured(sampleId ?? `subject:${subjectId}`, event));
    });
    expect(kinds.map((result) => (result.ok ? result.event.kind : result.error.message))).toEqual([
      'ingested',
      'corrected',
      'deleted',
      'erased',
    ]);
  });

  test.each(blocksOf('json model'))('of MODEL.json in $page are valid', ({ text }) => {
    expect(() => parseConfiguration(JSON.parse(text))).not.toThrow();
  });
});

describe('the reference', () => {
  const letters = listed('docs/how-to/dead-letters.md');

  test('says of every error what to do, and of none that there is not', () => {
    const errors = listed('docs/reference/errors.md');
    expect([...thrown].filter((code) => !errors.includes(code) && !letters.includes(code))).toEqual(
      [],
    );
    expect(errors.filter((code) => !thrown.has(code))).toEqual([]);
    // In order, each once, and nothing else in the page's one table.
    expect(errors).toEqual([...new Set(errors)].sort());
    expect(read('docs/reference/errors.md').match(/^\|/gm)).toHaveLength(errors.length + 2);
  });

  test('has every code of events that cannot be read, and of dead letters', () => {
    const union = read('src/events/error.ts').split('/** The message names')[0] ?? '';
    const codes = [...union.matchAll(/\| '([a-z_]+)'/g)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(10);
    expect(letters).toEqual(expect.arrayContaining(codes));
    const sources = filesBelow('src', '.ts').map(read).join('\n');
    expect(letters.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
  });

  test('has every setting', () => {
    const names = [...read('src/settings.ts').matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(
      ([, name]) => name,
    );
    const page = read('docs/reference/settings.md');
    const described = [...page.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name);
    const fileOf = (name = '') => names.includes(name.replace(/_FILE$/, ''));
    const own = described.filter((name) => !(name?.endsWith('_FILE') && fileOf(name)));
    expect(own.sort()).toEqual(names.sort());
  });
});
