/*
 * As much of Protocol Buffers' wire format as the CommitmentProof of ICS-23 needs (cosmos/ics23, proofs.proto).
 */

type Field = { readonly number: number; readonly bytes: Uint8Array };

function* fields(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('the message ends early');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const length = varint();
    // Numbers (hash and length operations) are not asked for.
    if ((tag & 7) === 0) continue;
    if ((tag & 7) !== 2) throw new Error(`wire type ${tag & 7}`);
    if (at + length > message.length) throw new Error('the message ends early');
    yield { number: tag >> 3, bytes: message.subarray(at, at + length) };
    at += length;
  }
}

const all = (message: Uint8Array, number: number): Uint8Array[] =>
  [...fields(message)].filter((field) => field.number === number).map(({ bytes }) => bytes);

const one = (message: Uint8Array, number: number): Uint8Array =>
  all(message, number)[0] ?? new Uint8Array(0);

/** One inner node: what comes before and after the child's hash. */
export type InnerOp = { readonly prefix: Uint8Array; readonly suffix: Uint8Array };

export type ExistenceProof = {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly leafPrefix: Uint8Array;
  /** From the leaf up. */
  readonly path: readonly InnerOp[];
};

function existence(message: Uint8Array): ExistenceProof {
  return {
    key: one(message, 1),
    value: one(message, 2),
    leafPrefix: one(one(message, 3), 5),
    path: all(message, 4).map((op) => ({ prefix: one(op, 2), suffix: one(op, 3) })),
  };
}

export type CommitmentProof =
  | { readonly exists: ExistenceProof }
  | { readonly left: ExistenceProof | null; readonly right: ExistenceProof | null };

export function decodeCommitmentProof(message: Uint8Array): CommitmentProof {
  const [exist] = all(message, 1);
  if (exist) return { exists: existence(exist) };
  const nonexist = one(message, 2);
  const [left, right] = [all(nonexist, 2)[0], all(nonexist, 3)[0]];
  return { left: left ? existence(left) : null, right: right ? existence(right) : null };
}
