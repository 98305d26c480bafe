import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '#src/audit/bytes.js';
import { openCheckpoint, parseCheckpoint } from '#src/audit/log/checkpoint.js';
import { verifyEd25519 } from '#src/audit/log/ed25519.js';
import {
  formatSignerKey,
  formatVerifierKey,
  generateKey,
  parseSignerKey,
  parseVerifierKey,
  verifierOf,
} from '#src/audit/log/keys.js';
import { addSignature, openNote, signNote } from '#src/audit/log/note.js';
import { cosignText, signText } from '#src/audit/log/signatures.js';
import { formatTlogProof, parseTlogProof } from '#src/audit/log/tlog-proof.js';
import { vectorsOrSkip } from '../support/vectors.js';

const read = (directory: string, file: string) =>
  JSON.parse(readFileSync(join(directory, file), 'utf8'));

vectorsOrSkip('signed notes of Go, C2SP and Sigsum', (directory) => {
  const vector = read(directory, 'inline/signed-note.json');

  const CODES: Record<string, string> = {
    malformed: 'invalid_note',
    unverified: 'unknown_signer',
    'invalid-signature': 'invalid_signature',
  };

  test.each<{
    name: string;
    noteUtf8: string;
    vkeys: string[];
    ok: boolean;
    verified: string[];
    err: string | null;
  }>(vector.notes)('$name', ({ noteUtf8, vkeys, ok, verified, err }) => {
    const keys = vkeys.map(parseVerifierKey);
    if (ok) {
      expect(openNote(noteUtf8, keys).verified.map(({ key }) => key.name)).toEqual(verified);
    } else {
      expect(() => openNote(noteUtf8, keys)).toThrow(
        expect.objectContaining({ code: CODES[err as string] }),
      );
    }
  });

  test.each<{ vkey: string; ok: boolean }>(vector.vkeys)('verifier key $vkey', ({ vkey, ok }) => {
    if (ok) expect(formatVerifierKey(parseVerifierKey(vkey))).toBe(vkey);
    else {
      expect(() => parseVerifierKey(vkey)).toThrow(
        expect.objectContaining({ code: 'invalid_verifier_key' }),
      );
    }
  });

  test('a key signs as Go does, and its text is the same', () => {
    const { skey, text, want } = vector.signing;
    const key = parseSignerKey(skey);
    expect(formatSignerKey(key)).toBe(skey);
    expect(signNote(text, [key])).toBe(want);
    expect(formatVerifierKey(verifierOf(key))).toBe(vector.vkeys[0].vkey);
  });

  test('the checkpoint of sum.golang.org is opened with its key', () => {
    const note = vector.notes.find(({ name }: { name: string }) => name.includes('sum.golang'));
    const keys = note.vkeys.map(parseVerifierKey);
    const origin = 'go.sum database tree';
    expect(openCheckpoint(note.noteUtf8, { keys, origin })).toMatchObject({
      origin,
      size: 30_055_305,
      extensions: [],
    });
    expect(() => openCheckpoint(note.noteUtf8, { keys })).toThrow(
      expect.objectContaining({ code: 'invalid_checkpoint' }),
    );
  });
});

vectorsOrSkip('cosignatures of Sigsum', (directory) => {
  const [vector] = read(directory, 'inline/cosignature-v1.json').cosignatures;
  const log = generateKey('example.org/log', fromHex('22'.repeat(32)));
  const witness = generateKey('example.org/witness', fromHex(vector.seedHex), 'cosignature');
  const signed = signNote(vector.body, [log]);

  test('are made to the byte', () => {
    const note = addSignature(signed, cosignText(vector.body, witness, 1234));
    expect(note).toBe(`${signed}${vector.line}\n`);
  });

  test('are verified, and give their time', () => {
    const note = `${signed}${vector.line}\n`;
    const opened = openCheckpoint(note, {
      keys: [verifierOf(log)],
      witnesses: [verifierOf(witness)],
    });
    expect(opened.cosignedBy).toEqual([{ key: verifierOf(witness), time: 1234 }]);
    expect(opened.signedBy).toEqual([{ key: verifierOf(log), time: null }]);
    expect(parseCheckpoint(vector.body).size).toBe(10);
    // A plain signature under the cosigner's name and id is none.
    const plain = { ...signText(vector.body, generateKey('w', witness.seed)), name: witness.name };
    expect(() =>
      openNote(addSignature(signed, { ...plain, id: witness.id }), [verifierOf(witness)]),
    ).toThrow(expect.objectContaining({ code: 'invalid_signature' }));
  });
});

vectorsOrSkip('tlog-proofs of transparency-dev/formats', (directory) => {
  const vector = read(directory, 'inline/tlog-proof.json');

  test.each<[string, string]>(vector.bad)('%s', (_, text) => {
    expect(() => parseTlogProof(text)).toThrow(expect.objectContaining({ code: 'invalid_proof' }));
  });

  test.each<{ text: string; index: string; hashes: []; checkpoint: string }>(vector.good)(
    'index $index is read, and written as it was',
    ({ text, index, hashes, checkpoint }) => {
      const proof = parseTlogProof(text);
      expect(proof).toEqual({ extra: null, index: Number(index), hashes, checkpoint });
      expect(formatTlogProof(proof)).toBe(text);
    },
  );
});

vectorsOrSkip('Ed25519 of Wycheproof', (directory) => {
  type Group = {
    publicKey: { pk: string };
    tests: { tcId: number; comment: string; msg: string; sig: string; result: string }[];
  };
  const groups: Group[] = read(directory, 'wycheproof/ed25519_test.json').testGroups;
  const cases = groups.flatMap(({ publicKey, tests }) =>
    tests.map((vector) => ({ ...vector, pk: publicKey.pk })),
  );

  test('is all there', () => expect(cases.length).toBeGreaterThanOrEqual(150));

  describe.each(cases)('$tcId $comment', ({ pk, msg, sig, result }) => {
    test(result, () => {
      const holds = verifyEd25519(fromHex(sig), fromHex(msg), fromHex(pk));
      expect(holds, toHex(fromHex(sig))).toBe(result === 'valid');
    });
  });
});
