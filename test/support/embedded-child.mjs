// A process that opens the server of a data directory, tells its parent, and closes it when told to.
import { openEmbeddedPostgres } from '#src/store/embedded/open.js';

const [dataDir, durable] = process.argv.slice(2);
try {
  const server = await openEmbeddedPostgres(dataDir, { durable: durable === 'durable' });
  process.once('message', async () => {
    await server.close();
    process.disconnect();
  });
  process.send({ url: server.url, started: server.started });
} catch (error) {
  process.send({ code: error.code, message: error.message });
  process.disconnect();
}
