import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeBundle, parseBundle } from '../audit/log/bundle.js';
import { parseCheckpoint } from '../audit/log/checkpoint.js';
import { parseNote } from '../audit/log/note.js';
import {
  type Bundle,
  entriesPath,
  TILE_WIDTH,
  type Tile,
  tileHashes,
  tilePath,
  tilesOf,
} from '../audit/log/tiles.js';
import { LegonetError } from '../errors.js';
import type { Database } from '../store/database.js';
import { readText, replaceFile } from '../store/kept-file.js';
import { readBundle, readHead, tileReader } from '../store/tlog.js';

export type ExportedLog = {
  readonly size: number;
  /** Entries that were not there before. */
  readonly added: number;
  readonly checkpoint: string;
};

/**
 * Writes the log, up to its last checkpoint, in the layout of C2SP tlog-tiles. What is there from before is gone
 * on with. Throws `no_checkpoint` before anything is signed, `other_log` if another log is there.
 */
export async function exportLog(
  { pool }: Database,
  directory: string,
  signal: AbortSignal,
): Promise<ExportedLog> {
  const { checkpoint, signedSize: size } = await readHead(pool);
  if (checkpoint === null) {
    throw new LegonetError('no_checkpoint', 'the audit log is not signed yet: run `legonet start`');
  }
  const since = await exportedSize(directory, checkpoint);
  const write = (path: string, bytes: Uint8Array) => put(join(directory, path), bytes);
  for (const tile of tilesOf(size, since)) {
    signal.throwIfAborted();
    const bytes = await tileReader(pool)(tile.level, tile.index, tile.width);
    await write(tilePath(tile), tileHashes(bytes, tile.width));
    await tidy(join(directory, tilePath(full(tile))), tile);
  }
  for (const bundle of bundlesOf(size, since)) {
    signal.throwIfAborted();
    const bytes = (await readBundle(pool, bundle.index)) ?? new Uint8Array();
    await write(entriesPath(bundle), encodeBundle(parseBundle(bytes).slice(0, bundle.width)));
    await tidy(join(directory, entriesPath(full(bundle))), bundle);
  }
  // Last: whoever reads it finds all that it promises.
  await replaceFile(join(directory, 'checkpoint'), checkpoint);
  return { size, added: size - since, checkpoint };
}

const full = <T extends Tile | Bundle>(tile: T): T => ({ ...tile, width: TILE_WIDTH });

/** Once a tile is full, nobody needs it as it was before. */
async function tidy(path: string, { width }: { readonly width: number }): Promise<void> {
  if (width === TILE_WIDTH) await rm(`${path}.p`, { recursive: true, force: true });
}

function* bundlesOf(size: number, since: number): Generator<Bundle> {
  for (let index = Math.floor(since / TILE_WIDTH); index * TILE_WIDTH < size; index++) {
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    if (index * TILE_WIDTH + width > since) yield { index, width };
  }
}

async function exportedSize(directory: string, checkpoint: string): Promise<number> {
  const text = await readText(join(directory, 'checkpoint'));
  if (text === null) return 0;
  const read = (note: string) => parseCheckpoint(parseNote(note).text);
  const [there, now] = [read(`${text}\n`), read(checkpoint)];
  if (there.origin === now.origin && there.size <= now.size) return there.size;
  throw new LegonetError(
    'other_log',
    `${directory} has the log ${there.origin} of ${there.size} entries, and this is ${now.origin} of ${now.size}`,
  );
}

async function put(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}
