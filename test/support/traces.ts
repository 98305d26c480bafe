import { readdir, readFile, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { openDatabase } from '#src/store/database.js';

/** A sample that is to be forgotten. */
export type Forgotten = {
  readonly id: string;
  readonly label: string;
  /** As quantised. */
  readonly encoding: Int8Array;
  readonly salts: readonly Uint8Array[];
};

/** Something that holds text or bytes: a row, a file, what a process has printed. */
export type Place = { readonly name: string; readonly text: string };

/** Bytes as text, one character a byte. */
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Every row of every table, as text, and what its binary columns hold. */
export async function rowsOf(url: string): Promise<Place[]> {
  const database = openDatabase(url, 1);
  try {
    const tables = await database.pool.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const places: Place[] = [];
    for (const { name } of tables.rows) {
      const { rows } = await database.pool.query({
        text: `SELECT t::text, t.* FROM ${name} t`,
        rowMode: 'array',
      });
      for (const [whole, ...values] of rows) {
        const bytes = values.filter((value: unknown) => Buffer.isBuffer(value)).map(latin1);
        places.push({ name, text: [whole, ...bytes].join('\n') });
      }
    }
    return places;
  } finally {
    await database.close();
  }
}

/** Every file of a data directory but PostgreSQL's own: of the server only what it has logged. */
export async function filesOf(folder: string): Promise<Place[]> {
  const places: Place[] = [];
  const home = await realpath(join(folder, 'postgres'));
  const add = async (path: string) =>
    places.push({ name: relative(folder, path), text: latin1(await readFile(path)) });
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !path.startsWith(`${home}/`)) await add(path);
  }
  await add(join(home, 'server.log'));
  return places;
}

/** What of the samples is found, and where. */
export function tracesOf(samples: readonly Forgotten[], places: readonly Place[]): string[] {
  const found = samples.flatMap((sample) => {
    const needles = needlesOf(sample);
    return places.flatMap(({ name, text }) => {
      const what = needles.filter(([, needle]) => text.includes(needle)).map(([kind]) => kind);
      if (text.includes(sample.id) && text.includes(sample.label)) what.push('label and id');
      return what.map((kind) => `${name}: ${kind}`);
    });
  });
  return [...new Set(found)].sort();
}

function needlesOf({ encoding, salts }: Forgotten): (readonly [string, string])[] {
  const numbers = Array.from(encoding);
  const floats = new Uint8Array(Float32Array.from(numbers).buffer);
  return [
    ...written('encoding', new Uint8Array(encoding.buffer, encoding.byteOffset, encoding.length)),
    ...written('encoding as float32', floats),
    ['encoding as numbers', numbers.join(',')],
    ['encoding as numbers', numbers.join(', ')],
    ...salts.flatMap((salt) => written('salt', salt)),
  ];
}

/** Bytes as they are, in hex, and in base64. */
function written(what: string, bytes: Uint8Array): (readonly [string, string])[] {
  const buffer = Buffer.from(bytes);
  return [
    [what, latin1(bytes)],
    [`${what} in hex`, buffer.toString('hex')],
    [`${what} in base64`, buffer.toString('base64').replaceAll('=', '')],
    [`${what} in base64url`, buffer.toString('base64url')],
  ];
}
