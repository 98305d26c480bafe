import type { Context, Hono } from 'hono';
import type { z } from 'zod';
import { toJson } from '../store/json.js';
import type { Access } from './access.js';
import { HttpError } from './problem.js';
import type { Scope } from './tokens.js';

export type Handler = (context: Context) => Response | Promise<Response>;
export type Method = 'GET' | 'POST' | 'PUT';

/** A token with any one of these scopes is let in; null: everybody is. */
export type Admitted = readonly Scope[] | null;

/** Puts a path into the app, with who is let in. Other methods than those given are refused. */
export function route(
  app: Hono,
  { tokens }: Pick<Access, 'tokens'>,
  path: string,
  admitted: Admitted,
  handlers: Readonly<Partial<Record<Method, Handler>>>,
): void {
  const methods = Object.keys(handlers) as Method[];
  for (const method of methods) {
    app.on(method, path, async (context) => {
      if (admitted) admit(tokens.scopesOf(bearer(context)), admitted);
      const handler = handlers[method];
      if (!handler) throw new TypeError(`no handler of ${method}`);
      return handler(context);
    });
  }
  const allow = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
  app.all(path, () => {
    throw new HttpError('method_not_allowed', 405, `only ${allow.join(', ')} here`, {
      headers: { allow: allow.join(', ') },
    });
  });
}

const CHALLENGE = { headers: { 'www-authenticate': 'Bearer' } };

function bearer(context: Context): string {
  const [, token] =
    /^Bearer +([\x21-\x7e]{1,512})$/i.exec(context.req.header('authorization') ?? '') ?? [];
  if (token !== undefined) return token;
  throw new HttpError('no_token', 401, 'send a token: "Authorization: Bearer TOKEN"', CHALLENGE);
}

function admit(scopes: readonly Scope[] | null, admitted: readonly Scope[]): void {
  if (!scopes)
    throw new HttpError('unknown_token', 401, 'the server does not know this token', CHALLENGE);
  if (admitted.some((scope) => scopes.includes(scope))) return;
  throw new HttpError('scope_missing', 403, `the token has not the scope ${admitted.join(' or ')}`);
}

/** Throws `invalid_request`, naming what is wrong and never what was sent. */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  name = '',
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = [name, ...(issue?.path ?? [])].filter((part) => part !== '').join('.');
  throw new HttpError(
    'invalid_request',
    400,
    `${path || 'body'}: ${issue?.message ?? 'not valid'}`,
  );
}

export function json(
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): Response {
  return new Response(`${toJson(value)}\n`, {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  });
}
