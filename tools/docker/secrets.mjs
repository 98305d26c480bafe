// For compose.yaml: makes the passwords that are not there yet, each for its one reader, so that none is in
// any file of the project. Usage: node secrets.mjs DIRECTORY POSTGRES_UID LEGONET_UID
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory = '/secrets', postgres = '999', legonet = '1000'] = process.argv.slice(2);

const random = () => randomBytes(24).toString('base64url');

/** What the file holds, made whole or not at all if it is not there. */
function keep(path, text, owner) {
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o400 });
  chownSync(`${path}.new`, owner, owner);
  renameSync(`${path}.new`, path);
  return text;
}

// Each container mounts its own folder alone.
const [forPostgres, forLegonet] = ['postgres', 'legonet'].map((name) => join(directory, name));
for (const folder of [forPostgres, forLegonet]) mkdirSync(folder, { recursive: true });

const password = keep(join(forPostgres, 'password'), random(), Number(postgres));
const url = `postgres://legonet:${password}@postgres:5432/legonet`;
keep(join(forLegonet, 'database-url'), url, Number(legonet));
const token = keep(join(forLegonet, 'http-token'), random(), Number(legonet));
const digest = createHash('sha256').update(token).digest('hex');
keep(join(forLegonet, 'tokens'), `${digest} admin`, Number(legonet));
