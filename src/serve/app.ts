import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import rateLimit from '@fastify/rate-limit';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import type { Answer } from './answer.js';
import { readBody } from './body.js';
import { identify } from './caller.js';
import { answerMalformed } from './client-error.js';
import type { Deps } from './deps.js';
import { HttpError, isOurFault, NO_ROUTE, problem } from './problem.js';
import { addRoutes, readJson } from './register.js';
import type { Route } from './route.js';

/** Nothing here may be framed, run, or guessed at. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-frame-options': 'DENY',
  'x-permitted-cross-domain-policies': 'none',
  'cache-control': 'no-store',
} as const;

/** An id of 256 characters, each of up to four bytes, percent-encoded. */
const PARAMETER = 256 * 4 * 3;
const MINUTE_MS = 60_000;
/** Callers whose requests are counted at a time. */
const CALLERS = 10_000;
/** As in RFC 3986 a host is written, with its port. */
const HOST = /^[A-Za-z0-9._~%!$&'()*+,;=:[\]-]*$/;

/** The framework with our ways: every answer leaves by `send`, and every failure as a problem. */
export async function createApp(
  deps: Deps,
  makeServer: (listener: (request: IncomingMessage, response: ServerResponse) => void) => Server,
  routes: readonly Route[],
): Promise<FastifyInstance> {
  const { logger, ratePerMinute } = deps;
  const fail = (error: unknown, reply: FastifyReply) => {
    if (isOurFault(error)) {
      const route = patternOf(reply);
      logger.error({ event: 'request_failed', route, err: error }, 'a request failed');
    }
    return send(problem(error), reply);
  };
  const send = (answer: Answer, reply: FastifyReply) => {
    const { status, headers, body } = answer;
    deps.bodies.leave(reply.request);
    const { method } = reply.request;
    deps.onAnswered?.({ route: patternOf(reply), method, status });
    reply.code(status).headers(HEADERS).headers(headers);
    return reply.send(toPayload(body));
  };

  const app = fastify({
    serverFactory: makeServer,
    clientErrorHandler: answerMalformed,
    frameworkErrors: (error, _, reply) => void fail(error, reply),
    routerOptions: { maxParamLength: PARAMETER },
    requestIdHeader: false,
  });
  app.setErrorHandler((error, _, reply) => fail(error, reply));
  app.setNotFoundHandler((_, reply) => fail(new HttpError('no_route', 404, NO_ROUTE), reply));
  app.setValidatorCompiler(validatorCompiler);
  // Answers are text or bytes already.
  app.setSerializerCompiler(() => JSON.stringify);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (request: FastifyRequest, stream: IncomingMessage) => {
    const { body } = request.routeOptions.config.route ?? {};
    // Of a request that nothing is at, the body goes unread.
    if (!body) return undefined;
    const read = await readBody(stream, body.limit);
    return 'json' in body ? readJson(read) : read;
  });

  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request) => {
    if (!HOST.test(request.headers.host ?? '')) {
      throw new HttpError('invalid_request', 400, 'host: expected a host and its port');
    }
    request.caller = identify(request.raw, deps.access.tokens);
  });
  await app.register(rateLimit, {
    global: false,
    max: ratePerMinute,
    timeWindow: MINUTE_MS,
    cache: CALLERS,
    keyGenerator: ({ caller }) => caller?.key ?? '',
    errorResponseBuilder: (_, { max, ttl }) => tooManyRequests(max, ttl),
  });
  addRoutes(app, deps, routes, send);
  await app.ready();
  return app;
}

function tooManyRequests(max: number, leftMs: number): HttpError {
  const wait = String(Math.max(1, Math.ceil(leftMs / 1000)));
  const message = `more than ${max} requests in a minute: wait ${wait} s, or have LEGONET_HTTP_RATE raised`;
  return new HttpError('too_many_requests', 429, message, { headers: { 'retry-after': wait } });
}

/** The pattern of the request's path; `/*` where there is none. */
const patternOf = ({ request }: FastifyReply): string => request.routeOptions?.url ?? '/*';

/** Bytes, since to a text the framework would add a charset, which JSON has none of. */
function toPayload(body: Answer['body']): Buffer | ReadableStream | undefined {
  if (typeof body === 'string') return Buffer.from(body, 'utf8');
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return body ?? undefined;
}
