import type { IncomingMessage } from 'node:http';
import { HttpError } from './problem.js';
import type { Route } from './route.js';
import { allows, type Scope, type Tokens } from './tokens.js';

/** Who asks. */
export type Caller = {
  /** What the rate limit counts under: the token that is known, else the address. */
  readonly key: string;
  /** Whether a token came along. */
  readonly token: 'none' | 'unknown' | 'known';
  readonly scopes: readonly Scope[];
};

/** Looks the token of a request up. Refuses nobody. */
export function identify({ headers, socket }: IncomingMessage, tokens: Tokens): Caller {
  const [, token] = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(headers.authorization ?? '') ?? [];
  const known = token === undefined ? null : tokens.find(token);
  if (known) {
    const key = `token ${known.sha256.toString('hex')}`;
    return { key, token: 'known', scopes: known.scopes };
  }
  const key = `address ${socket.remoteAddress ?? ''}`;
  return { key, token: token === undefined ? 'none' : 'unknown', scopes: [] };
}

const CHALLENGE = { headers: { 'www-authenticate': 'Bearer' } };

/** Throws `no_token`, `unknown_token` or `scope_missing`. */
export function admit({ token, scopes }: Caller, route: Pick<Route, 'scopes'>): void {
  if (route.scopes === null) return;
  if (token === 'none') {
    throw new HttpError('no_token', 401, 'send a token: "Authorization: Bearer TOKEN"', CHALLENGE);
  }
  if (token === 'unknown') {
    throw new HttpError('unknown_token', 401, 'the server does not know this token', CHALLENGE);
  }
  if (allows(scopes, route.scopes)) return;
  const asked = route.scopes.join(' or ');
  throw new HttpError('scope_missing', 403, `the token has not the scope ${asked}`);
}
