import { must } from '../certificate/checklist.js';
import { decodeLeaf, type Leaf } from '../leaves.js';
import { parseBundle } from '../log/bundle.js';
import type { Checkpoint } from '../log/checkpoint.js';
import { TILE_WIDTH } from '../log/tiles.js';
import type { KeyEntry } from './key-chain.js';
import { runningRoot } from './rehash.js';
import { type LoggedSamples, loggedSamples } from './samples.js';
import { type LoggedVersion, versionsOf } from './versions.js';

/** Where a log is read from, in the layout of C2SP tlog-tiles. */
export type LogSource = {
  /** The signed note. */
  readonly checkpoint: () => Promise<string>;
  /** At least the first `width` entries of a bundle. */
  readonly bundle: (index: number, width: number) => Promise<Uint8Array>;
};

export type ReplayedLog = {
  readonly size: number;
  /** To which the entries lead, at the size of the earlier checkpoint and of that of now. */
  readonly roots: readonly [Uint8Array, Uint8Array];
  /** As of the entry `until`, and not later ones. */
  readonly samples: LoggedSamples;
  /** To the end. */
  readonly versions: readonly LoggedVersion[];
  readonly keys: readonly KeyEntry[];
  /** What is wrong with the history, the first of it; null: nothing. */
  readonly problem: string | null;
};

export type ReplayOptions = {
  /** Samples are followed up to this entry, which is not counted. */
  readonly until: number;
  /** Maybe faster than SHA-256 here. */
  readonly hash?: (bytes: Uint8Array) => Uint8Array;
};

/**
 * Reads the whole log, entry by entry, and hashes it again, whatever tiles there are. Throws if there is less of it
 * than was signed, and what the source throws; the roots are for the caller to compare.
 */
export async function replayLog(
  source: LogSource,
  [earlier, now]: readonly [Checkpoint, Checkpoint],
  { until, hash }: ReplayOptions,
): Promise<ReplayedLog> {
  must(
    now.size >= earlier.size,
    `the log has ${now.size} entries, and ${earlier.size} were signed`,
  );
  const tree = runningRoot(hash);
  const samples = loggedSamples();
  const versions = versionsOf();
  const keys: KeyEntry[] = [];
  let problem: string | null = null;
  let root = tree.root();
  for await (const entries of bundlesOf(source, now.size)) {
    for (const entry of entries) {
      const index = tree.size();
      tree.add(entry);
      if (tree.size() === earlier.size) root = tree.root();
      try {
        follow(index, entry);
      } catch (error) {
        problem ??= reasonOf(index, error);
      }
    }
  }
  const roots = [root, tree.root()] as const;
  return { size: now.size, roots, samples, versions: versions.all(), keys, problem };

  function follow(index: number, entry: Uint8Array): void {
    const leaf: Leaf = decodeLeaf(entry);
    if (leaf.kind === 'ingest' && index < until) {
      samples.ingest(index, leaf.commitment, leaf.membership);
    } else if (leaf.kind === 'delete' && leaf.commitment && index < until) {
      samples.remove(index, leaf.commitment);
    } else if (leaf.kind === 'train-intent') versions.intent(index, entry, leaf);
    else if (leaf.kind === 'version') versions.version(index, entry, leaf);
    else if (leaf.kind === 'key') keys.push({ index, leaf });
  }
}

const reasonOf = (index: number, error: unknown): string => {
  const reason = error instanceof Error ? error.message : String(error);
  return reason.includes(String(index)) ? reason : `entry ${index}: ${reason}`;
};

/** Bundles asked for ahead of the one that is read. */
const AHEAD = 8;

async function* bundlesOf(source: LogSource, size: number): AsyncGenerator<Uint8Array[]> {
  const count = Math.ceil(size / TILE_WIDTH);
  const asked: Promise<Uint8Array>[] = [];
  for (let next = 0, index = 0; index < count; index++) {
    for (; next < Math.min(count, index + AHEAD); next++) {
      const bundle = source.bundle(next, Math.min(TILE_WIDTH, size - next * TILE_WIDTH));
      // Whoever stops early does not wait for it any more.
      bundle.catch(() => {});
      asked.push(bundle);
    }
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    const entries = parseBundle((await asked.shift()) as Uint8Array);
    must(entries.length >= width, `bundle ${index} of the log has ${entries.length} entries`);
    yield entries.slice(0, width);
  }
}
