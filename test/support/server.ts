import { openEmbeddedPostgres } from '#src/store/embedded/open.js';
import { removeDataDir, temporaryDirectory } from './embedded.js';

/** A server of the test's own: roles are the whole server's, and another test's must not be met. */
export async function openTestServer(): Promise<{ url: string; close(): Promise<void> }> {
  const directory = await temporaryDirectory();
  const server = await openEmbeddedPostgres(directory, { durable: false });
  const close = async () => {
    await server.close();
    await removeDataDir(directory);
  };
  return { url: server.url, close };
}
