import { isIP } from 'node:net';
import { LegonetError } from '../errors.js';
import type { Settings } from '../settings.js';
import { makeLocalToken } from './local.js';
import { allScopes, readTokens, Tokens } from './tokens.js';

/** Who may do what. */
export type Access = {
  readonly tokens: Tokens;
  /** Whether metrics are for everybody: everybody is on this machine. */
  readonly openMetrics: boolean;
  /** The token in the data directory, if that is what counts. */
  readonly localToken: string | null;
};

export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  return (isIP(host) === 4 && host.startsWith('127.')) || host === '::1';
}

/**
 * Checks who would be let in, before anything starts. Throws `invalid_setting`: beyond this machine,
 * nobody is served without tokens of the operator's own.
 */
export async function checkAccess({ http }: Pick<Settings, 'http'>): Promise<void> {
  if (http.tokensFile !== undefined) await readTokens(http.tokensFile);
  else if (!isLoopback(http.host)) {
    throw new LegonetError(
      'invalid_setting',
      `LEGONET_TOKENS_FILE: expected a file of tokens, since LEGONET_HTTP_HOST is ${http.host}: ` +
        'other machines reach it. Set one, or leave HTTP out with --roles project,build,publish',
    );
  }
}

/**
 * The tokens of the file; without one, on loopback, that of the data directory where the embedded
 * server is, made at the first start; else none, and only what is open is served.
 */
export async function openAccess({
  http,
  databaseUrl,
  dataDir,
}: Pick<Settings, 'http' | 'databaseUrl' | 'dataDir'>): Promise<Access> {
  await checkAccess({ http });
  const openMetrics = isLoopback(http.host);
  if (http.tokensFile !== undefined) {
    return { tokens: await readTokens(http.tokensFile), openMetrics, localToken: null };
  }
  if (databaseUrl !== undefined) return { tokens: new Tokens([]), openMetrics, localToken: null };
  const localToken = await makeLocalToken(dataDir);
  return { tokens: allScopes(localToken), openMetrics, localToken };
}
