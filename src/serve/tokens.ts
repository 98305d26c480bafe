import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LegonetError } from '../errors.js';

/** What a token may be good for. */
export const SCOPES = [
  /** Send samples. */
  'ingest',
  /** Ask that samples and subjects be deleted. */
  'delete',
  /** Read what concerns samples and requests, personal data, and how things stand. */
  'audit',
  /** Read versions and weights, follow the stream, say what is in use, and predict. */
  'predict',
  /** All of it. */
  'admin',
] as const;

export type Scope = (typeof SCOPES)[number];

export type TokenEntry = { readonly sha256: Buffer; readonly scopes: readonly Scope[] };

/** Whether scopes let in where any one of some is asked for. */
export const allows = (scopes: readonly Scope[], asked: readonly Scope[]): boolean =>
  scopes.includes('admin') || asked.some((scope) => scopes.includes(scope));

/** Tokens are kept as digests: whoever reads the file cannot use them. */
export class Tokens {
  readonly #entries: readonly TokenEntry[];

  constructor(entries: readonly TokenEntry[]) {
    this.#entries = entries;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The token's digest and what it is good for, or null if there is no such token. */
  find(token: string): TokenEntry | null {
    const digest = sha256(token);
    let found: TokenEntry | null = null;
    // All of them, in the same time whichever it is.
    for (const entry of this.#entries) {
      if (timingSafeEqual(entry.sha256, digest)) found = entry;
    }
    return found;
  }

  /** What the token is good for, or null if there is no such token. */
  scopesOf(token: string): readonly Scope[] | null {
    return this.find(token)?.scopes ?? null;
  }
}

export const allScopes = (token: string): Tokens =>
  new Tokens([{ sha256: sha256(token), scopes: SCOPES }]);

const sha256 = (token: string): Buffer => createHash('sha256').update(token, 'utf8').digest();

/** Reads LEGONET_TOKENS_FILE. Throws `invalid_setting`. */
export async function readTokens(file: string): Promise<Tokens> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new LegonetError(
      'invalid_setting',
      `LEGONET_TOKENS_FILE: cannot read ${file}`,
      'terminal',
      { cause },
    );
  });
  return new Tokens(parseTokens(text));
}

/**
 * A token a line: its SHA-256 in hex, then its scopes; `#` begins a comment. Throws `invalid_setting`
 * naming the line.
 */
export function parseTokens(text: string): TokenEntry[] {
  const entries = text.split(/\r?\n/).flatMap((line, index) => {
    const [digest = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (digest === '') return [];
    const fail = (expected: string): never => {
      const message = `LEGONET_TOKENS_FILE: line ${index + 1}: expected ${expected}`;
      throw new LegonetError('invalid_setting', message);
    };
    if (!/^[0-9a-f]{64}$/i.test(digest)) {
      fail('the SHA-256 of a token in hex, as `printf %s TOKEN | sha256sum` gives it');
    }
    const scopes = names.map(
      (name) =>
        SCOPES.find((scope) => scope === name) ??
        fail(`scopes among ${SCOPES.join(', ')}, not ${JSON.stringify(name.slice(0, 64))}`),
    );
    if (scopes.length === 0) fail('the scopes after it');
    return [{ sha256: Buffer.from(digest, 'hex'), scopes }];
  });
  const digests = new Set(entries.map((entry) => entry.sha256.toString('hex')));
  if (digests.size === entries.length && digests.size > 0) return entries;
  const expected = entries.length === 0 ? 'a token at least' : 'each token once';
  throw new LegonetError('invalid_setting', `LEGONET_TOKENS_FILE: expected ${expected}`);
}
