import { LegonetError } from '../../errors.js';
import { compareBytes, concat, uint32, uint64, utf8 } from '../bytes.js';
import { HASH_BYTES } from '../hash.js';

/*
 * The auditor's listing of a version, byte for byte as docs/reference/audit-log.md has it: of each adapter what
 * does not follow from its members, and of each retained sample what its leaf in the sets follows from. Written
 * and read as a stream; nothing in it is believed.
 */

export const LISTING_TAG = utf8('legonet.listing.v1\n');

export type ListingHead = {
  readonly version: number;
  /** Of each adapter, in order of id. */
  readonly adapters: readonly ListedAdapter[];
  /** How many adapters a sample has. */
  readonly activated: number;
  /** How many samples follow. */
  readonly retained: number;
};

export type ListedAdapter = {
  /** Weights digest, 32 bytes. */
  readonly weights: Uint8Array;
  /** The version for which it was built. */
  readonly builtIn: number;
};

export type ListedSample = {
  readonly commitment: Uint8Array;
  /** With the adapters it gives the membership. */
  readonly membershipSalt: Uint8Array;
  /** Ids, nearest first. */
  readonly adapters: readonly number[];
};

const MAX_ADAPTERS = 10_000;
const FIELDS_BYTES = LISTING_TAG.length + 4 + 4 + 4 + 8;
const ADAPTER_BYTES = HASH_BYTES + 4;

/** Bytes of a sample. */
export const listedBytes = (activated: number): number => 2 * HASH_BYTES + 4 * activated;

export function encodeListingHead(head: ListingHead): Uint8Array {
  const { version, adapters, activated, retained } = head;
  return concat(
    LISTING_TAG,
    ...[version, adapters.length, activated].map(uint32),
    uint64(BigInt(retained)),
    ...adapters.flatMap(({ weights, builtIn }) => [weights, uint32(builtIn)]),
  );
}

/** One sample; samples follow each other in order of commitment. */
export const encodeListedSample = (sample: ListedSample): Uint8Array =>
  concat(sample.commitment, sample.membershipSalt, ...sample.adapters.map(uint32));

const invalid = (reason: string): LegonetError =>
  new LegonetError('invalid_listing', `not a listing: ${reason}`);

/**
 * Reads a listing; `begin` is told its head and gives what is told each sample, whose bytes are views that do not
 * last. Throws `invalid_listing`.
 */
export async function readListing(
  chunks: AsyncIterable<Uint8Array>,
  begin: (head: ListingHead) => (sample: ListedSample) => void,
): Promise<ListingHead> {
  const take = taker(chunks);
  const head = await readHead(take);
  const onSample = begin(head);
  const size = listedBytes(head.activated);
  let last: Uint8Array | undefined;
  for (let left = head.retained; left > 0; ) {
    const count = Math.min(left, SAMPLES_AT_ONCE);
    const bytes = await take(count * size);
    for (let i = 0; i < count; i++) {
      const sample = sampleIn(bytes.subarray(i * size, (i + 1) * size), head);
      if (last && compareBytes(last, sample.commitment) >= 0) {
        throw invalid('the samples are not in order of commitment, each once');
      }
      last = sample.commitment;
      onSample(sample);
    }
    left -= count;
  }
  await take(0, true);
  return head;
}

const SAMPLES_AT_ONCE = 1024;

type Take = (length: number, last?: boolean) => Promise<Uint8Array>;

async function readHead(take: Take): Promise<ListingHead> {
  const fields = await take(FIELDS_BYTES);
  const view = new DataView(fields.buffer, fields.byteOffset + LISTING_TAG.length);
  if (compareBytes(fields.subarray(0, LISTING_TAG.length), LISTING_TAG) !== 0) {
    throw invalid('it does not begin with its tag');
  }
  const [version, count, activated] = [0, 4, 8].map((at) => view.getUint32(at)) as [
    number,
    number,
    number,
  ];
  const retained = Number(view.getBigUint64(12));
  if (count < 1 || count > MAX_ADAPTERS) throw invalid(`it has ${count} adapters`);
  if (activated < 1 || activated > count) throw invalid(`a sample has ${activated} adapters`);
  if (!Number.isSafeInteger(retained)) throw invalid('it has too many samples');
  const bytes = await take(count * ADAPTER_BYTES);
  const builtIn = new DataView(bytes.buffer, bytes.byteOffset);
  const adapters = Array.from({ length: count }, (_, i) => ({
    weights: bytes.slice(i * ADAPTER_BYTES, i * ADAPTER_BYTES + HASH_BYTES),
    builtIn: builtIn.getUint32(i * ADAPTER_BYTES + HASH_BYTES),
  }));
  return { version, adapters, activated, retained };
}

function sampleIn(bytes: Uint8Array, { activated, adapters }: ListingHead): ListedSample {
  const view = new DataView(bytes.buffer, bytes.byteOffset + 2 * HASH_BYTES);
  const own = Array.from({ length: activated }, (_, i) => view.getUint32(4 * i));
  if (own.some((id) => id >= adapters.length)) {
    throw invalid('a sample has an adapter that there is not');
  }
  if (new Set(own).size !== own.length) throw invalid('a sample has an adapter twice');
  return {
    commitment: bytes.subarray(0, HASH_BYTES),
    membershipSalt: bytes.subarray(HASH_BYTES, 2 * HASH_BYTES),
    adapters: own,
  };
}

/** Takes so many bytes from the front, or says that nothing may follow. */
function taker(chunks: AsyncIterable<Uint8Array>): Take {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  const more = async (): Promise<Uint8Array | null> => {
    const { done, value } = await iterator.next();
    return done ? null : value;
  };
  return async (length, last = false) => {
    const parts: Uint8Array[] = [];
    let got = 0;
    while (got < length) {
      if (rest.length === 0) {
        const chunk = await more();
        if (chunk === null) throw invalid('it ends early');
        rest = chunk;
        continue;
      }
      const part = rest.subarray(0, length - got);
      parts.push(part);
      got += part.length;
      rest = rest.subarray(part.length);
    }
    for (let end = last; end; ) {
      if (rest.length > 0) throw invalid('it goes on after its end');
      const chunk = await more();
      if (chunk === null) end = false;
      else rest = chunk;
    }
    return concat(...parts);
  };
}
