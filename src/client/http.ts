import { LegonetError } from '../errors.js';
import { Late, parts, within } from './deadline.js';

/** Where a server is and the token that it takes. */
export type Location = { readonly url: string; readonly token: string };

/** An answer that is not the wanted one. */
export class AnswerError extends LegonetError {
  constructor(
    code: string,
    message: string,
    retry: 'terminal' | 'retryable',
    readonly status: number,
  ) {
    super(code, message, retry);
  }
}

export type RemoteOptions = {
  /** Asked before each request: a server may come back elsewhere. */
  readonly locate: () => Promise<Location>;
  /** How long an answer may take. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
};

/** What a problem document is read up to. */
const PROBLEM_BYTES = 64 * 1024;

/**
 * Requests to the server. All throw `server_unreachable`, `server_refused` (token or scope), or
 * `server_answer` with the status.
 */
export class Remote {
  readonly #options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  /** The whole body. Throws `answer_too_large`. */
  async bytes(path: string, limit: number): Promise<Uint8Array> {
    return this.#inTime(path, {}, limit);
  }

  /** Throws `invalid_answer` for what is not JSON, and as `bytes` does. */
  async json(path: string, limit: number): Promise<unknown> {
    const bytes = await this.bytes(path, limit);
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch {
      throw new LegonetError('invalid_answer', `${path}: the server sent no JSON`, 'retryable');
    }
  }

  async put(path: string, body: unknown): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'PUT', headers, body: JSON.stringify(body) };
    await this.#inTime(path, init, PROBLEM_BYTES);
  }

  /**
   * Hands over a body that has no end, part by part, until it ends nevertheless or nothing has come for
   * `silenceMs`.
   */
  async stream(
    path: string,
    headers: Readonly<Record<string, string>>,
    silenceMs: number,
    onOpen: () => void,
    onPart: (part: Uint8Array) => void,
  ): Promise<void> {
    const init = { headers: { accept: 'text/event-stream', ...headers } };
    await reached(path, () =>
      within(this.#options.signal, silenceMs, async (signal, refresh) => {
        const { body } = await this.#request(path, init, signal);
        onOpen();
        for await (const part of body ? parts(body, signal) : []) {
          refresh();
          onPart(part);
        }
      }),
    );
  }

  async #inTime(path: string, init: RequestInit, limit: number): Promise<Uint8Array> {
    const { signal, timeoutMs } = this.#options;
    return reached(path, () =>
      within(signal, timeoutMs, async (either) => {
        const response = await this.#request(path, init, either);
        return read(response, limit, either);
      }),
    );
  }

  async #request(path: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    const { url, token } = await this.#options.locate();
    const address = new URL(path.slice(1), url.endsWith('/') ? url : `${url}/`);
    const headers = { ...init.headers, authorization: `Bearer ${token}` };
    // A redirect would take the token who knows where.
    const response = await fetch(address, { ...init, headers, signal, redirect: 'error' });
    if (response.ok) return response;
    throw await refusal(response, path, signal);
  }
}

/** Throws `server_unreachable` where there was no answer, or not all of one. */
async function reached<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof LegonetError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LegonetError(
      'server_unreachable',
      `${path}: ${cause instanceof Late ? 'nothing has come in time' : reason}: is the server running, and is the address right?`,
      'retryable',
      { cause: error },
    );
  }
}

async function read({ body }: Response, limit: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ? parts(body, signal) : []) {
    size += chunk.byteLength;
    if (size > limit) {
      throw new LegonetError(
        'answer_too_large',
        `an answer of more than ${limit} bytes: is this the server's own address?`,
        'retryable',
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

async function refusal(
  response: Response,
  path: string,
  signal: AbortSignal,
): Promise<AnswerError> {
  const { status } = response;
  const text = await read(response, PROBLEM_BYTES, signal).then(
    (bytes) => Buffer.from(bytes).toString('utf8'),
    () => '',
  );
  const detail = detailOf(text) ?? response.statusText;
  if (status === 401 || status === 403) {
    const message = `${path}: the server does not let us (${detail}): check the token and its scopes`;
    return new AnswerError('server_refused', message, 'terminal', status);
  }
  const retry = status >= 500 || status === 429 ? 'retryable' : 'terminal';
  return new AnswerError('server_answer', `${path}: status ${status}: ${detail}`, retry, status);
}

function detailOf(problem: string): string | undefined {
  try {
    const { detail } = JSON.parse(problem);
    return typeof detail === 'string' ? detail.slice(0, 500) : undefined;
  } catch {
    return undefined;
  }
}
