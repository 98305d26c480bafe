import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { Answer } from './answer.js';
import type { Deps } from './deps.js';
import type { Scope } from './tokens.js';

/** A request that was let in and whose parts are what their schemas say. */
export type Asked<Params = unknown, Query = unknown, Body = unknown> = {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly params: Params;
  readonly query: Query;
  /** JSON by its schema; bytes where the route reads them itself. */
  readonly body: Body;
  /** What the request's token is good for. */
  readonly scopes: readonly Scope[];
};

/** A schema of JSON as it is documented. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One kind of answer: by content type, or without content. */
export type Described = {
  readonly description: string;
  readonly content?: Readonly<Record<string, z.ZodType>>;
  readonly headers?: Readonly<Record<string, string>>;
};

/** A request's body, of `limit` bytes at most. */
export type Body<Schema extends z.ZodType = z.ZodType> = { readonly limit: number } & (
  | { readonly json: Schema }
  /** Read by the handler; this is what it takes, by content type. */
  | { readonly raw: Readonly<Record<string, JsonSchema>> }
);

/**
 * A path and a method: who is let in, what comes in and goes out, and what is done. The server, its
 * checks and the OpenAPI document are all made from this.
 */
export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** `/v1/versions/:version`; ends in `/*` for a whole tree, which is then the parameter `*`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** A token with any one of these, or `admin`, is let in; null: everybody is, without a token. */
  readonly scopes: readonly Scope[] | null;
  /** Everybody is let in all the same, as this server is set up. */
  readonly open?: (deps: Deps) => boolean;
  /** Whether the rate limit counts it; it does unless everybody is let in. */
  readonly limited?: boolean;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  /** Request headers that are read, and what they are for. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly answers: Readonly<Record<number, Described>>;
  /** Status and codes of the problems that are this route's own. */
  readonly problems?: Readonly<Record<number, string>>;
  handle(asked: Asked, deps: Deps): Answer | Promise<Answer>;
};

type Typed<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> = Omit<
  Route,
  'params' | 'query' | 'body' | 'handle'
> & {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: Body<B>;
  handle(asked: Asked<z.output<P>, z.output<Q>, z.output<B>>, deps: Deps): Answer | Promise<Answer>;
};

/** A route whose handler has the types of its schemas. */
export function route<
  P extends z.ZodType = z.ZodUnknown,
  Q extends z.ZodType = z.ZodUnknown,
  B extends z.ZodType = z.ZodUnknown,
>(typed: Typed<P, Q, B>): Route {
  return typed;
}

/** Whether the rate limit counts requests of the route. */
export const isLimited = ({ limited, scopes }: Route): boolean => limited ?? scopes !== null;
