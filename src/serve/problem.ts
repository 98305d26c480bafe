import { STATUS_CODES } from 'node:http';
import { LegonetError } from '../errors.js';
import { isRetryable } from '../store/database.js';
import { toJson } from '../store/json.js';

/** An answer that is not the wanted one. The message names what to do, never what was sent. */
export class HttpError extends LegonetError {
  constructor(
    code: string,
    readonly status: number,
    message: string,
    readonly extra: {
      readonly headers?: Readonly<Record<string, string>>;
      /** More members of the problem document. */
      readonly members?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(code, message, status === 503 ? 'retryable' : 'terminal');
  }
}

/** RFC 9457, with our stable code. What is not meant for the caller is not told. */
export function problem(error: unknown): Response {
  const { code, status, message, extra } = asHttpError(error);
  const title = STATUS_CODES[status] ?? 'Error';
  const type = `urn:legonet:problem:${code}`;
  const document = { type, title, status, detail: message, code, ...extra.members };
  return new Response(`${toJson(document)}\n`, {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(status === 503 && { 'retry-after': '1' }),
      ...extra.headers,
    },
  });
}

/** Codes of the layers below that are the caller's to mend. */
const STATUS: Readonly<Record<string, number>> = { no_version: 404, no_model: 404 };

function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof LegonetError && STATUS[error.code] !== undefined) {
    return new HttpError(error.code, STATUS[error.code] ?? 500, error.message);
  }
  if (isRetryable(error) || isTimeout(error)) {
    return new HttpError('unavailable', 503, 'the database or the log does not answer: try again');
  }
  return new HttpError('internal_error', 500, 'this is our fault: the log of the server says more');
}

/** A pool that had no connection to give in time. */
const isTimeout = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('timeout exceeded');

/** Whether an operator should hear of it. */
export const isOurFault = (error: unknown): boolean => asHttpError(error).status === 500;
