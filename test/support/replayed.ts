import { concat } from '#src/audit/bytes.js';
import { membershipSalt } from '#src/audit/commitment.js';
import { encodeBundle } from '#src/audit/log/bundle.js';
import { TILE_WIDTH } from '#src/audit/log/tiles.js';
import {
  encodeListedSample,
  encodeListingHead,
  type ListingHead,
} from '#src/audit/replay/listing.js';
import type { LogSource } from '#src/audit/replay/log.js';
import {
  type Claim,
  type Replay,
  type ReplayCheckName,
  verifyReplay,
} from '#src/audit/replay/verify.js';
import { type AuditWorld, ORIGIN, type Sample, type Version } from './audit-world.js';

/** The world's log, as it is stored; other entries where a liar shows them. */
export const sourceOf = (
  world: AuditWorld,
  entries: readonly Uint8Array[] = world.entries,
  checkpoint: string = world.checkpoint(),
): LogSource => ({
  checkpoint: async () => checkpoint,
  bundle: async (index, width) =>
    encodeBundle(entries.slice(index * TILE_WIDTH, index * TILE_WIDTH + width)),
});

/** The listing of a version that has these samples. */
export function listingOf(
  { version, trained }: Version,
  samples: Iterable<Pick<Sample, 'commitment' | 'salt' | 'adapters'>>,
  head: Partial<ListingHead> = {},
): Uint8Array {
  const sorted = [...samples].sort((a, b) => Buffer.compare(a.commitment, b.commitment));
  return concat(
    encodeListingHead({
      version,
      adapters: trained,
      activated: sorted[0]?.adapters.length ?? 1,
      retained: sorted.length,
      ...head,
    }),
    ...sorted.map(({ commitment, salt, adapters }) =>
      encodeListedSample({ commitment, membershipSalt: membershipSalt(salt), adapters }),
    ),
  );
}

export const claimFor = (world: AuditWorld, version: Version): Claim => ({
  origin: ORIGIN,
  checkpoint: world.checkpoint(),
  version: version.version,
  index: version.index,
  intentIndex: version.intentIndex,
});

/** In pieces of no particular size. */
export async function* pieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Level 2 of a version, against the key that the log began with. */
export const replayed = (
  world: AuditWorld,
  version: Version,
  listing: Uint8Array,
  {
    without = [],
    log = sourceOf(world),
    claim = claimFor(world, version),
    earlier = [],
  }: {
    readonly without?: readonly ReplayCheckName[];
    readonly log?: LogSource;
    readonly claim?: Claim;
    readonly earlier?: readonly Uint8Array[];
  } = {},
): Promise<Replay> =>
  verifyReplay(
    {
      claim,
      vkey: world.vkey(0),
      log,
      listing: pieces(listing),
      earlier: earlier.map((one) => pieces(one)),
    },
    new Set(without),
  );
