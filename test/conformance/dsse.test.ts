import { verify, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { p256 } from '@noble/curves/nist.js';
import { describe, expect, test } from 'vitest';
import { fromBase64, toBase64, utf8 } from '#src/audit/bytes.js';
import {
  type Envelope,
  envelopeJson,
  IN_TOTO,
  parseEnvelope,
  preAuthenticationEncoding,
} from '#src/audit/dsse.js';
import { parseStatement } from '#src/audit/statement.js';
import { vectorsOrSkip } from '../support/vectors.js';

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

vectorsOrSkip('DSSE, the example of its protocol', (directory) => {
  const vector = readJson(join(directory, 'inline/dsse.json'));
  const payload = utf8(vector.payload);
  const message = preAuthenticationEncoding(vector.payloadType, payload);
  const envelope = {
    payload: toBase64(payload),
    payloadType: vector.payloadType,
    signatures: [{ sig: vector.sigP1363 }],
  };

  test('the pre-authentication encoding is the one given', () => {
    expect(Buffer.from(message).toString()).toBe(vector.pae);
  });

  test('the envelope is read, and its signature is one of that encoding', () => {
    const { signatures, ...read } = parseEnvelope(envelope);
    expect(read).toEqual({ payloadType: vector.payloadType, payload });
    const { x, y } = vector.ecdsaP256;
    const key = p256.Point.fromAffine({ x: BigInt(x), y: BigInt(y) }).toBytes();
    const [first] = signatures;
    expect(p256.verify(first?.sig ?? new Uint8Array(), message, key, { lowS: false })).toBe(true);
  });

  test('the envelope is written as it was read', () => {
    expect(envelopeJson(parseEnvelope(envelope))).toEqual(envelope);
  });

  test.each([
    ['a payload that is not base64', { payload: 'a b=' }],
    ['a payload in URL-safe base64', { payload: '-_-_' }],
    ['base64 with bits that say nothing', { payload: 'aGVsbG9=' }],
    ['no signature', { signatures: [] }],
    ['a field that there is not', { extra: 1 }],
  ])('an envelope with %s is refused', (_, change) => {
    expect(() => parseEnvelope({ ...envelope, ...change })).toThrow(
      expect.objectContaining({ code: 'invalid_envelope' }),
    );
  });
});

/*
 * Bundles of OpenSSF model signing: DSSE envelopes with in-toto statements inside Sigstore bundles. Those with a
 * certificate are verified with its key. What is about the bundle around the envelope (verification
 * material, entries of Rekor) and the predicate's own fields are Sigstore's and OMS's: not ours to judge.
 */
vectorsOrSkip('in-toto statements in the bundles of OpenSSF model signing', (directory) => {
  const root = join(directory, 'ossf-model-signing/test-vectors/v1.0');
  const bundle = (name: string) => readJson(join(root, name));
  const OMS = 'https://model_signing/signature/v1.0';
  const valid = readdirSync(join(root, 'valid'));

  const certificateOf = ({ verificationMaterial: material }: ReturnType<typeof bundle>) =>
    material.certificate ?? material.x509CertificateChain?.certificates[0];

  const signed = ({ payload, payloadType, signatures }: Envelope, key: X509Certificate) =>
    // Both are signed with ECDSA; the digest is that of the curve.
    ['sha256', 'sha384'].some((digest) =>
      verify(
        digest,
        preAuthenticationEncoding(payloadType, payload),
        key.publicKey,
        signatures[0]?.sig ?? new Uint8Array(),
      ),
    );

  test('are three valid ones', () => {
    expect(valid.sort()).toEqual([
      'certificate.bundle.json',
      'key.bundle.json',
      'sigstore.bundle.json',
    ]);
  });

  test.each(valid)('valid/%s is read', (name) => {
    const envelope = parseEnvelope(bundle(join('valid', name)).dsseEnvelope);
    expect(envelope.payloadType).toBe(IN_TOTO);
    const statement = parseStatement(envelope.payload, OMS);
    expect(statement.subject[0]?.digest.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each(['certificate.bundle.json', 'sigstore.bundle.json'])(
    'valid/%s is signed over our encoding of its payload',
    (name) => {
      const json = bundle(join('valid', name));
      const certificate = new X509Certificate(fromBase64(certificateOf(json).rawBytes));
      const envelope = parseEnvelope(json.dsseEnvelope);
      expect(signed(envelope, certificate)).toBe(true);
      expect(signed({ ...envelope, payloadType: 'text/plain' }, certificate)).toBe(false);
    },
  );

  test('a statement of another predicate than asked for is refused', () => {
    const { payload } = parseEnvelope(
      bundle('invalid-payload/wrong-predicate.bundle.json').dsseEnvelope,
    );
    expect(() => parseStatement(payload, OMS)).toThrow('not https://model_signing/signature/v1.0');
    expect(() => parseStatement(payload)).not.toThrow();
  });

  test('a bundle without an envelope has none that is read', () => {
    const { dsseEnvelope } = bundle('invalid/missing-envelope.bundle.json');
    expect(() => parseEnvelope(dsseEnvelope)).toThrow('not a DSSE envelope');
    expect(() => bundle('invalid/empty.bundle.json')).toThrow(SyntaxError);
  });

  test.each(['missing-tlog-entries.bundle.json', 'missing-verification-material.bundle.json'])(
    'invalid/%s is wrong around the envelope only: out of scope here',
    (name) => {
      const { payload } = parseEnvelope(bundle(join('invalid', name)).dsseEnvelope);
      expect(() => parseStatement(payload, OMS)).not.toThrow();
    },
  );

  describe('a statement is refused', () => {
    const [name = ''] = valid;
    const { payload } = parseEnvelope(bundle(join('valid', name)).dsseEnvelope);
    const statement = JSON.parse(new TextDecoder().decode(payload));
    test.each([
      ['of another version', { _type: 'https://in-toto.io/Statement/v0.1' }],
      ['without a subject', { subject: [] }],
      ['with a subject without a digest', { subject: [{ name: 'model', digest: {} }] }],
      ['with a digest in upper case', { subject: [{ digest: { sha256: 'AB' } }] }],
      ['without a predicate type', { predicateType: undefined }],
    ])('%s', (_, change) => {
      const bytes = utf8(JSON.stringify({ ...statement, ...change }));
      expect(() => parseStatement(bytes)).toThrow(
        expect.objectContaining({ code: 'invalid_statement' }),
      );
    });
  });
});
