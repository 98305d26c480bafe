// From delete to published, through Kafka and on the embedded log, on the digits:
// KAFKA_BROKERS=host:port node bench/kafka-delete.mjs [deletions]
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { ingestFile } from '#src/cli/commands/ingest.js';
import { readModelFile } from '#src/cli/model-file.js';
import { openStores } from '#src/log/open.js';
import { catchUp } from '#src/service/catch-up.js';
import { ROLES, runRole } from '#src/service/roles.js';
import { openService } from '#src/service/service.js';
import { readSettings } from '#src/settings.js';
import { saveModel } from '#src/store/model.js';
import { median } from './support/cifar.mjs';
import { timeDeletions } from './support/deletion.mjs';
import { temporaryDirectory } from './support/directory.mjs';

const deletions = Number(process.argv[2] ?? 60);
const { KAFKA_BROKERS } = process.env;
if (!KAFKA_BROKERS) {
  console.error('KAFKA_BROKERS=host:port');
  process.exit(2);
}
const digits = new URL('../examples/digits/', import.meta.url).pathname;
const never = new AbortController().signal;
const prefix = `delete-${randomBytes(4).toString('hex')}.`;

const embedded = await open({});
const kafka = await open({ KAFKA_BROKERS, KAFKA_TOPIC_PREFIX: prefix, KAFKA_GROUP_ID: prefix });
try {
  // In turns, so that both meet the same machine.
  const [one, other] = [[], []];
  for (let i = 1; i <= deletions; i++) {
    one.push(await embedded.deleteOne(i));
    other.push(await kafka.deleteOne(i));
  }
  const [a, b] = [median(one), median(other)];
  console.log(
    `delete -> published on the digits (n = 100, k = 10, d = 64), medians of ${deletions}`,
  );
  console.log(`embedded log  ${a.toFixed(1).padStart(7)} ms`);
  console.log(
    `Kafka         ${b.toFixed(1).padStart(7)} ms   ${(b - a).toFixed(1)} ms more, ${(b / a).toFixed(2)} times`,
  );
} finally {
  await embedded.close();
  await kafka.close();
}

async function open(environment) {
  const directory = await temporaryDirectory('legonet-delete-');
  const settings = readSettings({ ...environment, LEGONET_DATA_DIR: directory.path });
  const stores = await openStores(settings);
  const { model, files } = await readModelFile(`${digits}MODEL.json`);
  await saveModel(stores.database, model, files);
  const context = { settings, json: true, signal: never, print: () => {}, say: () => {} };
  await ingestFile(context, stores, model, `${digits}stream.csv.gz`, {});
  const service = await openService({ ...stores, logger: pino({ level: 'silent' }) });
  await catchUp(service, never);
  const stop = new AbortController();
  const roles = ROLES.map((role) =>
    runRole(service, role, stop.signal, (_, error) => console.error(error)),
  );
  const { time, listening } = timeDeletions(service, stop.signal);
  return {
    deleteOne: async (i) => {
      const target = `digit-${String(i).padStart(4, '0')}`;
      return 1000 * (await time(`bench-${i}`, target));
    },
    close: async () => {
      stop.abort();
      await Promise.all([...roles, listening]);
      await service.close();
      await stores.close();
      await directory.remove();
    },
  };
}
