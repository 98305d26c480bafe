import type { FastifyInstance, FastifyReply } from 'fastify';
import { parseJson } from '../events/envelope.js';
import { EventError } from '../events/error.js';
import type { Answer } from './answer.js';
import { admit, type Caller } from './caller.js';
import type { Deps } from './deps.js';
import { schemaOf } from './operation.js';
import { HttpError } from './problem.js';
import { isLimited, type Route } from './route.js';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    route?: Route;
  }
}

const NOBODY: Caller = { key: '', token: 'none', scopes: [] };

/**
 * Puts routes into the framework. In this order a request is counted, let in, and only then is its body
 * read and checked. Other methods on the same paths are refused.
 */
export function addRoutes(
  app: FastifyInstance,
  deps: Deps,
  routes: readonly Route[],
  send: (answer: Answer, reply: FastifyReply) => FastifyReply,
): void {
  const count = app.rateLimit();
  for (const route of routes) {
    const isOpen = route.open?.(deps) ?? false;
    app.route({
      method: route.method,
      url: route.path,
      config: { route },
      schema: schemaOf(route),
      onRequest: [
        ...(isLimited(route) && !isOpen ? [count] : []),
        async ({ caller }) => {
          if (!isOpen) admit(caller ?? NOBODY, route);
        },
      ],
      preParsing: async (request) => {
        if (route.body) deps.bodies.enter(request);
      },
      handler: async (request, reply) => {
        const { method, headers, params, query, body, caller } = request;
        const scopes = caller?.scopes ?? [];
        const asked = { method, headers, params, query, body, scopes };
        return send(await route.handle(asked, deps), reply);
      },
    });
  }
  for (const path of new Set(routes.map((route) => route.path))) refuseOthers(app, routes, path);
}

function refuseOthers(app: FastifyInstance, routes: readonly Route[], path: string): void {
  const methods: string[] = routes.filter((route) => route.path === path).map((one) => one.method);
  if (methods.includes('GET')) methods.push('HEAD');
  const allow = methods.join(', ');
  const refuse = async () => {
    const message = `only ${allow} here`;
    throw new HttpError('method_not_allowed', 405, message, { headers: { allow } });
  };
  app.route({
    method: app.supportedMethods.filter((method) => !methods.includes(method)),
    url: path,
    schema: { hide: true },
    onRequest: refuse,
    handler: refuse,
  });
}

/** JSON of a request. Throws `invalid_request`. */
export function readJson(body: Uint8Array): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    throw new HttpError('invalid_request', 400, `body: ${error.message}`);
  }
}
