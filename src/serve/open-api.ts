import swagger from '@fastify/swagger';
import { fastify } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import { fileSchemas } from '../audit/certificate/json-schema.js';
import { CERTIFICATE_TYPE } from '../audit/certificate/schema.js';
import { eventComponents } from './events.js';
import { responsesOf, schemaOf } from './operation.js';
import type { Route } from './route.js';

export type Document = Readonly<Record<string, unknown>>;

const DESCRIPTION =
  'Exact machine unlearning: events in, exactly unlearned model versions out. Problems are documents of ' +
  'RFC 9457 whose `code` is stable.';
const TOKEN =
  'A token of LEGONET_TOKENS_FILE, or that of the data directory; the roles are its scopes.';

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of routes: made from the schemas by which they check. */
export async function openApi(routes: readonly Route[], version: string): Promise<Document> {
  const app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  const byKey = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Legonet', version, description: DESCRIPTION, license: LICENSE },
      servers: [{ url: '/', description: 'This server.' }],
      components: {
        schemas: { ...eventComponents },
        securitySchemes: { token: { type: 'http', scheme: 'bearer', description: TOKEN } },
      },
    },
    transform: (given) => {
      const converted = jsonSchemaTransform(given);
      const route = byKey.get(`${given.route.method} ${given.url}`);
      if (!route) throw new TypeError(`no route ${given.url}`);
      return { schema: complete(converted.schema as Json, route), url: named(given.url) };
    },
    transformObject: jsonSchemaTransformObject,
    convertConstToEnum: false,
  });
  for (const route of routes) {
    const schema = { ...schemaOf(route), response: responsesOf(route) };
    const handler = async () => undefined;
    app.route({ method: route.method, url: route.path, exposeHeadRoute: false, schema, handler });
  }
  await app.ready();
  const document = JSON.parse(JSON.stringify(app.swagger())) as Json;
  await app.close();
  for (const route of routes) addRawBody(document.paths as Paths, route);
  addFiles(document);
  return withoutUnused(document);
}

type Paths = Record<string, Record<string, Json>>;

/** What a handler reads itself; added last, for the conversion would write out what it refers to. */
function addRawBody(paths: Paths, { method, path, body }: Route): void {
  if (!body || 'json' in body) return;
  const operation = paths[path]?.[method.toLowerCase()];
  if (!operation) throw new TypeError(`${path} is not described`);
  const types = Object.entries(body.raw).map(([type, schema]) => [type, { schema }]);
  operation.requestBody = { required: true, content: Object.fromEntries(types) };
}

/** Files have schemas of their own: of the text as it is sent, and not of what is read from it. */
function addFiles(document: Json): void {
  const { schemas } = document.components as { schemas: Json };
  const { $schema, $id, ...schema } = fileSchemas()[CERTIFICATE_TYPE] ?? {};
  schemas.DeletionCertificate = schema;
}

const LICENSE = { name: 'Apache-2.0', identifier: 'Apache-2.0' };

/** What the conversion leaves out: headers, names, who is let in. */
function complete(schema: Json, route: Route): Json {
  const { path, method, summary, description, scopes, headers, answers } = route;
  const responses = schema.response as Record<string, Json>;
  for (const [status, answer] of Object.entries(answers)) {
    const response = responses[status];
    if (response && answer.headers) response.headers = texts(answer.headers);
  }
  const params = schema.params as Json | undefined;
  return {
    ...schema,
    ...(params && { params: renamed(params) }),
    summary,
    ...(description !== undefined && { description }),
    operationId: operationId(method, path),
    tags: [path.startsWith('/v1/') ? (path.split('/')[2] ?? '') : 'server'],
    ...(headers && { headers: { type: 'object', properties: texts(headers) } }),
    security: scopes ? securityOf(route) : [],
  };
}

/** Any one of them is enough. */
function securityOf({ scopes, open }: Route): Json[] {
  const alternatives = [...(scopes ?? []), 'admin'].map((scope) => ({ token: [scope] }));
  return open ? [...alternatives, {}] : alternatives;
}

const texts = (descriptions: Readonly<Record<string, string>>): Json =>
  Object.fromEntries(
    Object.entries(descriptions).map(([name, description]) => [
      name,
      { type: 'string', description },
    ]),
  );

/** A tree's parameter has a name here. */
const named = (path: string): string => path.replace(/\*$/, ':path');

function renamed(params: Json): Json {
  const properties = Object.entries(Object(params.properties)).map(([name, schema]) => [
    name === '*' ? 'path' : name,
    schema,
  ]);
  return { ...params, properties: Object.fromEntries(properties) };
}

/** `GET /v1/versions/:version` → getVersionsByVersion. */
function operationId(method: string, path: string): string {
  const words = named(path)
    .replace(/^\/v1/, '')
    .split(/[/.-]/)
    .filter((word) => word !== '')
    .map((word) => (word.startsWith(':') ? `By${capital(word.slice(1))}` : capital(word)));
  return `${method.toLowerCase()}${words.join('')}`;
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** Each schema was converted as one that comes in and as one that goes out; most are one of them only. */
function withoutUnused(document: Json): Document {
  const components = document.components as { schemas: Json };
  const text = JSON.stringify(document);
  const used = Object.entries(components.schemas).filter(([name]) =>
    text.includes(`"#/components/schemas/${name}"`),
  );
  return { ...document, components: { ...components, schemas: Object.fromEntries(used) } };
}
