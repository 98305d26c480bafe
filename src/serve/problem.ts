import { STATUS_CODES } from 'node:http';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { LegonetError } from '../errors.js';
import { isRetryable } from '../store/database.js';
import { type Answer, json } from './answer.js';

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
export function problem(error: unknown): Answer {
  const { code, status, message, extra } = asHttpError(error);
  const title = STATUS_CODES[status] ?? 'Error';
  const type = `urn:legonet:problem:${code}`;
  const document = { type, title, status, detail: message, code, ...extra.members };
  const headers = {
    'cache-control': 'no-store',
    ...(status === 503 && { 'retry-after': '1' }),
    ...extra.headers,
  };
  return json(document, headers, status, 'application/problem+json');
}

/** Codes of the layers below that are the caller's to mend. */
const STATUS: Readonly<Record<string, number>> = {
  no_version: 404,
  no_model: 404,
  version_retired: 503,
  encoder_unavailable: 503,
  invalid_tile_path: 400,
  no_deletion: 404,
  nothing_deleted: 404,
  certificate_not_ready: 503,
  listing_not_ready: 503,
  no_sample: 404,
  sample_deleted: 410,
  receipt_not_ready: 503,
};

function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof LegonetError && STATUS[error.code] !== undefined) {
    return new HttpError(error.code, STATUS[error.code] ?? 500, error.message);
  }
  const malformed = readFault(error);
  if (malformed) return malformed;
  if (isRetryable(error) || isTimeout(error)) {
    return new HttpError('unavailable', 503, 'the database or the log does not answer: try again');
  }
  return new HttpError('internal_error', 500, 'this is our fault: the log of the server says more');
}

/** What was wrong with a request by its schemas, or by the framework's own reading. */
function readFault(error: unknown): HttpError | null {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [issue] = error.validation;
    const path = issue?.instancePath.slice(1).replaceAll('/', '.') ?? '';
    const message = `${path || 'body'}: ${issue?.message ?? 'not valid'}`;
    return new HttpError('invalid_request', 400, message);
  }
  const { code, statusCode } = Object(error) as { code?: unknown; statusCode?: unknown };
  if (typeof code !== 'string' || !code.startsWith('FST_')) return null;
  if (code === 'FST_ERR_BAD_URL') {
    return new HttpError('invalid_request', 400, 'path: expected percent-encoded UTF-8');
  }
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') return new HttpError('no_route', 404, NO_ROUTE);
  if (statusCode === 415) {
    const message = 'content-type: expected a media type';
    return new HttpError('unsupported_media_type', 415, message);
  }
  if (statusCode !== 400) return null;
  return new HttpError('invalid_request', 400, 'the request contradicts itself');
}

export const NO_ROUTE = 'nothing is at this path';

/** A pool that had no connection to give in time. */
const isTimeout = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('timeout exceeded');

/** Whether an operator should hear of it. */
export const isOurFault = (error: unknown): boolean => asHttpError(error).status === 500;
