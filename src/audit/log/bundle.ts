import { LegonetError } from '../../errors.js';
import { TILE_WIDTH } from './tiles.js';

/*
 * Entries of the log as they are stored and served (c2sp.org/tlog-tiles, "Log entries"): each after its length
 * in 2 bytes, big-endian.
 */

/** Bytes of an entry, at most: as many as its length has room for. */
export const ENTRY_BYTES_MAX = 65_535;

/** Throws `entry_too_large`. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = new Uint8Array(entries.reduce((sum, { length }) => sum + 2 + length, 0));
  let at = 0;
  for (const entry of entries) {
    const { length } = entry;
    if (length > ENTRY_BYTES_MAX) {
      throw new LegonetError('entry_too_large', `an entry has at most ${ENTRY_BYTES_MAX} bytes`);
    }
    bundle[at] = length >> 8;
    bundle[at + 1] = length & 0xff;
    bundle.set(entry, at + 2);
    at += 2 + length;
  }
  return bundle;
}

/** The entries of a bundle, 256 at most, as views of its bytes. Throws `invalid_bundle`. */
export function parseBundle(bundle: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length; ) {
    const start = at + 2;
    const end = start + (bundle[at] as number) * 256 + (bundle[at + 1] ?? 0);
    if (end > bundle.length) {
      throw new LegonetError('invalid_bundle', 'the bundle ends within an entry');
    }
    entries.push(bundle.subarray(start, end));
    at = end;
  }
  if (entries.length > TILE_WIDTH) {
    throw new LegonetError('invalid_bundle', `a bundle has at most ${TILE_WIDTH} entries`);
  }
  return entries;
}
