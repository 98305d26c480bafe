import canonicalize from 'canonicalize';
import { LegonetError } from '../errors.js';
import { utf8 } from './bytes.js';

/*
 * JSON of which each value has one text: RFC 8785. Whoever reads no other text cannot be shown two different
 * values under one hash (duplicate keys), nor two texts of one certificate.
 */

/** Lists and objects inside each other; no file of ours comes near. */
const MAX_DEPTH = 32;

/** The RFC 8785 form. Throws `invalid_json` for what has none. */
export function canonicalText(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw invalid('the value has no JSON form');
  if (hasLoneSurrogate(value)) throw invalid('a text is not well-formed Unicode');
  return text;
}

export const canonicalBytes = (value: unknown): Uint8Array => utf8(canonicalText(value));

/**
 * The value of a text that is its own RFC 8785 form; one newline may follow. So duplicate keys, spaces,
 * other orders of keys, other spellings of numbers or characters are all refused. Throws `invalid_json`.
 */
export function parseCanonical(text: string): unknown {
  checkDepth(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('not JSON');
  }
  const form = canonicalText(value);
  if (text !== form && text !== `${form}\n`) {
    throw invalid(`not the one form that it may have (RFC 8785): ${difference(text, form)}`);
  }
  return value;
}

function difference(text: string, form: string): string {
  let at = 0;
  while (at < form.length && text[at] === form[at]) at++;
  return `first at character ${at}`;
}

/** Before it is parsed: what follows recurses. */
function checkDepth(text: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    if (depth > MAX_DEPTH) throw invalid(`more than ${MAX_DEPTH} levels deep`);
  }
}

function hasLoneSurrogate(value: unknown): boolean {
  if (typeof value === 'string') return /\p{Surrogate}/u.test(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some((entry) => entry.some(hasLoneSurrogate));
}

const invalid = (message: string): LegonetError => new LegonetError('invalid_json', message);
