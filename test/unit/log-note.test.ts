import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromBase64, toBase64, utf8 } from '#src/audit/bytes.js';
import { leafHash } from '#src/audit/hash.js';
import {
  type Checkpoint,
  formatCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
} from '#src/audit/log/checkpoint.js';
import {
  formatSignerKey,
  formatVerifierKey,
  generateKey,
  parseSignerKey,
  parseVerifierKey,
  verifierOf,
} from '#src/audit/log/keys.js';
import { inclusionProofOf, nodesOver, rootOf } from '#src/audit/log/merkle.js';
import { addSignature, formatNote, openNote, parseNote, signNote } from '#src/audit/log/note.js';
import { cosignText, signText, verifyText } from '#src/audit/log/signatures.js';
import { formatTlogProof, parseTlogProof, verifyTlogProof } from '#src/audit/log/tlog-proof.js';

const code = (code: string) => expect.objectContaining({ code });
const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

const key = generateKey('example.com/log', seed(1));
const other = generateKey('example.com/log', seed(2));
const witness = generateKey('example.com/w1', seed(3), 'cosignature');
const second = generateKey('example.com/w2', seed(4), 'cosignature');
const keys = [verifierOf(key)];

const leaves = Array.from({ length: 11 }, (_, i) => leafHash(Uint8Array.of(i)));
const checkpoint: Checkpoint = {
  origin: 'example.com/log',
  size: leaves.length,
  root: rootOf(leaves),
  extensions: [],
};
const note = signCheckpoint(checkpoint, [key]);
const text = formatCheckpoint(checkpoint);

describe('a key', () => {
  test('is read back from its text', () => {
    for (const one of [key, witness]) {
      expect(parseSignerKey(formatSignerKey(one))).toEqual(one);
      expect(parseVerifierKey(formatVerifierKey(one))).toEqual(verifierOf(one));
    }
  });

  test('of the same seed has another id under another name or of another type', () => {
    const ids = [
      generateKey('a', seed(1)),
      generateKey('b', seed(1)),
      generateKey('a', seed(1), 'cosignature'),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
  });

  test('changed by any character is refused, with nothing of it in the message', () => {
    const whole = formatSignerKey(key);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.constantFrom(...'A+0 a\n='), (at, character) => {
        const changed = whole.slice(0, at) + character + whole.slice(at + 1);
        fc.pre(changed !== whole);
        let message = '';
        try {
          parseSignerKey(changed);
        } catch (error) {
          expect(error).toEqual(code('invalid_signing_key'));
          ({ message } = error as Error);
        }
        expect(message).not.toBe('');
        expect(message).not.toContain(whole.slice(-20, -12));
      }),
    );
  });

  test.each(['', 'a b', 'a+b', 'a\u00a0b', 'a\u0085b', 'a\u2028', 'a\nb', 'a\u0001b', '\ud800'])(
    'is not named %j',
    (name) => {
      expect(() => generateKey(name, seed(1))).toThrow(code('invalid_signing_key'));
    },
  );

  test('has a seed of 32 bytes', () => {
    expect(() => generateKey('a', new Uint8Array(31))).toThrow(code('invalid_signing_key'));
  });

  test('that cosigns does not sign, and the other way round', () => {
    expect(() => signText(text, witness)).toThrow(code('invalid_signing_key'));
    expect(() => cosignText(text, key, 1)).toThrow(code('invalid_signing_key'));
  });
});

test('a signature is verified only with a key of its name and id', () => {
  const signature = signText(text, key);
  expect(verifyText(text, key, signature)).toEqual({ key, time: null });
  expect(verifyText(text, key, { ...signature, name: 'example.com/other' })).toBeNull();
  expect(verifyText(text, key, { ...signature, id: signature.id ^ 1 })).toBeNull();
});

describe('a note', () => {
  test('is read back, from bytes too, with empty lines in its text', () => {
    const signed = signNote('one\n\ntwo — three\n', [key]);
    expect(parseNote(signed).text).toBe('one\n\ntwo — three\n');
    expect(formatNote(parseNote(utf8(signed)))).toBe(signed);
  });

  test('signed by others too is open to who trusts one of them', () => {
    const both = addSignature(note, signText(text, other));
    expect(openNote(both, keys).verified).toEqual([{ key: keys[0], time: null }]);
    expect(openNote(both, [verifierOf(other)]).verified).toHaveLength(1);
    expect(openNote(both, [verifierOf(other)]).signatures).toHaveLength(2);
    expect(openNote(both, [...keys, verifierOf(other)]).verified).toHaveLength(2);
    expect(() => openNote(both, [verifierOf(witness)])).toThrow(code('unknown_signer'));
  });

  test('signed twice by one key counts once', () => {
    expect(openNote(addSignature(note, signText(text, key)), keys).verified).toHaveLength(1);
  });

  test('with one wrong signature of a known key is refused whole', () => {
    const wrong = addSignature(note, signText('another\n', key));
    expect(() => openNote(wrong, keys)).toThrow(code('invalid_signature'));
  });

  test('takes 100 signatures and no more', () => {
    const signature = parseNote(note).signatures[0] as never;
    const many = (count: number) =>
      formatNote({ text, signatures: new Array(count).fill(signature) });
    expect(openNote(many(100), keys).verified).toHaveLength(1);
    expect(() => openNote(many(101), keys)).toThrow(code('invalid_note'));
  });

  test.each([
    ['is empty', ''],
    ['has no newline at the end', note.slice(0, -1)],
    ['has an empty line at the end', `${note}\n`],
    ['has Windows newlines', note.replaceAll('\n', '\r\n')],
    ['has a tab', note.replace('example', 'exam\tple')],
    ['has a lone surrogate', note.replace('example', '\udc00')],
    ['has two spaces in a signature', note.replace(/ (\S+)\n$/, '  $1\n')],
    ['has a space after a signature', note.replace(/\n$/, ' \n')],
    ['has a no-break space in a name', note.replace('— example.com', '— example\u00a0com')],
    ['has a plus in a name', note.replace('— example.com', '— example+com')],
    ['has a hyphen for the dash', note.replace('—', '-')],
    ['has a signature of 4 bytes', note.replace(/ \S+\n$/, ' AAAAAA==\n')],
    ['has base64 without padding', note.replace(/=+\n$/, '\n')],
    ['has base64 of the other alphabet', note.replace(/ \S+\n$/, ' AAAA-_AA\n')],
    ['has bits that say nothing', note.replace(/ \S+\n$/, ' AAAAAAB=\n')],
    ['is too long', note.replace('example', 'e'.repeat(1_000_000))],
  ])('that %s is refused', (_, wrong) => {
    expect(() => parseNote(wrong)).toThrow(code('invalid_note'));
  });

  test('that is not UTF-8 is refused', () => {
    expect(() => parseNote(concat(Uint8Array.of(0xff), utf8(note)))).toThrow(code('invalid_note'));
    expect(() => parseNote(concat(Uint8Array.of(0xed, 0xa0, 0x80), utf8(note)))).toThrow(
      code('invalid_note'),
    );
  });

  test('keeps a byte order mark: it is signed', () => {
    const marked = signNote('\ufefftext\n', [key]);
    expect(openNote(utf8(marked), keys).text).toBe('\ufefftext\n');
  });
});

describe('a checkpoint', () => {
  test('is read back, with its extensions', () => {
    const extended = { ...checkpoint, extensions: ['one', 'two 2'] };
    expect(parseCheckpoint(formatCheckpoint(extended))).toEqual(extended);
    expect(openCheckpoint(signCheckpoint(extended, [key]), { keys })).toMatchObject(extended);
  });

  test.each([
    ['no last newline', text.slice(0, -1)],
    ['two lines', text.split('\n').slice(0, 2).join('\n')],
    ['an empty origin', text.replace('example.com/log', '')],
    ['an empty extension', `${text}\n`],
    ['a leading zero', text.replace('\n11\n', '\n011\n')],
    ['a sign', text.replace('\n11\n', '\n+11\n')],
    ['a negative size', text.replace('\n11\n', '\n-11\n')],
    ['an exponent', text.replace('\n11\n', '\n1e1\n')],
    ['a size of 2^53', text.replace('\n11\n', '\n9007199254740992\n')],
    ['digits that are not ASCII', text.replace('\n11\n', '\n١١\n')],
    ['a root of 31 bytes', text.replace(toBase64(checkpoint.root), toBase64(new Uint8Array(31)))],
    ['a root without padding', text.replace('=', '')],
  ])('with %s is refused', (_, wrong) => {
    expect(() => parseCheckpoint(wrong)).toThrow(code('invalid_checkpoint'));
  });

  test.each<[string, Partial<Checkpoint>]>([
    ['a newline in the origin', { origin: 'a\nb' }],
    ['another checkpoint in the origin', { origin: text.slice(0, -1) }],
    ['a size that is no integer', { size: 1.5 }],
    ['a root that is too short', { root: new Uint8Array(20) }],
    ['an empty extension', { extensions: [''] }],
    ['a newline in an extension', { extensions: ['a\nb'] }],
  ])('with %s is not written', (_, change) => {
    expect(() => formatCheckpoint({ ...checkpoint, ...change })).toThrow(
      code('invalid_checkpoint'),
    );
  });

  test('changed by any bit is not opened', () => {
    const bytes = utf8(note);
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = bytes.with(bit >> 3, (bytes[bit >> 3] as number) ^ (1 << (bit & 7)));
        expect(() => openCheckpoint(changed, { keys })).toThrow(
          expect.objectContaining({
            code: expect.stringMatching(/^(invalid_checkpoint|unknown_signer)$/),
          }),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('is opened by the key that signed it, not by another of its name, nor for another log', () => {
    expect(openCheckpoint(note, { keys })).toMatchObject(checkpoint);
    expect(openCheckpoint(note, { keys: [verifierOf(other), ...keys] }).size).toBe(11);
    expect(() => openCheckpoint(note, { keys: [verifierOf(other)] })).toThrow(
      code('unknown_signer'),
    );
    expect(() => openCheckpoint(note, { keys, origin: 'example.com/other' })).toThrow(
      code('invalid_checkpoint'),
    );
    expect(() => openCheckpoint(note, { keys: [] })).toThrow(code('unknown_signer'));
  });

  test('that only witnesses have signed is not the log’s', () => {
    const cosigned = formatNote({ text, signatures: [cosignText(text, witness, 7)] });
    expect(() => openCheckpoint(cosigned, { keys, witnesses: [verifierOf(witness)] })).toThrow(
      code('unknown_signer'),
    );
  });

  test('whose cosignature has another time is refused', () => {
    const signature = cosignText(text, witness, 7);
    const later = { ...signature, bytes: signature.bytes.with(7, 8) };
    const trust = { keys, witnesses: [verifierOf(witness)] };
    expect(openCheckpoint(addSignature(note, signature), trust).cosignedBy[0]?.time).toBe(7);
    expect(() => openCheckpoint(addSignature(note, later), trust)).toThrow(
      code('invalid_checkpoint'),
    );
  });
});

describe('a tlog-proof', () => {
  const index = 6;
  const leaf = leaves[index] as Uint8Array;
  const proof = {
    extra: null,
    index,
    hashes: inclusionProofOf(index, leaves.length, nodesOver(leaves)),
    checkpoint: note,
  };

  test('is read back and verifies, with extra data and without', () => {
    for (const extra of [null, utf8('the record')]) {
      const again = parseTlogProof(formatTlogProof({ ...proof, extra }));
      expect(again).toEqual({ ...proof, extra });
      expect(verifyTlogProof(again, leaf, { keys }).size).toBe(leaves.length);
    }
  });

  test('of another leaf or of another index does not verify', () => {
    expect(() => verifyTlogProof(proof, leaves[7] as Uint8Array, { keys })).toThrow(
      code('invalid_proof'),
    );
    expect(() => verifyTlogProof({ ...proof, index: 7 }, leaf, { keys })).toThrow(
      code('invalid_proof'),
    );
    expect(() => verifyTlogProof({ ...proof, index: 11 }, leaf, { keys })).toThrow(
      code('invalid_proof'),
    );
  });

  test('needs as many different witnesses as are asked for', () => {
    const witnesses = [verifierOf(witness), verifierOf(second)];
    const twice = addSignature(
      addSignature(note, cosignText(text, witness, 7)),
      cosignText(text, witness, 8),
    );
    const once = { ...proof, checkpoint: twice };
    expect(verifyTlogProof(once, leaf, { keys, witnesses, quorum: 1 }).size).toBe(11);
    expect(() => verifyTlogProof(once, leaf, { keys, witnesses, quorum: 2 })).toThrow(
      code('unknown_signer'),
    );
    const both = { ...proof, checkpoint: addSignature(twice, cosignText(text, second, 9)) };
    expect(verifyTlogProof(both, leaf, { keys, witnesses, quorum: 2 }).cosignedBy).toHaveLength(2);
  });

  const whole = formatTlogProof(proof);
  test.each([
    ['another version', whole.replace('@v1', '@v2')],
    ['no checkpoint', whole.slice(0, whole.indexOf('\n\n'))],
    ['a leading zero', whole.replace('index 6', 'index 06')],
    ['an index of 2^53', whole.replace('index 6', 'index 9007199254740992')],
    ['two spaces', whole.replace('index 6', 'index  6')],
    ['empty extra data', whole.replace('index', 'extra \nindex')],
    ['extra data after the index', whole.replace('index 6', 'index 6\nextra AAAA')],
    ['Windows newlines', whole.replaceAll('\n', '\r\n')],
    ['65 hashes', whole.replace('\n\n', `\n${`${toBase64(leaf)}\n`.repeat(65)}\n`)],
  ])('with %s is refused', (_, wrong) => {
    expect(() => parseTlogProof(wrong)).toThrow(code('invalid_proof'));
  });

  test('has its hashes in RFC 6962’s order', () => {
    const [first = ''] = whole.split('index 6\n')[1]?.split('\n') ?? [];
    expect(fromBase64(first)).toEqual(leaves[7]);
  });
});
