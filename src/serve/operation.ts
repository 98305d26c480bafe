import type { FastifySchema } from 'fastify';
import { z } from 'zod';
import { problemDocument } from './answers.js';
import { type Described, isLimited, type Route } from './route.js';

/** What the framework checks of a request. */
export function schemaOf({ params, query, body }: Route): FastifySchema {
  return {
    ...(params && { params }),
    ...(query && { querystring: query }),
    ...(body && 'json' in body && { body: body.json }),
  };
}

/** And all that can come of it. */
export function responsesOf(route: Route): Record<string, unknown> {
  const own = Object.entries(route.answers).map(([status, answer]) => [status, toSchema(answer)]);
  const answered = new Set(own.map(([status]) => String(status)));
  const problems = [...problemsOf(route)]
    .filter(([status]) => !answered.has(String(status)))
    .map(([status, codes]) => {
      const description = codes.map((code) => `\`${code}\``).join(', ');
      return [status, { description, content: PROBLEM }];
    });
  return Object.fromEntries([...own, ...problems]);
}

const PROBLEM = { 'application/problem+json': { schema: problemDocument } };

function toSchema({ description, content }: Described): unknown {
  if (!content) return z.null().describe(description);
  const types = Object.entries(content).map(([type, schema]) => [type, { schema }]);
  return { description, content: Object.fromEntries(types) };
}

/** Codes of problems by status: the route's own, and those that come of what it is. */
function problemsOf(route: Route): Map<number, string[]> {
  const { params, query, headers, body, scopes, problems = {} } = route;
  const found = new Map<number, string[]>();
  const add = (status: number, ...codes: string[]) => {
    found.set(status, [...(found.get(status) ?? []), ...codes]);
  };
  for (const [status, codes] of Object.entries(problems)) add(Number(status), ...codes.split(', '));
  if (params ?? query ?? headers ?? body) add(400, 'invalid_request');
  if (scopes) {
    add(401, 'no_token', 'unknown_token');
    add(403, 'scope_missing');
  }
  if (body) add(413, 'body_too_large');
  if (body && 'json' in body) add(415, 'unsupported_media_type');
  if (isLimited(route)) add(429, 'too_many_requests');
  add(500, 'internal_error');
  if (scopes) add(503, 'unavailable');
  if (body) add(503, 'too_busy');
  return found;
}
