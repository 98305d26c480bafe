import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openEmbeddedPostgres } from '#src/store/embedded/open.js';
import { type Ended, legonet } from '../support/cli.js';
import { query, removeDataDir, temporaryDirectory } from '../support/embedded.js';
import { configurationJson, syntheticBytes } from '../support/models.js';
import { type Forgotten, filesOf, type Place, rowsOf, tracesOf } from '../support/traces.js';

const DIMENSION = 24;
const LABELS = ['label-zebra', 'label-yak'] as const;
const SUBJECT = 'subject-anna';

let folder: string;
let files: string;
let printed: Place[];

beforeEach(async () => {
  folder = await temporaryDirectory();
  files = await temporaryDirectory();
  printed = [];
});
afterEach(async () => {
  await removeDataDir(folder);
  await removeDataDir(files);
});

async function run(...args: string[]): Promise<Ended> {
  const ended = await legonet(args, { LEGONET_DATA_DIR: folder, LOG_LEVEL: 'trace' });
  expect(ended).toMatchObject({ code: 0 });
  printed.push({ name: args[0] ?? '', text: ended.stdout + ended.stderr });
  return ended;
}

/** What is stored and printed anywhere, and the salts that the database has drawn. */
async function look() {
  const server = await openEmbeddedPostgres(folder, { durable: false });
  try {
    const rows = await rowsOf(server.url);
    const salts = (await query(server.url, 'SELECT sample_id, salt FROM samples')) as {
      sample_id: string;
      salt: Buffer;
    }[];
    return { places: [...rows, ...(await filesOf(folder)), ...printed], salts };
  } finally {
    await server.close();
  }
}

type Given = { readonly id: string; readonly kind: 'numbers' | 'int8' | 'float32' | 'salted' };

const encodingOf = (id: string): Int8Array =>
  Int8Array.from(syntheticBytes(id, DIMENSION), (byte) => (byte << 24) >> 24);
const saltOf = (id: string) => createHash('sha256').update(`salt of ${id}`).digest();
const labelOf = (id: string) => LABELS[saltOf(id).readUInt8() % 2] as string;

function encodingData({ id, kind }: Given): unknown {
  const encoding = encodingOf(id);
  if (kind === 'int8') return { int8: Buffer.from(encoding).toString('base64') };
  if (kind === 'numbers' || kind === 'salted') return [...encoding];
  return { float32: Buffer.from(Float32Array.from(encoding).buffer).toString('base64') };
}

let next = 0;
const line = (type: string, data: object) =>
  JSON.stringify({ specversion: '1.0', type, id: `f${next++}`, source: 'urn:test', data });

const ingested = (given: Given, more: object = {}) =>
  line('legonet.sample.ingested.v1', {
    sampleId: given.id,
    label: labelOf(given.id),
    encoding: encodingData(given),
    ...(given.kind === 'salted' && { salt: saltOf(given.id).toString('base64') }),
    ...more,
  });

test('of a deleted sample nothing is left: no encoding, no label beside its id, no salt', async () => {
  const kept: Given[] = Array.from({ length: 30 }, (_, i) => ({ id: `kept-${i}`, kind: 'int8' }));
  const gone: Given[] = (['numbers', 'int8', 'float32', 'salted'] as const).flatMap((kind) => [
    { id: `gone-alone-${kind}`, kind },
    { id: `gone-with-subject-${kind}`, kind },
  ]);
  const about = ({ id }: Given) => (id.includes('subject') ? { subjectId: SUBJECT } : {});
  const lines = [
    ...kept.map((given) => ingested(given)),
    ...gone.map((given) => ingested(given, about(given))),
    // Content in conflict goes to the dead letters, record and all; a correction has an encoding of its own.
    ...gone.map(({ id }) =>
      ingested({ id, kind: 'numbers' }, { encoding: [...encodingOf(`${id}/2`)] }),
    ),
    line('legonet.sample.corrected.v1', {
      sampleId: 'gone-alone-int8',
      label: labelOf('gone-alone-int8'),
      encoding: [...encodingOf('gone-alone-int8/3')],
    }),
  ];
  await writeFile(join(files, 'events.ndjson'), `${lines.join('\n')}\n`);
  const model = configurationJson({
    classes: LABELS,
    encoder: { kind: 'identity', dimension: DIMENSION, scale: 1 },
  });
  await writeFile(join(files, 'MODEL.json'), JSON.stringify(model));
  await run('init', join(files, 'MODEL.json'));
  await run('ingest', join(files, 'events.ndjson'));
  await run('start', '--once');
  await run('receipt', 'gone-alone-int8', '-o', join(files, 'receipt.json'));

  const before = await look();
  const forgotten = gone.flatMap(({ id }): Forgotten[] => {
    const salts = before.salts.filter(({ sample_id }) => sample_id === id).map(({ salt }) => salt);
    expect(salts).toHaveLength(1);
    return [id, `${id}/2`, `${id}/3`].map((content) => ({
      id,
      label: labelOf(id),
      encoding: encodingOf(content),
      salts: [...salts, saltOf(id)],
    }));
  });
  // The search finds what is there.
  const found = tracesOf(forgotten, before.places).join('\n');
  for (const trace of [
    'samples: encoding\n',
    'samples: encoding in hex',
    'samples: salt in hex',
    'log_records: encoding as numbers',
    'log_records: encoding in base64',
    'log_records: encoding as float32 in base64',
    'log_records: salt in base64',
    'log_records: label and id',
    'dead_letters: label and id',
    'dead_letters: encoding as numbers',
  ]) {
    expect(found).toContain(trace);
  }

  const alone = gone.map(({ id }) => id).filter((id) => !id.includes('subject'));
  await writeFile(join(files, 'ids'), alone.join('\n'));
  await run('delete', '--file', join(files, 'ids'), '--reason', 'asked', '--wait');
  await run('delete', '--subject', SUBJECT, '--wait');
  await run('start', '--once');
  await run('doctor');

  const after = await look();
  expect(after.salts).toHaveLength(kept.length);
  expect(tracesOf(forgotten, after.places)).toEqual([]);
  // What is kept is found, so it was looked for in the right places.
  const other = kept.slice(0, 1).map(({ id }) => ({
    id,
    label: labelOf(id),
    encoding: encodingOf(id),
    salts: [],
  }));
  expect(tracesOf(other, after.places).join('\n')).toContain('samples: encoding');
});
