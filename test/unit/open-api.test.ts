import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validate } from '@readme/openapi-parser';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { text as textAnswer } from '#src/serve/answer.js';
import { render } from '#src/serve/docs.js';
import { openApi } from '#src/serve/open-api.js';
import { route } from '#src/serve/route.js';
import { ROUTES } from '#src/serve/routes.js';

const text = readFileSync(join(import.meta.dirname, '../../schemas/openapi.json'), 'utf8');

type Operation = {
  readonly operationId: string;
  readonly security: readonly { readonly token?: readonly string[] }[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, unknown>> }>
  >;
};
type Document = {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
const document: Document = JSON.parse(text);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);
const isValid = async (json: string) => (await validate(JSON.parse(json))).valid;

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1', async () => {
    expect(document.openapi).toBe('3.1.0');
    const result = await validate(JSON.parse(text));
    expect(result).toMatchObject({ valid: true, warnings: [] });
  });

  test('would not be if it were wrong', async () => {
    for (const [from, to] of [
      ['"in": "path"', '"in": "body"'],
      ['"#/components/schemas/Problem"', '"#/components/schemas/Nowhere"'],
      ['"responses": {', '"answers": {'],
      ['"scheme": "bearer"', '"scheme": 7'],
    ] as const) {
      expect(text).toContain(from);
      expect(await isValid(text.replace(from, to)), from).toBe(false);
    }
  });

  test('has every route, and none twice', () => {
    const routes = ROUTES.map(({ method, path }) => {
      const braced = path.replace(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}');
      return `${method.toLowerCase()} ${braced}`;
    });
    const described = operations.map(({ method, path }) => `${method} ${path}`);
    expect(described.sort()).toEqual(routes.sort());
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('says of every route who is let in, and how it answers who is not', () => {
    const open = operations.filter(({ operation }) => operation.security.length === 0);
    expect(open.map(({ path }) => path).sort()).toEqual([
      '/checkpoint',
      '/docs',
      '/healthz',
      '/openapi.json',
      '/readyz',
      '/tile/entries/{path}',
      '/tile/{path}',
      '/v1/log/key',
      '/v1/log/proof/{index}',
    ]);
    for (const { path, operation } of operations) {
      const isOpen = operation.security.length === 0;
      for (const status of ['401', '403', '429']) {
        expect(status in operation.responses, `${path} ${status}`).toBe(!isOpen);
      }
    }
  });

  test('has a problem document for every failure', () => {
    for (const { path, operation } of operations) {
      for (const [status, { content = {} }] of Object.entries(operation.responses)) {
        if (Number(status) < 400 || path === '/readyz') continue;
        expect(Object.keys(content), `${path} ${status}`).toEqual(['application/problem+json']);
      }
    }
  });

  test('describes a tree of paths by one parameter', async () => {
    const tree = route({
      method: 'GET',
      path: '/tile/*',
      summary: 'A tile',
      scopes: null,
      params: z.object({ '*': z.string() }),
      answers: { 200: { description: 'Its bytes.' } },
      handle: () => textAnswer('text/plain', ''),
    });
    const made = await openApi([tree], '1.2.3');
    expect(made).toMatchObject({ info: { version: '1.2.3' } });
    const { paths } = made as unknown as Document;
    expect(Object.keys(paths)).toEqual(['/tile/{path}']);
    expect(paths['/tile/{path}']?.get).toMatchObject({
      operationId: 'getTileByPath',
      parameters: [{ name: 'path', in: 'path', required: true }],
    });
    expect(await isValid(JSON.stringify(made))).toBe(true);
  });
});

describe('the page for people', () => {
  const page = render(JSON.parse(text));

  test('has every route', () => {
    for (const { method, path } of operations) {
      expect(page).toContain(`<code>${method.toUpperCase()} ${path}</code>`);
    }
  });

  test('takes nothing from elsewhere and runs nothing', () => {
    expect(page).not.toMatch(/<script|<link|<img|\bsrc=|@import|url\(|\bon\w+=|https?:\/\//i);
    expect([...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      '/openapi.json',
    ]);
  });

  test('shows text as text', () => {
    const info = { title: '<b>&"', version: "'1'", description: '`<i>`' };
    const shown = render({ info, paths: {} });
    expect(shown).toContain('<h1>&lt;b&gt;&amp;&quot; &#39;1&#39;</h1>');
    expect(shown).toContain('<code>&lt;i&gt;</code>');
  });
});
