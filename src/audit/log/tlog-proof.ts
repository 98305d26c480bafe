import { LegonetError } from '../../errors.js';
import { fromBase64, toBase64 } from '../bytes.js';
import { HASH_BYTES } from '../hash.js';
import { type OpenedCheckpoint, openCheckpoint, type Trust } from './checkpoint.js';
import { verifyInclusion } from './merkle.js';
import { invalidProof } from './positions.js';

/*
 * Files that prove offline that an entry is in a log (c2sp.org/tlog-proof@v1).
 */

export type TlogProof = {
  /** Not authenticated: null, or one byte at least. */
  readonly extra: Uint8Array | null;
  readonly index: number;
  /** Inclusion proof, from the leaf's sibling to the root's child. */
  readonly hashes: readonly Uint8Array[];
  /** A signed note, as the log gave it. */
  readonly checkpoint: string;
};

const HEADER = 'c2sp.org/tlog-proof@v1';
const PROOF_MAX = 1_000_000;
/** No tree has more levels. */
const HASHES_MAX = 64;

function base64(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch {
    throw invalidProof('a line is not strict base64');
  }
}

/** Reads what `formatTlogProof` gives and nothing else; the checkpoint is not read. Throws `invalid_proof`. */
export function parseTlogProof(text: string): TlogProof {
  if (text.length > PROOF_MAX) throw invalidProof(`a proof has at most ${PROOF_MAX} characters`);
  const split = text.indexOf('\n\n');
  if (split < 0) throw invalidProof('no checkpoint');
  const [header, ...rest] = text.slice(0, split).split('\n');
  if (header !== HEADER) throw invalidProof(`expected the first line ${HEADER}`);
  const extra = rest[0]?.startsWith('extra ') ? base64((rest.shift() as string).slice(6)) : null;
  if (extra?.length === 0) throw invalidProof('extra data are left out if there are none');
  const [, digits = ''] = /^index (0|[1-9][0-9]*)$/.exec(rest.shift() ?? '') ?? [];
  const index = Number(digits);
  if (digits === '' || !Number.isSafeInteger(index)) {
    throw invalidProof('the index is not a decimal number below 2^53');
  }
  if (rest.length > HASHES_MAX) throw invalidProof(`more than ${HASHES_MAX} hashes`);
  const hashes = rest.map(base64);
  if (hashes.some(({ length }) => length !== HASH_BYTES)) {
    throw invalidProof(`a hash has ${HASH_BYTES} bytes`);
  }
  return { extra, index, hashes, checkpoint: text.slice(split + 2) };
}

export function formatTlogProof({ extra, index, hashes, checkpoint }: TlogProof): string {
  const lines = [
    HEADER,
    ...(extra === null ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(toBase64),
  ];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

export type ProofTrust = Trust & {
  /** How many of the witnesses must have cosigned; 0 if left out. */
  readonly quorum?: number;
};

/**
 * That `leaf`, a leaf hash, is in the log that is trusted, at the proof's index. Throws `invalid_proof`,
 * `invalid_checkpoint` or `unknown_signer`.
 */
export function verifyTlogProof(
  proof: TlogProof,
  leaf: Uint8Array,
  trust: ProofTrust,
): OpenedCheckpoint {
  const checkpoint = openCheckpoint(proof.checkpoint, trust);
  const { index, hashes } = proof;
  verifyInclusion({ index, size: checkpoint.size, leaf, proof: hashes, root: checkpoint.root });
  const { quorum = 0 } = trust;
  if (checkpoint.cosignedBy.length < quorum) {
    throw new LegonetError(
      'unknown_signer',
      `${checkpoint.cosignedBy.length} witnesses have cosigned, not ${quorum}`,
    );
  }
  return checkpoint;
}
