import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { folderFingerprint } from '#src/cli/input/folder.js';
import { openInput } from '#src/cli/input/input.js';
import type { InputOptions, InputRow } from '#src/cli/input/rows.js';
import { readBatches, readRows, temporaryFolder } from '../support/input.js';

const root = temporaryFolder();
const classes = ['cat', 'dog'];

/** A folder of these files, each with its own name as content. */
function folder(name: string, files: readonly string[]): string {
  for (const file of files) write(join(root, name, file), file);
  return join(root, name);
}

function write(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** What a row is, in few words. */
function told(row: InputRow): string {
  if (row.kind === 'bad') return `bad ${row.row}: ${row.reason}`;
  if (row.kind !== 'input' || row.input.form !== 'media') return row.kind;
  const { sampleId, label, subjectId, input } = row;
  const content = Buffer.from(input.bytes).toString();
  return [sampleId, label, input.mediaType, content, ...(subjectId ? [subjectId] : [])].join(' ');
}

const read = async (path: string, options: InputOptions = {}) =>
  (await readRows(path, { classes, ...options })).map(told);

test('the images of a folder are its rows, labelled by the folder they are in, in the order of their names', async () => {
  const files = ['dog/b.jpg', 'cat/z.JPEG', 'cat/deep/a.webp', 'cat/Z.png', 'dog/a b.png'];
  const path = folder('pets', files);
  expect(await read(path)).toEqual([
    'pets/cat/Z.png cat image/png cat/Z.png',
    'pets/cat/deep/a.webp cat image/webp cat/deep/a.webp',
    'pets/cat/z.JPEG cat image/jpeg cat/z.JPEG',
    'pets/dog/a b.png dog image/png dog/a b.png',
    'pets/dog/b.jpg dog image/jpeg dog/b.jpg',
  ]);
  expect((await read(`${path}/`, { idPrefix: '' }))[0]).toMatch(/^cat\/Z.png cat/);
});

test('reading goes on at any row, and ends at any, as if it had never stopped', async () => {
  const path = folder('resumed', ['cat/1.png', 'cat/2.png', 'dog/3.png', 'dog/4.png']);
  const all = await read(path);
  for (let from = 0; from <= all.length; from++) {
    const rows = await read(path, { from, limit: 2, batchRows: 1 });
    expect(rows).toEqual(all.slice(from, from + 2));
  }
  const batches = await readBatches(path, { classes, from: 1, batchRows: 2 });
  expect(batches.map(({ firstRow, rows }) => [firstRow, rows.length])).toEqual([
    [1, 2],
    [3, 1],
  ]);
  const { totalBytes } = await openInput(path, { classes });
  expect(batches.at(-1)?.bytesRead).toBe(totalBytes);
});

test('files that are no images are left out, and told', async () => {
  const others = ['a.txt', 'cat/.DS_Store', 'cat/b.gif', 'c', 'd', 'e'];
  const path = folder('mixed', ['cat/1.png', ...others]);
  expect(await read(path)).toHaveLength(1);
  const { notes } = await openInput(path, { classes });
  expect(notes).toEqual(['6 other files left out: a.txt, c, cat/.DS_Store, cat/b.gif, d, …']);
});

test('links to files are followed, links to folders are not', async () => {
  const path = folder('links', ['cat/1.png']);
  symlinkSync('1.png', join(path, 'cat/2.png'));
  symlinkSync('gone.png', join(path, 'cat/3.png'));
  symlinkSync('..', join(path, 'cat/round'));
  expect(await read(path)).toEqual([
    'links/cat/1.png cat image/png cat/1.png',
    'links/cat/2.png cat image/png cat/1.png',
  ]);
});

test('a folder that is no class, none at all, and no image are refused before anything is read', async () => {
  const cases: [string, string[], string][] = [
    ['train', ['train/cat/1.png'], 'unknown_label'],
    ['flat', ['1.png', '2.png'], 'labels_missing'],
    ['empty', ['cat/1.gif'], 'input_unsupported'],
  ];
  for (const [name, files, code] of cases) {
    await expect(openInput(folder(name, files), { classes })).rejects.toMatchObject({ code });
  }
  await expect(openInput(join(root, 'absent.csv'), { classes })).rejects.toMatchObject({
    code: 'input_not_found',
  });
});

test('an image beside the folders of classes is a bad row', async () => {
  const path = folder('stray', ['cat/1.png', 'x.png']);
  expect((await read(path))[1]).toMatch(/^bad 1: x.png: its label/);
});

test('an image that no event can hold is a bad row and is not read; the largest that one can is a row', async () => {
  const path = folder('large', ['cat/3.png']);
  const most = 783_360;
  write(join(path, 'cat/1.png'), new Uint8Array(most));
  write(join(path, 'cat/2.png'), new Uint8Array(most + 1));
  const rows = await readRows(path, { classes });
  expect(rows.map(({ kind }) => kind)).toEqual(['input', 'bad', 'input']);
  expect(told(rows[1] as InputRow)).toMatch(/cat\/2.png: has 783361 bytes, more than the 783360/);
});

test('names that cannot be ids make bad rows', async () => {
  const path = folder('names', ['cat/line\nbreak.png', `cat/${'x'.repeat(200)}.png`]);
  const [first, second] = await read(path);
  expect(first).toMatch(/^bad 0: .*control character/s);
  expect(second).toMatch(/^names/);
});

test('a CSV labels the images that it names, in its order, and tells their subjects', async () => {
  const path = folder('listed', ['a/1.png', 'a/2.png', 'b/3.jpg', 'unlisted.png']);
  const labels = write(
    join(root, 'labels.csv'),
    '\ufeffSubject,file,label\r\nann,b/3.jpg,cat\r\n,./a/1.png,dog\r\n"bob ","a/2.png",cat\r\n',
  );
  expect(await read(path, { labels })).toEqual([
    'listed/b/3.jpg cat image/jpeg b/3.jpg ann',
    'listed/a/1.png dog image/png a/1.png',
    'listed/a/2.png cat image/png a/2.png bob',
  ]);
  expect(await read(path, { labels, from: 1, limit: 1 })).toEqual([
    'listed/a/1.png dog image/png a/1.png',
  ]);
});

test('each line of a CSV that names no image to be taken is a bad row, and no other', async () => {
  const path = folder('partly', ['1.png', 'x.gif', 'sub/2.png']);
  const lines = [
    'file,label',
    '1.png,cat',
    'absent.png,cat',
    'x.gif,cat',
    '1.png,bird',
    '../listed/a/1.png,cat',
    'sub/../../listed/a/1.png,cat',
    '/etc/hosts.png,cat',
    ',cat',
    '1.png',
    'sub,cat',
    'sub/2.png,dog',
  ];
  const labels = write(join(root, 'partly.csv'), lines.join('\n'));
  const rows = await read(path, { labels });
  expect(rows.map((row) => row.replace(/ .*/, ''))).toEqual([
    'partly/1.png',
    ...Array(9).fill('bad'),
    'partly/sub/2.png',
  ]);
  expect(rows[1]).toBe('bad 1: absent.png: no such file');
  for (const row of [rows[4], rows[5], rows[6]]) expect(row).toMatch(/not a file of the folder$/);
});

test('a CSV whose header does not name its columns is refused', async () => {
  const path = folder('headless', ['1.png']);
  const labels = write(join(root, 'headless.csv'), '1.png,cat\n');
  await expect(read(path, { labels })).rejects.toMatchObject({ code: 'input_malformed' });
});

test('without the need of a label, one image is an input too, and a folder is a label if it is a class', async () => {
  const path = folder('unlabelled', ['cat/1.png', 'holiday/2.png', '3.png']);
  const options = { unlabelled: true, classes };
  expect((await readRows(path, options)).map(told)).toEqual([
    'unlabelled/3.png  image/png 3.png',
    'unlabelled/cat/1.png cat image/png cat/1.png',
    'unlabelled/holiday/2.png  image/png holiday/2.png',
  ]);
  expect((await readRows(join(path, '3.png'), options)).map(told)).toEqual([
    '3.png  image/png 3.png',
  ]);
  await expect(openInput(join(path, '3.png'))).rejects.toMatchObject({ code: 'labels_missing' });
});

test('the fingerprint of a folder changes with any of its files, and with nothing else', async () => {
  const path = folder('printed', ['a/1.png', 'b/2.png']);
  const before = await folderFingerprint(path);
  expect(await folderFingerprint(path)).toBe(before);
  utimesSync(join(path, 'b/2.png'), 1, 1);
  const touched = await folderFingerprint(path);
  expect(touched).not.toBe(before);
  write(join(path, 'b/3.png'), 'x');
  expect(await folderFingerprint(path)).not.toBe(touched);
});
