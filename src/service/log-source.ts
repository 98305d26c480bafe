import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { entriesPath, type ReadTile, TILE_WIDTH, tilePath } from '../audit/log/tiles.js';
import type { LogSource } from '../audit/replay/log.js';
import { LegonetError } from '../errors.js';

/*
 * A log in the layout of C2SP tlog-tiles, in a directory or behind a URL.
 */

export type TiledLog = LogSource & { readonly tile: ReadTile };

/** Bytes: a bundle of the longest entries, and more than any checkpoint has. */
const BUNDLE_MAX = TILE_WIDTH * (2 + 65_535);
const TILE_MAX = TILE_WIDTH * 32;
const CHECKPOINT_MAX = 1_000_000;

/** Gives the file at a path of the log; null: it is not there. */
type Get = (path: string, limit: number) => Promise<Uint8Array | null>;

/** `place`: a directory, or an http(s) URL. Reading throws `audit_log_unreadable`. */
export function openLog(place: string, signal: AbortSignal): TiledLog {
  const get = /^https?:\/\//.test(place) ? overHttp(place, signal) : fromDirectory(place);
  const need = async (path: string, limit: number, instead?: string): Promise<Uint8Array> => {
    const found = (await get(path, limit)) ?? (instead ? await get(instead, limit) : null);
    if (found) return found;
    throw unreadable(`${place} has no ${path}`);
  };
  return {
    checkpoint: async () => {
      const bytes = await need('checkpoint', CHECKPOINT_MAX);
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    },
    // Where a partial one was tidied away, the full one has the same and more.
    bundle: (index, width) =>
      need(
        entriesPath({ index, width }),
        BUNDLE_MAX,
        width < TILE_WIDTH ? entriesPath({ index, width: TILE_WIDTH }) : undefined,
      ),
    tile: (level, index, width) =>
      need(
        tilePath({ level, index, width }),
        TILE_MAX,
        width < TILE_WIDTH ? tilePath({ level, index, width: TILE_WIDTH }) : undefined,
      ),
  };
}

const unreadable = (reason: string, cause?: unknown): LegonetError =>
  new LegonetError('audit_log_unreadable', `the log cannot be read: ${reason}`, 'terminal', {
    cause,
  });

function fromDirectory(directory: string): Get {
  return async (path, limit) => {
    try {
      return await readLimited(join(directory, path), limit);
    } catch (error) {
      if (error instanceof LegonetError) throw error;
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR') return null;
      throw unreadable(`${path}: ${code ?? error}`, error);
    }
  };
}

/** Throws `audit_log_unreadable` for more than `limit` bytes. */
async function readLimited(path: string, limit: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > limit) throw unreadable(`${path} has more than ${limit} bytes`);
    return await readFile(file);
  } finally {
    await file.close();
  }
}

const ATTEMPTS = 4;
const TIMEOUT_MS = 30_000;

function overHttp(base: string, signal: AbortSignal): Get {
  const root = base.endsWith('/') ? base : `${base}/`;
  return async (path, limit) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await getOnce(new URL(path, root), limit, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof LegonetError && error.retry !== 'retryable') throw error;
        if (attempt === ATTEMPTS) {
          if (error instanceof LegonetError) throw error;
          throw unreadable(`${new URL(path, root)}: ${error}`, error);
        }
        await sleep(200 * 2 ** attempt, undefined, { signal });
      }
    }
  };
}

async function getOnce(url: URL, limit: number, signal: AbortSignal): Promise<Uint8Array | null> {
  const response = await fetch(url, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (response.status === 404 || response.status === 410) {
    await response.body?.cancel();
    return null;
  }
  if (!response.ok) {
    await response.body?.cancel();
    const again = response.status >= 500 || response.status === 429;
    throw new LegonetError(
      'audit_log_unreadable',
      `the log cannot be read: ${url} answers ${response.status}`,
      again ? 'retryable' : 'terminal',
    );
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > limit) throw unreadable(`${url} has more than ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
