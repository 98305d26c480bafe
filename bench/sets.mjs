// Training sets as Merkle trees: building one of a million, and deletions from eleven kept in Postgres.
// Run: npm run build && node bench/sets.mjs [deletions]
import { join } from 'node:path';
import { buildSet } from '#src/audit/sets/build.js';
import { encodeSetProof } from '#src/audit/sets/encoding.js';
import { hashPairs } from '#src/audit/sets/hash-pairs.js';
import { loadHashPairs } from '#src/kernel/hash-pairs.js';
import { openStores } from '#src/log/open.js';
import { readSettings } from '#src/settings.js';
import { transaction } from '#src/store/database.js';
import { nodeHashPairs } from '#src/store/hash-pairs.js';
import { prepareSets, proveInSets, RETAINED_SET } from '#src/store/sets.js';
import { rebuildSets, writeSets } from '#src/store/sets-write.js';
import { temporaryDirectory } from './support/directory.mjs';

const ALL = 1_000_000;
const MEMBERS = 100_000;
const ADAPTERS = 10;
const ENTRY = 64;
const deletions = Number(process.argv[2] ?? 60);

/** Random-looking entries, the same in every run (xorshift32). */
function entries(count) {
  const words = new Uint32Array((count * ENTRY) / 4);
  let state = 2_463_534_242;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
/** Milliseconds by the clock, and of this process's CPU, which tells a slow program from a busy machine. */
const time = async (work) => {
  const [start, used] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(used);
  return { ms: performance.now() - start, cpu: (user + system) / 1000, result };
};
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
const row = (name, value) => console.log(`${name.padEnd(58)} ${value}`);

const all = entries(ALL);
const wasm = await loadHashPairs();
for (const [name, hash] of [
  ['noble', hashPairs],
  ['node:crypto', nodeHashPairs],
  ['WebAssembly', wasm],
]) {
  let hashes = 0;
  const counting = (prefix, pairs) => {
    hashes += pairs.length / ENTRY;
    return hash(prefix, pairs);
  };
  const { ms, cpu } = await time(() => buildSet(all, counting));
  row(`build a set of ${ALL}, ${name}`, `${seconds(ms)}, CPU ${seconds(cpu)}, ${hashes} hashes`);
}

const directory = await temporaryDirectory('legonet-bench-');
const stores = await openStores(readSettings({ LEGONET_DATA_DIR: join(directory.path, 'data') }));
try {
  const { pool } = stores.database;
  const sets = Array.from({ length: ADAPTERS }, (_, set) => ({
    set,
    entries: all.subarray(0, MEMBERS * ENTRY),
  }));
  sets.push({ set: RETAINED_SET, entries: all });
  const filled = await time(() => transaction(pool, (client) => rebuildSets(client, sets, wasm)));
  row(
    `rebuild ${ADAPTERS} of ${MEMBERS} and that one in Postgres`,
    `${seconds(filled.ms)}, CPU ${seconds(filled.cpu)}`,
  );
  await pool.query('ANALYZE sets, set_pages');
  await measureDeletions(pool);
} finally {
  await stores.close();
  await directory.remove();
}

async function measureDeletions(pool) {
  const [preparing, writing, proving, sizes, counts] = [[], [], [], [], []];
  for (let i = 0; i < deletions; i++) {
    const at = ((i * 7919) % MEMBERS) * ENTRY;
    const key = all.subarray(at, at + ENTRY / 2);
    const change = { add: new Uint8Array(0), remove: key };
    const changes = new Map([...Array(ADAPTERS).keys(), RETAINED_SET].map((set) => [set, change]));
    let hashes = 0;
    const counting = (prefix, pairs) => {
      hashes += pairs.length / ENTRY;
      return wasm(prefix, pairs);
    };
    const snapshot = 'ISOLATION LEVEL REPEATABLE READ READ ONLY';
    const prepared = await transaction(
      pool,
      (client) => time(() => prepareSets(client, changes, counting)),
      snapshot,
    );
    counts.push(hashes);
    preparing.push(prepared.ms);
    const written = await transaction(pool, (client) =>
      time(() => writeSets(client, prepared.result)),
    );
    writing.push(written.ms);
    const questions = [...changes.keys()].map((set) => ({ set, key }));
    const proven = await transaction(
      pool,
      (client) => time(() => proveInSets(client, questions, wasm)),
      snapshot,
    );
    proving.push(proven.ms);
    sizes.push(proven.result.reduce((sum, { proof }) => sum + encodeSetProof(proof).length, 0));
  }
  const ms = (values) => `${median(values).toFixed(2)} ms`;
  row('one deletion from those 11: read and compute', `${ms(preparing)}, ${median(counts)} hashes`);
  row('one deletion from those 11: write', ms(writing));
  row('proofs of absence from those 11', `${ms(proving)}, ${median(sizes)} bytes`);
}
