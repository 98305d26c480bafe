import type { HashingText } from './hashing-text.js';

/** What n-grams are made of: neighbouring units, each a range of the bytes, UTF-8. */
export type Units = {
  readonly bytes: Uint8Array;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
};

/** What Python takes for white space. JavaScript's `\s` has U+FEFF besides, and not the separators below U+0020. */
const SPACE =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const SPACES = new RegExp(`${SPACE}{2,}`, 'g');
const SPLIT = new RegExp(`${SPACE}+`);
/** scikit-learn's default: two or more of Python's `\w`. */
const WORDS = /[\p{L}\p{N}_]{2,}/gu;

/** The units of a text, each group apart from the others: words, characters, or the characters of each word. */
export function* unitsOf(analyzer: HashingText['analyzer'], text: string): Generator<Units> {
  if (analyzer === 'word') yield words(text.match(WORDS) ?? []);
  else if (analyzer === 'char') yield characters(text.replace(SPACES, ' '));
  else for (const word of text.split(SPLIT)) if (word !== '') yield characters(` ${word} `);
}

/** With one space between two: an n-gram of words is a range too. */
function words(tokens: readonly string[]): Units {
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const token of tokens) {
    starts.push(at);
    at += Buffer.byteLength(token);
    ends.push(at);
    at++;
  }
  return { bytes: Buffer.from(tokens.join(' ')), starts, ends };
}

function characters(text: string): Units {
  const bytes = Buffer.from(text);
  const starts: number[] = [];
  // Every byte but those that go on with a character.
  bytes.forEach((byte, i) => {
    if ((byte & 0xc0) !== 0x80) starts.push(i);
  });
  return { bytes, starts, ends: [...starts.slice(1), bytes.length] };
}
