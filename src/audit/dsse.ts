import * as z from 'zod';
import { LegonetError } from '../errors.js';
import { concat, fromBase64, toBase64, utf8 } from './bytes.js';
import { verifyEd25519 } from './log/ed25519.js';

/*
 * Dead Simple Signing Envelope 1.0: https://github.com/secure-systems-lab/dsse
 */

/** Media type of in-toto statements. */
export const IN_TOTO = 'application/vnd.in-toto+json';

/** Whatever signs: synchronously, with one key. */
export type Sign = (message: Uint8Array) => Uint8Array;

export type Envelope = {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly { readonly keyid: string | null; readonly sig: Uint8Array }[];
};

/** What is signed: type and payload, each with its length before it. */
export const preAuthenticationEncoding = (payloadType: string, payload: Uint8Array): Uint8Array =>
  concat(utf8(`DSSEv1 ${utf8(payloadType).length} ${payloadType} ${payload.length} `), payload);

export const signPayload = (payloadType: string, payload: Uint8Array, sign: Sign): Uint8Array =>
  sign(preAuthenticationEncoding(payloadType, payload));

/** Whether `signature` is that key's (Ed25519) of that payload. */
export const verifyPayload = (
  payloadType: string,
  payload: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean => verifyEd25519(signature, preAuthenticationEncoding(payloadType, payload), publicKey);

const envelope = z.strictObject({
  payload: z.string().min(1),
  payloadType: z.string().min(1),
  signatures: z
    .array(z.strictObject({ keyid: z.string().nullish(), sig: z.string().min(1) }))
    .min(1),
});

/** From JSON, already parsed; base64 is the standard one, strictly. Throws `invalid_envelope`. */
export function parseEnvelope(json: unknown): Envelope {
  const { data } = envelope.safeParse(json);
  if (!data) throw invalid('expected payload, payloadType and signatures');
  return {
    payloadType: data.payloadType,
    payload: bytes(data.payload),
    signatures: data.signatures.map(({ keyid, sig }) => ({
      keyid: keyid || null,
      sig: bytes(sig),
    })),
  };
}

/** As JSON; `parseEnvelope` reads it. */
export const envelopeJson = ({ payload, payloadType, signatures }: Envelope) => ({
  payload: toBase64(payload),
  payloadType,
  signatures: signatures.map(({ keyid, sig }) => ({
    ...(keyid !== null && { keyid }),
    sig: toBase64(sig),
  })),
});

/** Whether one of the envelope's signatures is the key's (Ed25519). Key ids are hints, and not asked. */
export const verifyEnvelope = (
  { payload, payloadType, signatures }: Envelope,
  publicKey: Uint8Array,
): boolean => signatures.some(({ sig }) => verifyPayload(payloadType, payload, sig, publicKey));

function bytes(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw invalid('expected strict base64', { cause });
  }
}

const invalid = (message: string, options?: ErrorOptions): LegonetError =>
  new LegonetError('invalid_envelope', `not a DSSE envelope: ${message}`, 'terminal', options);
