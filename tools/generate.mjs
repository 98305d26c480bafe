// Writes what is generated from the compiled code; with --check, tells what is not up to date instead.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileSchemas } from '../dist/audit/certificate/json-schema.js';
import { run } from '../dist/cli/program.js';
import { asyncApi } from '../dist/events/async-api.js';
import { eventSchema, schemaFile } from '../dist/events/json-schema.js';
import { EVENT_TYPES } from '../dist/events/schemas.js';
import { openApi } from '../dist/serve/open-api.js';
import { ROUTES } from '../dist/serve/routes.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const schemas = Object.keys(EVENT_TYPES).map((type) => ({
  path: `schemas/${schemaFile(type)}`,
  text: `${JSON.stringify(eventSchema(type), null, 2)}\n`,
}));
const auditSchemas = Object.entries(fileSchemas()).map(([type, schema]) => ({
  path: `schemas/${type}.schema.json`,
  text: `${JSON.stringify(schema, null, 2)}\n`,
}));
const { version } = JSON.parse(read('package.json'));
const asyncApiFile = {
  path: 'schemas/asyncapi.json',
  text: `${JSON.stringify(asyncApi(version), null, 2)}\n`,
};
const openApiFile = {
  path: 'schemas/openapi.json',
  text: `${JSON.stringify(await openApi(ROUTES, version), null, 2)}\n`,
};
const files = [
  ...schemas,
  ...auditSchemas,
  asyncApiFile,
  openApiFile,
  { path: 'docs/reference/cli.md', text: await commandLine() },
];

if (process.argv.includes('--check')) {
  const stale = files.filter(({ path, text }) => read(path) !== text);
  for (const { path } of stale) console.error(`${path} is not up to date: run npm run generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  mkdirSync(join(root, 'schemas'), { recursive: true });
  for (const { path, text } of files) writeFileSync(join(root, path), text);
}

function read(path) {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined;
  }
}

/** What `--help` says, of `legonet` and of each of its commands. */
async function commandLine() {
  const block = (text) => `\`\`\`text\n${text.trim()}\n\`\`\``;
  const program = await help();
  const [, list = ''] = program.split('Commands:\n');
  const names = [...list.split('\n\n', 1)[0].matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name);
  const sections = [block(program)];
  for (const name of names.filter((name) => name !== 'help')) {
    sections.push(`## ${name}`, block(await help(name)));
  }
  const note = 'Written by `npm run generate` from what `--help` says.';
  return `${['# Command line', note, ...sections].join('\n\n')}\n`;
}

async function help(...command) {
  const { write } = process.stdout;
  // As wide as without a terminal, wherever this runs.
  Object.defineProperty(process.stdout, 'isTTY', { value: false, configurable: true });
  let text = '';
  process.stdout.write = (part) => {
    text += part;
    return true;
  };
  await run([...command, '--help']);
  process.stdout.write = write;
  return text;
}
