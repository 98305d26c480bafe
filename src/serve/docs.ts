import { createHash } from 'node:crypto';
import { z } from 'zod';
import { json, text } from './answer.js';
import type { Document } from './open-api.js';
import { type Route, route } from './route.js';

/** What can be asked of this server: for programs, and for people. */
export const docsRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    scopes: null,
    answers: {
      200: {
        description: 'OpenAPI 3.1.',
        content: { 'application/json': z.record(z.string(), z.unknown()) },
      },
    },
    handle: async (_, { document }) => json(await document()),
  }),
  route({
    method: 'GET',
    path: '/docs',
    summary: 'The same for people',
    scopes: null,
    answers: { 200: { description: 'A page.', content: { 'text/html': z.string() } } },
    handle: async (_, { document }) =>
      text('text/html; charset=utf-8', render(await document()), {
        'content-security-policy': `default-src 'none'; style-src '${STYLE_DIGEST}'; frame-ancestors 'none'`,
      }),
  }),
];

const STYLE = `
:root { color-scheme: light dark; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
code, pre { font-family: ui-monospace, monospace; }
section { border-top: 1px solid #8884; }
dt { font-weight: 600; }
`;
const STYLE_DIGEST = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`;

/** What is read of an operation. */
type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly { readonly token?: readonly string[] }[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description?: string;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
};

type Described = {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

/** A page made of the document alone: no script, nothing from elsewhere. */
export function render(document: Document): string {
  const { info, paths } = document as Described;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => section(method, path, operation)),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(info.title)} ${escaped(info.version)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(info.title)} ${escaped(info.version)}</h1>
<p>${prose(info.description)}</p>
<p>For programs: <a href="/openapi.json">openapi.json</a>, with the schema of every request and answer.</p>
${operations.join('\n')}
</body>
</html>
`;
}

function section(method: string, path: string, operation: Operation): string {
  const { operationId, summary, description, security, parameters, requestBody } = operation;
  const scopes = security.flatMap(({ token }) => token ?? []).join(', ');
  const rows = [
    ['Scopes, any one of', security.length > 0 ? escaped(scopes) : 'no token'],
    ...(parameters ?? []).map((one) => [
      `<code>${escaped(one.name)}</code> (${escaped(one.in)})`,
      prose(one.description ?? ''),
    ]),
    ...Object.keys(requestBody?.content ?? {}).map((type) => ['Takes', escaped(type)]),
    ...Object.entries(operation.responses).map(([status, response]) => [
      status,
      prose(response.description),
    ]),
  ];
  return `<section id="${escaped(operationId)}">
<h2><code>${escaped(method.toUpperCase())} ${escaped(path)}</code></h2>
<p>${prose(summary)}${description === undefined ? '' : `. ${prose(description)}`}</p>
<dl>
${rows.map(([term, text]) => `<dt>${term}</dt><dd>${text}</dd>`).join('\n')}
</dl>
</section>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (raw: string): string => raw.replace(/[&<>"']/g, (one) => ENTITIES[one] ?? one);
const prose = (raw: string): string => escaped(raw).replace(/`([^`]*)`/g, '<code>$1</code>');
