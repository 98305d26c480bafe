import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toHex, utf8 } from '#src/audit/bytes.js';
import { canonicalText, parseCanonical } from '#src/audit/json.js';
import { vectorsOrSkip } from '../support/vectors.js';

vectorsOrSkip('canonical JSON of cyberphone/json-canonicalization', (directory) => {
  const root = join(directory, 'rfc8785-jcs/testdata');
  const read = (folder: string, name: string) => readFileSync(join(root, folder, name), 'utf8');
  const names = readdirSync(join(root, 'input'));

  test('are six', () => {
    expect(names).toHaveLength(6);
  });

  test.each(names)('%s has the form given, byte for byte', (name) => {
    const form = canonicalText(JSON.parse(read('input', name)));
    expect(form).toBe(read('output', name));
    const hex = read('outhex', name.replace('.json', '.txt')).replaceAll(/\s/g, '');
    expect(toHex(utf8(form))).toBe(hex);
  });

  test.each(names)('%s is read in that form, and in no other', (name) => {
    const form = read('output', name);
    expect(parseCanonical(form)).toEqual(JSON.parse(read('input', name)));
    expect(() => parseCanonical(read('input', name))).toThrow('RFC 8785');
  });
});
