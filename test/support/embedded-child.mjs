// A process that opens the server of a data directory, tells its parent, and closes it when told to.
import { openEmbeddedPostgres } from '#src/store/embedded/open.js';

const [dataDir, durable, fatalStep] = process.argv.slice(2);
// Gone with SIGKILL as soon as that step has begun.
const onProgress = (step) => {
  if (step === fatalStep)
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(process.argv[5] ?? 0));
};
try {
  const server = await openEmbeddedPostgres(dataDir, {
    durable: durable === 'durable',
    onProgress,
  });
  process.once('message', async () => {
    await server.close();
    process.disconnect();
  });
  process.send({ url: server.url, started: server.started });
} catch (error) {
  process.send({ code: error.code, message: error.message });
  process.disconnect();
}
