import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, test } from 'vitest';
import { IN_TOTO, signPayload, verifyEnvelope, verifyPayload } from '#src/audit/dsse.js';
import {
  PROVENANCE,
  parseStatement,
  provenancePayload,
  UNLEARNING,
  type Unlearning,
  unlearningPayload,
} from '#src/audit/statement.js';

const of = (byte: number) => new Uint8Array(32).fill(byte);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const fields: Unlearning = {
  name: 'digits',
  model: of(0xaa),
  version: 7,
  parent: 6,
  cut: { '0': '12' },
  config: of(0xbb),
  code: of(0xcc),
  adapters: { root: of(0xdd), count: 100 },
  retained: { root: of(0xee), count: 41 },
  deletions: 1,
  intent: of(0xff),
  retires: [{ first: 3, last: 6, retiredAt: '2026-01-01T00:00:00Z' }],
};

const secret = of(7);
const publicKey = ed25519.getPublicKey(secret);
const sign = (message: Uint8Array) => ed25519.sign(message, secret);

describe('the statement of a version', () => {
  test('is the canonical JSON of its fields, in whatever order they are given', () => {
    const payload = unlearningPayload(fields);
    const reversed = Object.fromEntries(Object.entries(fields).reverse()) as Unlearning;
    expect(unlearningPayload(reversed)).toEqual(payload);
    expect(text(payload)).toBe(
      '{"_type":"https://in-toto.io/Statement/v1","predicate":{' +
        `"adapters":{"count":100,"root":"${'dd'.repeat(32)}"},` +
        `"code":{"sha256":"${'cc'.repeat(32)}"},"configuration":{"sha256":"${'bb'.repeat(32)}"},` +
        '"cut":{"0":"12"},"deletions":1,"parent":6,' +
        `"retained":{"count":41,"root":"${'ee'.repeat(32)}"},` +
        '"retires":[{"first":3,"last":6,"retiredAt":"2026-01-01T00:00:00Z"}],' +
        `"trainIntent":"${'ff'.repeat(32)}","version":7},` +
        '"predicateType":"https://legonet.dev/exact-unlearning/v1",' +
        `"subject":[{"digest":{"sha256":"${'aa'.repeat(32)}"},"name":"digits"}]}`,
    );
  });

  test('is an in-toto statement', () => {
    const { subject } = parseStatement(unlearningPayload(fields), UNLEARNING);
    expect(subject).toEqual([{ name: 'digits', digest: { sha256: 'aa'.repeat(32) } }]);
  });

  test('has SLSA provenance beside it, of the same subject', () => {
    const run = {
      builder: { id: 'https://legonet.dev/builder', version: '0.1.0' },
      invocationId: 'build-7',
      startedOn: '2026-01-01T00:00:00Z',
      finishedOn: '2026-01-01T00:00:01Z',
    };
    const payload = provenancePayload({ ...fields, ...run });
    const { subject, predicate } = parseStatement(payload, PROVENANCE);
    expect(subject).toEqual(parseStatement(unlearningPayload(fields)).subject);
    expect(predicate).toMatchObject({
      buildDefinition: {
        buildType: 'https://legonet.dev/build/v1',
        externalParameters: { model: 'digits', cut: { '0': '12' } },
      },
      runDetails: { builder: { version: { legonet: '0.1.0' } } },
    });
    const backend = { engine: 'wasm', tensorflow: null, probe: 'ab' };
    const trained = parseStatement(provenancePayload({ ...fields, ...run, backend }), PROVENANCE);
    expect(trained.predicate).toMatchObject({
      buildDefinition: { internalParameters: { backend } },
    });
  });
});

describe('an envelope', () => {
  const payload = unlearningPayload(fields);
  const signature = signPayload(IN_TOTO, payload, sign);

  test('is of the key that signed it, and of no other', () => {
    const envelope = (sig: Uint8Array) => ({
      payloadType: IN_TOTO,
      payload,
      signatures: [
        { keyid: null, sig: new Uint8Array(64) },
        { keyid: 'k', sig },
      ],
    });
    expect(verifyEnvelope(envelope(signature), publicKey)).toBe(true);
    expect(verifyEnvelope(envelope(signature), ed25519.getPublicKey(of(8)))).toBe(false);
    expect(verifyEnvelope(envelope(signature.slice(1)), publicKey)).toBe(false);
  });

  test('is signed with its type: the same payload under another one is not', () => {
    expect(verifyPayload(IN_TOTO, payload, signature, publicKey)).toBe(true);
    expect(verifyPayload('text/plain', payload, signature, publicKey)).toBe(false);
  });
});
